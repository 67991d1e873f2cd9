//! API tokens, groups, and what people said about held requests.

use async_trait::async_trait;
use futures_util::FutureExt;
use lanyard_model::{
    audit::AuditEvent,
    directory::{Device, Group, User},
    id::{DeviceId, GroupName, RequestId, TokenId, UserName},
    request::ApprovalRecord,
    token::TokenRecord,
};

use super::{
    database::Database,
    tx::{Applied, Tx},
    value::args,
};
use crate::{
    ports::{PeopleStore, Result},
    rows,
};

const SAVE_TOKEN: &str = "INSERT INTO tokens (id, body) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET body = $2";
const LOAD_TOKEN: &str = "SELECT body FROM tokens WHERE id = $1";
const LIST_TOKENS: &str = "SELECT body FROM tokens ORDER BY id";
const SAVE_GROUP: &str = "INSERT INTO directory_groups (name, body) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET body = $2";
const LOAD_GROUP: &str = "SELECT body FROM directory_groups WHERE name = $1";
const LIST_GROUPS: &str = "SELECT body FROM directory_groups ORDER BY name";
const REMOVE_GROUP: &str = "DELETE FROM directory_groups WHERE name = $1";
const SAVE_USER: &str = "INSERT INTO users (name, body) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET body = $2";
const SAVE_DEVICE: &str = "INSERT INTO devices (id, body) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET body = $2";
const REMOVE_USER: &str = "DELETE FROM users WHERE name = $1";
/// Somebody else of the same name must not have it.
const REMOVE_PASSWORD: &str = "DELETE FROM passwords WHERE user_name = $1";
const REMOVE_DEVICE: &str = "DELETE FROM devices WHERE id = $1";
/// Only while the request waits, and each person once.
const APPROVE: &str = "INSERT INTO approvals (request, approver, at) \
    SELECT $1, $2, CAST($3 AS BIGINT) FROM requests WHERE id = $1 AND state = 'pending' ON CONFLICT (request, approver) DO NOTHING";
const APPROVALS: &str = "SELECT request, approver, at FROM approvals WHERE request = $1 ORDER BY at, approver";

#[async_trait]
impl PeopleStore for Database {
    async fn save_token(&self, token: TokenRecord, audit: AuditEvent) -> Result<()> {
        let body = rows::to_json(&token)?;
        self.write(move |tx| put(tx, SAVE_TOKEN, token.id.to_string(), body.clone(), audit.clone()).boxed()).await
    }

    async fn load_token(&self, id: &TokenId) -> Result<Option<TokenRecord>> {
        let row = self.optional("load a token", LOAD_TOKEN, args![id.to_string()]).await?;
        row.as_ref().map(rows::token).transpose()
    }

    async fn list_tokens(&self) -> Result<Vec<TokenRecord>> {
        self.fetch_long("list tokens", LIST_TOKENS, args![]).await?.iter().map(rows::token).collect()
    }

    async fn save_group(&self, group: Group, audit: AuditEvent) -> Result<()> {
        let body = rows::to_json(&group)?;
        self.write(move |tx| put(tx, SAVE_GROUP, group.name.to_string(), body.clone(), audit.clone()).boxed()).await
    }

    async fn load_group(&self, name: &GroupName) -> Result<Option<Group>> {
        let row = self.optional("load a group", LOAD_GROUP, args![name.to_string()]).await?;
        row.as_ref().map(rows::group).transpose()
    }

    async fn list_groups(&self) -> Result<Vec<Group>> {
        self.fetch_long("list groups", LIST_GROUPS, args![]).await?.iter().map(rows::group).collect()
    }

    async fn remove_group(&self, name: &GroupName, audit: AuditEvent) -> Result<bool> {
        let name = name.to_string();
        self.write(move |tx| remove(tx, REMOVE_GROUP, name.clone(), audit.clone()).boxed()).await
    }

    async fn import_directory(&self, users: Vec<User>, devices: Vec<Device>, audit: AuditEvent) -> Result<()> {
        let users: Vec<(String, String)> =
            users.iter().map(|u| Ok((u.name.to_string(), rows::to_json(u)?))).collect::<Result<_>>()?;
        let devices: Vec<(String, String)> =
            devices.iter().map(|d| Ok((d.id.to_string(), rows::to_json(d)?))).collect::<Result<_>>()?;
        self.write(move |tx| import(tx, users.clone(), devices.clone(), audit.clone()).boxed()).await
    }

    async fn remove_user(&self, name: &UserName, audit: AuditEvent) -> Result<bool> {
        let name = name.to_string();
        self.write(move |tx| remove_user(tx, name.clone(), audit.clone()).boxed()).await
    }

    async fn remove_device(&self, id: &DeviceId, audit: AuditEvent) -> Result<bool> {
        let id = id.to_string();
        self.write(move |tx| remove(tx, REMOVE_DEVICE, id.clone(), audit.clone()).boxed()).await
    }

    async fn approve_request(&self, approval: ApprovalRecord, audit: AuditEvent) -> Result<bool> {
        let object = approval.request.to_string().into_bytes();
        self.write_on(object.into(), move |tx| approve(tx, approval.clone(), audit.clone()).boxed()).await
    }

    async fn approvals_of(&self, request: RequestId) -> Result<Vec<ApprovalRecord>> {
        let found = self.fetch("list approvals", APPROVALS, args![request.to_string()]).await?;
        found.iter().map(rows::approval).collect()
    }
}

async fn put(tx: &mut Tx, sql: &'static str, key: String, body: String, audit: AuditEvent) -> Result<Applied<()>> {
    tx.execute("save a token or group", sql, args![key, body]).await?;
    tx.audit(&audit)?;
    Ok(Applied::Kept(()))
}

async fn remove_user(tx: &mut Tx, name: String, audit: AuditEvent) -> Result<Applied<bool>> {
    tx.execute("remove a password", REMOVE_PASSWORD, args![name.as_str()]).await?;
    remove(tx, REMOVE_USER, name, audit).await
}

async fn remove(tx: &mut Tx, sql: &'static str, key: String, audit: AuditEvent) -> Result<Applied<bool>> {
    if tx.execute("remove a record", sql, args![key]).await? == 0 {
        return Ok(Applied::Nothing(false));
    }
    tx.audit(&audit)?;
    Ok(Applied::Kept(true))
}

async fn import(
    tx: &mut Tx,
    users: Vec<(String, String)>,
    devices: Vec<(String, String)>,
    audit: AuditEvent,
) -> Result<Applied<()>> {
    for (sql, records) in [(SAVE_USER, users), (SAVE_DEVICE, devices)] {
        for (key, body) in records {
            tx.execute("import a record", sql, args![key, body]).await?;
        }
    }
    tx.audit(&audit)?;
    Ok(Applied::Kept(()))
}

async fn approve(tx: &mut Tx, approval: ApprovalRecord, audit: AuditEvent) -> Result<Applied<bool>> {
    let values = args![approval.request.to_string(), approval.by, approval.at.0];
    if tx.execute("save an approval", APPROVE, values).await? == 0 {
        return Ok(Applied::Nothing(false));
    }
    tx.audit(&audit)?;
    Ok(Applied::Kept(true))
}

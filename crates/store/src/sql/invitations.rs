//! Invitations. Whether a link still works is decided by its mark in `counts`, in the same transaction.

use async_trait::async_trait;
use futures_util::FutureExt;
use lanyard_model::{audit::AuditEvent, id::RequestId, invitation::InvitationRecord};

use super::{
    database::Database,
    tx::{Applied, Tx},
    value::args,
};
use crate::{
    ports::{InvitationStore, Result},
    rows,
};

const ADD: &str = "INSERT INTO invitations (id, until, body) VALUES ($1, $2, $3)";
const CHANGE: &str = "UPDATE invitations SET body = $2 WHERE id = $1";
const LOAD: &str = "SELECT body FROM invitations WHERE id = $1";
const LIST: &str = "SELECT body FROM invitations ORDER BY id DESC LIMIT $1";
const MARK: &str = "INSERT INTO counts (name, empty_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
/// Those that ended long ago; the audit log still tells of them.
pub(super) const CLEAR: &str = "DELETE FROM invitations WHERE until <= $1";

#[async_trait]
impl InvitationStore for Database {
    async fn save_invitation(&self, invitation: InvitationRecord, audit: AuditEvent) -> Result<()> {
        let body = rows::to_json(&invitation)?;
        self.write(move |tx| save(tx, invitation.clone(), body.clone(), audit.clone()).boxed()).await
    }

    async fn end_invitation(&self, mark: &str, ended: InvitationRecord, audit: Option<AuditEvent>) -> Result<bool> {
        let (mark, body) = (mark.to_owned(), rows::to_json(&ended)?);
        self.write(move |tx| end(tx, mark.clone(), ended.clone(), body.clone(), audit.clone()).boxed()).await
    }

    async fn load_invitation(&self, id: RequestId) -> Result<Option<InvitationRecord>> {
        let row = self.optional("load an invitation", LOAD, args![id.to_string()]).await?;
        row.as_ref().map(rows::invitation).transpose()
    }

    async fn list_invitations(&self, limit: u32) -> Result<Vec<InvitationRecord>> {
        self.fetch("list invitations", LIST, args![i64::from(limit)]).await?.iter().map(rows::invitation).collect()
    }
}

async fn save(tx: &mut Tx, invitation: InvitationRecord, body: String, audit: AuditEvent) -> Result<Applied<()>> {
    tx.execute("save an invitation", ADD, args![invitation.id.to_string(), invitation.until.0, body]).await?;
    tx.audit(&audit)?;
    Ok(Applied::Kept(()))
}

async fn end(
    tx: &mut Tx,
    mark: String,
    ended: InvitationRecord,
    body: String,
    audit: Option<AuditEvent>,
) -> Result<Applied<bool>> {
    if tx.execute("use an invitation up", MARK, args![mark, ended.until.0]).await? == 0 {
        return Ok(Applied::Nothing(false));
    }
    tx.execute("end an invitation", CHANGE, args![ended.id.to_string(), body]).await?;
    if let Some(audit) = audit {
        tx.audit(&audit)?;
    }
    Ok(Applied::Kept(true))
}

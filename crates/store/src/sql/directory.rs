//! Users, devices and settings.

use async_trait::async_trait;
use futures_util::FutureExt;
use lanyard_model::{
    audit::AuditEvent,
    directory::{Device, User},
    id::{DeviceId, UserName},
    lease::LeaseRecord,
};

use super::{
    database::Database,
    leases,
    tx::{Applied, Tx},
    value::args,
};
use crate::{
    ports::{DirectoryStore, Result},
    rows,
};

const SAVE_USER: &str = "INSERT INTO users (name, body) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET body = $2";
const LOAD_USER: &str = "SELECT body FROM users WHERE name = $1";
const LIST_USERS: &str = "SELECT body FROM users ORDER BY name";
const SAVE_DEVICE: &str = "INSERT INTO devices (id, body) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET body = $2";
const LOAD_DEVICE: &str = "SELECT body FROM devices WHERE id = $1";
const LIST_DEVICES: &str = "SELECT body FROM devices ORDER BY id";
const DEVICES_OF_USER: &str = "SELECT body FROM devices WHERE body LIKE $1 ORDER BY id";
const SAVE_SETTING: &str = "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2";
const LOAD_SETTING: &str = "SELECT value FROM settings WHERE name = $1";

#[async_trait]
impl DirectoryStore for Database {
    async fn save_user(&self, user: User, audit: AuditEvent) -> Result<()> {
        let body = rows::to_json(&user)?;
        self.write(move |tx| save(tx, SAVE_USER, user.name.to_string(), body.clone(), audit.clone()).boxed()).await
    }

    async fn load_user(&self, name: &UserName) -> Result<Option<User>> {
        let row = self.optional("load a user", LOAD_USER, args![name.to_string()]).await?;
        row.as_ref().map(rows::user).transpose()
    }

    async fn list_users(&self) -> Result<Vec<User>> {
        self.fetch_long("list users", LIST_USERS, args![]).await?.iter().map(rows::user).collect()
    }

    async fn save_device(&self, device: Device, audit: AuditEvent) -> Result<()> {
        let body = rows::to_json(&device)?;
        self.write(move |tx| save(tx, SAVE_DEVICE, device.id.to_string(), body.clone(), audit.clone()).boxed()).await
    }

    async fn load_device(&self, id: &DeviceId) -> Result<Option<Device>> {
        let row = self.optional("load a device", LOAD_DEVICE, args![id.to_string()]).await?;
        row.as_ref().map(rows::device).transpose()
    }

    async fn list_devices(&self) -> Result<Vec<Device>> {
        self.fetch_long("list devices", LIST_DEVICES, args![]).await?.iter().map(rows::device).collect()
    }

    async fn devices_of_user(&self, user: &UserName) -> Result<Vec<Device>> {
        // The pattern only keeps most rows away; signs of it that a name may have match more than themselves.
        let pattern = format!("%\"user\":\"{user}\"%");
        let found = self.fetch_long("list devices of a user", DEVICES_OF_USER, args![pattern]).await?;
        let mut devices = found.iter().map(rows::device).collect::<Result<Vec<Device>>>()?;
        devices.retain(|device| device.user.as_ref() == Some(user));
        Ok(devices)
    }

    async fn load_setting(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let row = self.optional("load a setting", LOAD_SETTING, args![name]).await?;
        row.map(|row| rows::octets(&row, "settings.value")).transpose()
    }

    async fn save_setting(&self, name: &str, value: Vec<u8>) -> Result<()> {
        let name = name.to_owned();
        self.write(move |tx| save_setting(tx, name.clone(), value.clone()).boxed()).await
    }

    async fn change_setting(&self, name: &str, value: Vec<u8>, lease: Option<LeaseRecord>, audit: AuditEvent) -> Result<()> {
        let name = name.to_owned();
        self.write(move |tx| change_setting(tx, name.clone(), value.clone(), lease.clone(), audit.clone()).boxed()).await
    }
}

async fn save_setting(tx: &mut Tx, name: String, value: Vec<u8>) -> Result<Applied<()>> {
    tx.execute("save a setting", SAVE_SETTING, args![name, value]).await?;
    Ok(Applied::Kept(()))
}

async fn change_setting(
    tx: &mut Tx,
    name: String,
    value: Vec<u8>,
    lease: Option<LeaseRecord>,
    audit: AuditEvent,
) -> Result<Applied<()>> {
    leases::check(tx, lease.as_ref()).await?;
    tx.audit(&audit)?;
    save_setting(tx, name, value).await
}

async fn save(tx: &mut Tx, sql: &'static str, key: String, body: String, audit: AuditEvent) -> Result<Applied<()>> {
    tx.execute("save a user or device", sql, args![key, body]).await?;
    tx.audit(&audit)?;
    Ok(Applied::Kept(()))
}

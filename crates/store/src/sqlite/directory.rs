//! Users, devices and settings.

use async_trait::async_trait;
use futures_util::FutureExt;
use lanyard_model::{
    audit::AuditEvent,
    directory::{Device, User},
    id::{DeviceId, UserName},
};

use super::{
    handle::Sqlite,
    row::engine,
    tx::{Applied, Tx},
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
const SAVE_SETTING: &str = "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2";
const LOAD_SETTING: &str = "SELECT value FROM settings WHERE name = $1";

#[async_trait]
impl DirectoryStore for Sqlite {
    async fn save_user(&self, user: User, audit: AuditEvent) -> Result<()> {
        let body = rows::to_json(&user)?;
        self.write(move |tx| save(tx, SAVE_USER, user.name.to_string(), body, audit).boxed()).await
    }

    async fn load_user(&self, name: &UserName) -> Result<Option<User>> {
        let row = sqlx::query(LOAD_USER).bind(name.to_string()).fetch_optional(self.readers()).await;
        row.map_err(engine("load a user"))?.as_ref().map(rows::user).transpose()
    }

    async fn list_users(&self) -> Result<Vec<User>> {
        let found = sqlx::query(LIST_USERS).fetch_all(self.readers()).await.map_err(engine("list users"))?;
        found.iter().map(rows::user).collect()
    }

    async fn save_device(&self, device: Device, audit: AuditEvent) -> Result<()> {
        let body = rows::to_json(&device)?;
        self.write(move |tx| save(tx, SAVE_DEVICE, device.id.to_string(), body, audit).boxed()).await
    }

    async fn load_device(&self, id: &DeviceId) -> Result<Option<Device>> {
        let row = sqlx::query(LOAD_DEVICE).bind(id.to_string()).fetch_optional(self.readers()).await;
        row.map_err(engine("load a device"))?.as_ref().map(rows::device).transpose()
    }

    async fn list_devices(&self) -> Result<Vec<Device>> {
        let found = sqlx::query(LIST_DEVICES).fetch_all(self.readers()).await.map_err(engine("list devices"))?;
        found.iter().map(rows::device).collect()
    }

    async fn load_setting(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let query = sqlx::query(LOAD_SETTING).bind(name.to_owned());
        let row = query.fetch_optional(self.readers()).await.map_err(engine("load a setting"))?;
        row.map(|row| rows::octets(&row, "settings.value")).transpose()
    }

    async fn save_setting(&self, name: &str, value: Vec<u8>) -> Result<()> {
        let name = name.to_owned();
        self.write(move |tx| save_setting(tx, name, value).boxed()).await
    }
}

async fn save_setting(tx: &mut Tx, name: String, value: Vec<u8>) -> Result<Applied<()>> {
    let query = sqlx::query(SAVE_SETTING).bind(name).bind(value);
    query.execute(&mut tx.connection).await.map_err(engine("save a setting"))?;
    Ok(Applied::Kept(()))
}

async fn save(tx: &mut Tx, sql: &'static str, key: String, body: String, audit: AuditEvent) -> Result<Applied<()>> {
    let query = sqlx::query(sql).bind(key).bind(body);
    query.execute(&mut tx.connection).await.map_err(engine("save a user or device"))?;
    tx.audit(&audit).await?;
    Ok(Applied::Kept(()))
}

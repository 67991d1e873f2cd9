//! The authority's own certificates and sealed keys.

use async_trait::async_trait;
use futures_util::FutureExt;
use lanyard_model::{
    audit::AuditEvent,
    authority::{AuthorityRecord, SealedKey},
    id::KeyId,
};

use super::{
    handle::Sqlite,
    row::engine,
    tx::{Applied, Tx},
};
use crate::{
    ports::{AuthorityStore, Result},
    rows,
};

/// A key is never replaced: an id that exists is refused by the primary key.
const SAVE_KEY: &str = "INSERT INTO sealed_keys (id, sealed, created_at) VALUES ($1, $2, $3)";
const SAVE_CERTIFICATE: &str = "INSERT INTO authorities (name, role, certificate, key_id, not_before, not_after) \
    VALUES ($1, $2, $3, $4, $5, $6)";
/// Newest means saved last, whatever the clock said.
const LIST: &str = "SELECT name, role, certificate, key_id, not_before, not_after FROM authorities ORDER BY id DESC";
const LOAD_KEY: &str = "SELECT id, sealed, created_at FROM sealed_keys WHERE id = $1";

#[async_trait]
impl AuthorityStore for Sqlite {
    async fn save_authority(&self, keys: Vec<SealedKey>, certificates: Vec<AuthorityRecord>, audit: AuditEvent) -> Result<()> {
        self.write(move |tx| save(tx, keys, certificates, audit).boxed()).await
    }

    async fn list_authorities(&self) -> Result<Vec<AuthorityRecord>> {
        let found = sqlx::query(LIST).fetch_all(self.readers()).await.map_err(engine("list authorities"))?;
        found.iter().map(rows::authority).collect()
    }

    async fn load_key(&self, id: &KeyId) -> Result<Option<SealedKey>> {
        let query = sqlx::query(LOAD_KEY).bind(id.to_string());
        let row = query.fetch_optional(self.readers()).await.map_err(engine("load a sealed key"))?;
        row.as_ref().map(rows::sealed_key).transpose()
    }
}

async fn save(tx: &mut Tx, keys: Vec<SealedKey>, certificates: Vec<AuthorityRecord>, audit: AuditEvent) -> Result<Applied<()>> {
    for key in keys {
        let insert = sqlx::query(SAVE_KEY).bind(key.id.to_string()).bind(key.sealed).bind(key.created_at.0);
        insert.execute(&mut tx.connection).await.map_err(engine("save a sealed key"))?;
    }
    for record in certificates {
        sqlx::query(SAVE_CERTIFICATE)
            .bind(record.name.to_string())
            .bind(record.role.as_str())
            .bind(record.certificate)
            .bind(record.key.to_string())
            .bind(record.not_before.0)
            .bind(record.not_after.0)
            .execute(&mut tx.connection)
            .await
            .map_err(engine("save a certificate of the authority"))?;
    }
    tx.audit(&audit).await?;
    Ok(Applied::Kept(()))
}

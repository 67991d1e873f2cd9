//! The authority's own certificates and sealed keys.

use async_trait::async_trait;
use futures_util::FutureExt;
use lanyard_model::{
    audit::AuditEvent,
    authority::{AuthorityRecord, SealedKey},
    id::KeyId,
    lease::LeaseRecord,
};

use super::{
    database::Database,
    leases,
    tx::{Applied, Tx},
    value::args,
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
impl AuthorityStore for Database {
    async fn save_authority(
        &self,
        keys: Vec<SealedKey>,
        certificates: Vec<AuthorityRecord>,
        lease: Option<LeaseRecord>,
        audit: AuditEvent,
    ) -> Result<()> {
        self.write(move |tx| save(tx, keys.clone(), certificates.clone(), lease.clone(), audit.clone()).boxed()).await
    }

    async fn list_authorities(&self) -> Result<Vec<AuthorityRecord>> {
        self.fetch("list authorities", LIST, args![]).await?.iter().map(rows::authority).collect()
    }

    async fn load_key(&self, id: &KeyId) -> Result<Option<SealedKey>> {
        let row = self.optional("load a sealed key", LOAD_KEY, args![id.to_string()]).await?;
        row.as_ref().map(rows::sealed_key).transpose()
    }
}

async fn save(
    tx: &mut Tx,
    keys: Vec<SealedKey>,
    certificates: Vec<AuthorityRecord>,
    lease: Option<LeaseRecord>,
    audit: AuditEvent,
) -> Result<Applied<()>> {
    leases::check(tx, lease.as_ref()).await?;
    for key in keys {
        tx.execute("save a sealed key", SAVE_KEY, args![key.id.to_string(), key.sealed, key.created_at.0]).await?;
    }
    for record in certificates {
        let values = args![
            record.name.to_string(),
            record.role.as_str(),
            record.certificate,
            record.key.to_string(),
            record.not_before.0,
            record.not_after.0,
        ];
        tx.execute("save a certificate of the authority", SAVE_CERTIFICATE, values).await?;
    }
    tx.audit(&audit)?;
    Ok(Applied::Kept(()))
}

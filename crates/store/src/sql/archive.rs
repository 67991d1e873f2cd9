//! Archived keys and their recovery.

use async_trait::async_trait;
use futures_util::FutureExt;
use lanyard_model::{
    archive::{ArchivedKey, Recovery},
    audit::AuditEvent,
    id::{RequestId, UserName},
};

use super::{
    database::Database,
    tx::{Applied, Tx},
    value::args,
};
use crate::{
    ports::{ArchiveStore, Result},
    rows,
};

const SAVE: &str = "INSERT INTO archived_keys (key_digest, user_name, request, created_at, sealed) VALUES ($1, $2, $3, $4, $5)";
const OF_USER: &str = "SELECT key_digest, user_name, request, created_at, sealed FROM archived_keys WHERE user_name = $1 ORDER BY created_at, key_digest";
const ADD_RECOVERY: &str = "INSERT INTO recoveries (id, revision, body) VALUES ($1, 1, $2)";
const CHANGE_RECOVERY: &str = "UPDATE recoveries SET body = $2, revision = revision + 1 WHERE id = $1 AND revision = $3";
const LOAD_RECOVERY: &str = "SELECT revision, body FROM recoveries WHERE id = $1";
const LIST_RECOVERIES: &str = "SELECT revision, body FROM recoveries ORDER BY id DESC LIMIT $1";

#[async_trait]
impl ArchiveStore for Database {
    async fn save_archived_key(&self, key: ArchivedKey, audit: AuditEvent) -> Result<()> {
        self.write(move |tx| save(tx, key.clone(), audit.clone()).boxed()).await
    }

    async fn archived_keys_of(&self, user: &UserName) -> Result<Vec<ArchivedKey>> {
        self.fetch("list archived keys", OF_USER, args![user.to_string()]).await?.iter().map(rows::archived_key).collect()
    }

    async fn save_recovery(&self, recovery: Recovery, seen: Option<u64>, audit: AuditEvent) -> Result<bool> {
        let body = rows::to_json(&recovery)?;
        self.write(move |tx| save_recovery(tx, recovery.id, body.clone(), seen, audit.clone()).boxed()).await
    }

    async fn load_recovery(&self, id: RequestId) -> Result<Option<(Recovery, u64)>> {
        let row = self.optional("load a recovery", LOAD_RECOVERY, args![id.to_string()]).await?;
        row.as_ref().map(rows::recovery).transpose()
    }

    async fn list_recoveries(&self, limit: u32) -> Result<Vec<Recovery>> {
        let found = self.fetch("list recoveries", LIST_RECOVERIES, args![i64::from(limit)]).await?;
        found.iter().map(|row| rows::recovery(row).map(|(recovery, _)| recovery)).collect()
    }
}

async fn save(tx: &mut Tx, key: ArchivedKey, audit: AuditEvent) -> Result<Applied<()>> {
    let values = args![key.key_digest.to_vec(), key.user.to_string(), key.request.to_string(), key.created_at.0, key.sealed];
    tx.execute("save an archived key", SAVE, values).await?;
    tx.audit(&audit)?;
    Ok(Applied::Kept(()))
}

async fn save_recovery(tx: &mut Tx, id: RequestId, body: String, seen: Option<u64>, audit: AuditEvent) -> Result<Applied<bool>> {
    let changed = match seen {
        None => tx.execute("save a recovery", ADD_RECOVERY, args![id.to_string(), body]).await?,
        Some(seen) => {
            let values = args![id.to_string(), body, i64::try_from(seen).unwrap_or(i64::MAX)];
            tx.execute("change a recovery", CHANGE_RECOVERY, values).await?
        }
    };
    if changed == 0 {
        return Ok(Applied::Nothing(false));
    }
    tx.audit(&audit)?;
    Ok(Applied::Kept(true))
}

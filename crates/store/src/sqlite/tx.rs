//! What a job sees: one savepoint of the writer's transaction, and the end of the audit chain.

use lanyard_model::audit::AuditEvent;
use sqlx::SqliteConnection;

use super::row::engine;
use crate::{
    chain::{Tip, event_bytes},
    ports::Result,
    rows,
};

/// What a job did.
#[derive(Debug)]
pub(super) enum Applied<T> {
    /// Changes, to be kept.
    Kept(T),
    /// The facts had changed: whatever the job wrote is undone, and this is the answer.
    Nothing(T),
}

/// The writer's transaction.
pub(super) struct Tx {
    pub(super) connection: SqliteConnection,
    /// End of the chain as this transaction sees it.
    pub(super) tip: Tip,
}

const LAST_AUDIT: &str = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
const ADD_AUDIT: &str = "INSERT INTO audit (seq, event, request, prev, hash) VALUES ($1, $2, $3, $4, $5)";

impl Tx {
    /// Appends an event to the chain.
    pub(super) async fn audit(&mut self, event: &AuditEvent) -> Result<()> {
        let bytes = event_bytes(event)?;
        let next = self.tip.extended(&bytes);
        sqlx::query(ADD_AUDIT)
            .bind(i64::try_from(next.sequence).map_err(|e| rows::corrupt("audit.seq", e))?)
            .bind(bytes)
            .bind(event.request.map(|id| id.to_string()))
            .bind(self.tip.hash.to_vec())
            .bind(next.hash.to_vec())
            .execute(&mut self.connection)
            .await
            .map_err(engine("append to the audit log"))?;
        self.tip = next;
        Ok(())
    }

    /// Reads the end of the chain. Once at the beginning of each batch: then the lock is held, so nobody, not even another
    /// process, can append behind our back.
    pub(super) async fn load_tip(&mut self) -> Result<()> {
        self.tip = tip(&mut self.connection).await?;
        Ok(())
    }
}

/// The end of the chain.
pub(super) async fn tip(executor: impl sqlx::SqliteExecutor<'_>) -> Result<Tip> {
    let row = sqlx::query(LAST_AUDIT).fetch_optional(executor).await.map_err(engine("read the end of the audit log"))?;
    match row {
        None => Ok(Tip::default()),
        Some(row) => Ok(Tip { sequence: rows::count(&row, "audit.seq")?, hash: rows::digest(&row, "audit.hash")? }),
    }
}

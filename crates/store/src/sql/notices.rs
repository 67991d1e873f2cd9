//! Outcomes that policy modules are still to be told.

use async_trait::async_trait;
use futures_util::FutureExt;
use lanyard_model::{audit::AuditEvent, notice::NoticeRecord, time::Timestamp};

use super::{
    database::Database,
    tx::{Applied, Tx},
    value::args,
};
use crate::{
    ports::{NoticeStore, Result},
    rows,
};

/// The same outcome for the same module is kept once.
const SAVE: &str = "INSERT INTO notices (id, request, profile, place, kind, body, attempts, created_at, due_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING";
pub(crate) const DUE: &str = "SELECT id, request, profile, place, kind, body, attempts, created_at, due_at FROM notices \
    WHERE due_at <= $1 ORDER BY due_at, id LIMIT $2";
const POSTPONE: &str = "UPDATE notices SET attempts = attempts + 1, due_at = $2 WHERE id = $1";
const END: &str = "DELETE FROM notices WHERE id = $1";

#[async_trait]
impl NoticeStore for Database {
    async fn save_notices(&self, notices: Vec<NoticeRecord>) -> Result<()> {
        self.write(move |tx| keep(tx, notices.clone()).boxed()).await
    }

    async fn due_notices(&self, now: Timestamp, limit: u32) -> Result<Vec<NoticeRecord>> {
        self.fetch("list notices", DUE, args![now.0, limit]).await?.iter().map(rows::notice).collect()
    }

    async fn postpone_notice(&self, id: &str, due_at: Timestamp) -> Result<()> {
        let id = id.to_owned();
        self.write(move |tx| postpone(tx, id.clone(), due_at).boxed()).await
    }

    async fn end_notice(&self, id: &str, given_up: Option<AuditEvent>) -> Result<bool> {
        let id = id.to_owned();
        self.write(move |tx| end(tx, id.clone(), given_up.clone()).boxed()).await
    }
}

/// Keeps notices in the transaction of their outcome; without any there is no statement.
pub(super) async fn save(tx: &mut Tx, notices: &[NoticeRecord]) -> Result<()> {
    for notice in notices {
        let values = args![
            notice.id.as_str(),
            notice.request.to_string(),
            notice.profile.to_string(),
            notice.place,
            notice.kind.as_str(),
            notice.body.clone(),
            notice.attempts,
            notice.created_at.0,
            notice.due_at.0,
        ];
        tx.execute("save a notice", SAVE, values).await?;
    }
    Ok(())
}

async fn keep(tx: &mut Tx, notices: Vec<NoticeRecord>) -> Result<Applied<()>> {
    save(tx, &notices).await?;
    Ok(Applied::Kept(()))
}

async fn postpone(tx: &mut Tx, id: String, due_at: Timestamp) -> Result<Applied<()>> {
    tx.execute("postpone a notice", POSTPONE, args![id, due_at.0]).await?;
    Ok(Applied::Kept(()))
}

async fn end(tx: &mut Tx, id: String, given_up: Option<AuditEvent>) -> Result<Applied<bool>> {
    if tx.execute("end a notice", END, args![id]).await? == 0 {
        return Ok(Applied::Nothing(false));
    }
    if let Some(audit) = &given_up {
        tx.audit(audit)?;
    }
    Ok(Applied::Kept(true))
}

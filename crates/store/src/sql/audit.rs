//! The audit log: appended, listed, followed from end to end.

use async_trait::async_trait;
use futures_util::FutureExt;
use lanyard_model::{
    audit::{AuditEvent, AuditHead, AuditRecord, ChainVerdict},
    id::RequestId,
};

use super::{
    database::Database,
    tx::{Applied, Tx},
    value::{Row, args},
};
use crate::{
    chain::{Tip, link},
    ports::{AuditStore, Result},
    rows::{self, StoredRow},
};

/// Records read at a time while following the chain.
const CHUNK: i64 = 1000;

/// Records listed where the caller says nothing.
const DEFAULT_LIMIT: u32 = 100;

const LAST: &str = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
const LIST: &str = "SELECT seq, event, hash FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2";
const OF_REQUEST: &str = "SELECT seq, event, hash FROM audit WHERE request = $1 ORDER BY seq";
const FOLLOW: &str = "SELECT seq, event, request, prev, hash FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2";
const SAVE_HEAD: &str = "INSERT INTO audit_heads (sequence, hash, at, signature) VALUES ($1, $2, $3, $4)";
const NEWEST_HEAD: &str = "SELECT sequence, hash, at, signature FROM audit_heads ORDER BY id DESC LIMIT 1";
const LIST_HEADS: &str = "SELECT h.sequence, h.hash, h.at, h.signature, a.hash AS now_hash FROM audit_heads h \
    LEFT JOIN audit a ON a.seq = h.sequence ORDER BY h.id";
const OTHER_HEAD: &str = "SELECT h.sequence FROM audit_heads h JOIN audit a ON a.seq = h.sequence WHERE a.hash <> h.hash \
    ORDER BY h.sequence LIMIT 1";
const FURTHEST_HEAD: &str = "SELECT COALESCE(MAX(sequence), 0) AS sequence FROM audit_heads";

#[async_trait]
impl AuditStore for Database {
    async fn append_audit(&self, event: AuditEvent) -> Result<()> {
        self.write(move |tx| append(tx, event.clone()).boxed()).await
    }

    async fn list_audit(&self, after: u64, limit: u32) -> Result<Vec<AuditRecord>> {
        let limit = if limit == 0 { DEFAULT_LIMIT } else { limit };
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        let found = self.fetch_long("list the audit log", LIST, args![after, limit]).await?;
        found.iter().map(rows::audit_record).collect()
    }

    async fn audit_of_request(&self, request: RequestId) -> Result<Vec<AuditRecord>> {
        let found = self.fetch("list the audit log of a request", OF_REQUEST, args![request.to_string()]).await?;
        found.iter().map(rows::audit_record).collect()
    }

    async fn verify_audit(&self) -> Result<ChainVerdict> {
        // Before the records: a head signed while they are read may cover more than was read.
        let furthest = self.optional("read the audit heads", FURTHEST_HEAD, args![]).await?;
        let furthest = furthest.map_or(Ok(0), |row| rows::count(&row, "audit_heads.sequence"))?;
        let mut tip = Tip::default();
        loop {
            let after = i64::try_from(tip.sequence).map_err(|e| rows::corrupt("audit.seq", e))?;
            let chunk = self.fetch_long("read the audit log", FOLLOW, args![after, CHUNK]).await?;
            if chunk.is_empty() {
                break;
            }
            for row in &chunk {
                match follow(tip, row) {
                    Ok(next) => tip = next,
                    Err((sequence, problem)) => return Ok(ChainVerdict::Broken { sequence, problem }),
                }
            }
        }
        if furthest > tip.sequence {
            let problem = format!("the record is missing; a signed head covers the log up to record {furthest}");
            return Ok(ChainVerdict::Broken { sequence: tip.sequence.saturating_add(1), problem });
        }
        if let Some(row) = self.fetch_long("compare the audit heads", OTHER_HEAD, args![]).await?.first() {
            let sequence = rows::count(row, "audit_heads.sequence")?;
            return Ok(ChainVerdict::Broken { sequence, problem: "it is not the record that the signed head covers".to_owned() });
        }
        Ok(ChainVerdict::Intact { records: tip.sequence, head: tip.hash })
    }

    async fn audit_tip(&self) -> Result<(u64, [u8; 32])> {
        match self.optional("read the end of the audit log", LAST, args![]).await? {
            None => Ok((0, Tip::default().hash)),
            Some(row) => Ok((rows::count(&row, "audit.seq")?, rows::digest(&row, "audit.hash")?)),
        }
    }

    async fn save_audit_head(&self, head: AuditHead) -> Result<()> {
        self.write(move |tx| save_head(tx, head.clone()).boxed()).await
    }

    async fn newest_audit_head(&self) -> Result<Option<AuditHead>> {
        let row = self.optional("read the newest audit head", NEWEST_HEAD, args![]).await?;
        row.as_ref().map(rows::audit_head).transpose()
    }

    async fn list_audit_heads(&self) -> Result<Vec<(AuditHead, Option<[u8; 32]>)>> {
        let found = self.fetch_long("list the audit heads", LIST_HEADS, args![]).await?;
        found.iter().map(|row| Ok((rows::audit_head(row)?, rows::optional_digest(row, "audit.now_hash")?))).collect()
    }
}

/// The tip after this record, or the place and the problem. Nothing here trusts the stored row, so a value of the wrong kind is
/// a broken record and not a failure of the check.
fn follow(tip: Tip, row: &Row) -> std::result::Result<Tip, (u64, String)> {
    let expected = tip.sequence.saturating_add(1);
    let broken = |problem: &str| (expected, problem.to_owned());
    let sequence = rows::count(row, "audit.seq").map_err(|e| (expected, e.to_string()))?;
    if sequence != expected {
        return Err(broken("the record is missing"));
    }
    let unreadable = |e: crate::error::StoreError| (expected, e.to_string());
    let event = rows::octets(row, "audit.event").map_err(unreadable)?;
    let before = rows::digest(row, "audit.prev").map_err(unreadable)?;
    let hash = rows::digest(row, "audit.hash").map_err(unreadable)?;
    if before != tip.hash {
        return Err(broken("it does not follow from the record before"));
    }
    if link(&before, &event) != hash {
        return Err(broken("its hash does not fit its event"));
    }
    let record = rows::audit_record(row).map_err(unreadable)?;
    if row.text("audit.request").map_err(unreadable)? != record.event.request.map(|id| id.to_string()) {
        return Err(broken("it is filed under another request than its event names"));
    }
    Ok(Tip { sequence, hash })
}

async fn append(tx: &mut Tx, event: AuditEvent) -> Result<Applied<()>> {
    tx.audit(&event).map(Applied::Kept)
}

async fn save_head(tx: &mut Tx, head: AuditHead) -> Result<Applied<()>> {
    let sequence = i64::try_from(head.sequence).map_err(|e| rows::corrupt("audit_heads.sequence", e))?;
    tx.execute("save an audit head", SAVE_HEAD, args![sequence, head.hash, head.at.0, head.signature]).await?;
    Ok(Applied::Kept(()))
}

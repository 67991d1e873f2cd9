//! Challenges: saved, found, and consumed once.

use async_trait::async_trait;
use futures_util::FutureExt;
use lanyard_model::{
    audit::AuditEvent,
    challenge::{ChallengeId, ChallengeRecord},
};

use super::{
    handle::Sqlite,
    row::engine,
    tx::{Applied, Tx},
};
use crate::{
    ports::{Begun, ChallengeClaim, ChallengeStore, Result},
    rows,
};

const SAVE: &str = "INSERT INTO challenges (id, keyed_hash, binding, created_at, expires_at, used_at, used_by, used_csr, used_key) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
pub(super) const LOAD: &str = "SELECT id, keyed_hash, binding, created_at, expires_at, used_at, used_by, used_csr, used_key \
    FROM challenges WHERE id = $1";
/// One conditional statement decides the winner; reading first and marking then would let two requests through.
pub(super) const CONSUME: &str = "UPDATE challenges SET used_at = $2, used_by = $3, used_csr = $4, used_key = $5 \
    WHERE id = $1 AND used_at IS NULL AND expires_at > $2 RETURNING id";
const WHO_USED: &str = "SELECT used_at, used_by, used_csr, used_key FROM challenges WHERE id = $1";

#[async_trait]
impl ChallengeStore for Sqlite {
    async fn save_challenge(&self, challenge: ChallengeRecord, audit: AuditEvent) -> Result<()> {
        self.write(move |tx| save(tx, challenge, audit).boxed()).await
    }

    async fn load_challenge(&self, id: ChallengeId) -> Result<Option<ChallengeRecord>> {
        let row = sqlx::query(LOAD).bind(id.0.to_vec()).fetch_optional(self.readers()).await;
        row.map_err(engine("load a challenge"))?.as_ref().map(rows::challenge).transpose()
    }
}

async fn save(tx: &mut Tx, challenge: ChallengeRecord, audit: AuditEvent) -> Result<Applied<()>> {
    let used = challenge.used;
    sqlx::query(SAVE)
        .bind(challenge.id.0.to_vec())
        .bind(challenge.keyed_hash.to_vec())
        .bind(challenge.binding)
        .bind(challenge.created_at.0)
        .bind(challenge.expires_at.0)
        .bind(used.as_ref().map(|u| u.at.0))
        .bind(used.as_ref().map(|u| u.request.to_string()))
        .bind(used.as_ref().map(|u| u.csr_digest.to_vec()))
        .bind(used.as_ref().map(|u| u.key_digest.to_vec()))
        .execute(&mut tx.connection)
        .await
        .map_err(engine("save a challenge"))?;
    tx.audit(&audit).await?;
    Ok(Applied::Kept(()))
}

/// Consumes a challenge; `Some` says why not.
pub(super) async fn consume(tx: &mut Tx, claim: &ChallengeClaim) -> Result<Option<Begun>> {
    let ChallengeClaim { id, claim } = claim;
    let consumed = sqlx::query(CONSUME)
        .bind(id.0.to_vec())
        .bind(claim.at.0)
        .bind(claim.request.to_string())
        .bind(claim.csr_digest.to_vec())
        .bind(claim.key_digest.to_vec())
        .fetch_optional(&mut tx.connection)
        .await
        .map_err(engine("consume a challenge"))?;
    if consumed.is_some() {
        return Ok(None);
    }
    let row = sqlx::query(WHO_USED).bind(id.0.to_vec()).fetch_optional(&mut tx.connection).await;
    let used = row.map_err(engine("read the use of a challenge"))?.as_ref().map(rows::challenge_use).transpose()?.flatten();
    Ok(Some(used.map_or(Begun::ChallengeGone, Begun::ChallengeUsed)))
}

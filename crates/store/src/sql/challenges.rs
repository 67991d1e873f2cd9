//! Challenges: saved, found, and consumed once.

use async_trait::async_trait;
use futures_util::FutureExt;
use lanyard_model::{
    audit::AuditEvent,
    challenge::{ChallengeId, ChallengeRecord},
    id::ProfileName,
    time::Timestamp,
};

use super::{
    database::Database,
    requests,
    tx::{Applied, Tx},
    value::args,
    writer::Object,
};
use crate::{
    ports::{Begun, ChallengeClaim, ChallengeStore, Result},
    rows,
};

const SAVE: &str = "INSERT INTO challenges (id, keyed_hash, binding, created_at, expires_at, used_at, used_by, used_csr, used_key) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const ADOPT: &str = "INSERT INTO challenges (id, keyed_hash, binding, created_at, expires_at) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (id) DO NOTHING";
pub(crate) const LOAD: &str = "SELECT id, keyed_hash, binding, created_at, expires_at, used_at, used_by, used_csr, used_key \
    FROM challenges WHERE id = $1";
pub(crate) const UNUSED: &str = "SELECT COUNT(*) AS unused FROM page_challenges p JOIN challenges c ON c.id = p.challenge \
    WHERE p.profile = $1 AND p.expires_at > $2 AND c.used_at IS NULL";
const SAVE_PAGE: &str = "INSERT INTO page_challenges (challenge, profile, expires_at) VALUES ($1, $2, $3)";
/// One conditional statement decides the winner; reading first and marking then would let two requests through.
pub(crate) const CONSUME: &str = "UPDATE challenges SET used_at = $2, used_by = $3, used_csr = $4, used_key = $5 \
    WHERE id = $1 AND used_at IS NULL AND expires_at > $2";
const WHO_USED: &str = "SELECT used_at, used_by, used_csr, used_key FROM challenges WHERE id = $1";

#[async_trait]
impl ChallengeStore for Database {
    async fn save_challenge(&self, challenge: ChallengeRecord, audit: AuditEvent) -> Result<()> {
        let object = challenge.id.0.to_vec().into();
        self.write_on(object, move |tx| save(tx, challenge.clone(), audit.clone()).boxed()).await
    }

    async fn save_page_challenge(
        &self,
        challenge: ChallengeRecord,
        profile: &ProfileName,
        most: u32,
        audit: AuditEvent,
    ) -> Result<bool> {
        let profile = profile.to_string();
        // Whoever else takes a place of this page waits, so that no two take the last one.
        let object = Object { id: challenge.id.0.to_vec(), transaction: Some(requests::lock_number("ndes-page", &profile)) };
        self.write_on(object, move |tx| save_of_page(tx, challenge.clone(), profile.clone(), most, audit.clone()).boxed()).await
    }

    async fn count_page_challenges(&self, profile: &ProfileName, now: Timestamp) -> Result<u64> {
        let row = self.optional("count challenges of a page", UNUSED, args![profile.to_string(), now.0]).await?;
        row.map_or(Ok(0), |row| rows::count(&row, "page_challenges.unused"))
    }

    async fn adopt_challenge(&self, challenge: ChallengeRecord, audit: AuditEvent) -> Result<bool> {
        let object = challenge.id.0.to_vec().into();
        self.write_on(object, move |tx| adopt(tx, challenge.clone(), audit.clone()).boxed()).await
    }

    async fn load_challenge(&self, id: ChallengeId) -> Result<Option<ChallengeRecord>> {
        self.optional("load a challenge", LOAD, args![id.0]).await?.as_ref().map(rows::challenge).transpose()
    }
}

async fn save(tx: &mut Tx, challenge: ChallengeRecord, audit: AuditEvent) -> Result<Applied<()>> {
    let used = challenge.used;
    let values = args![
        challenge.id.0,
        challenge.keyed_hash,
        challenge.binding,
        challenge.created_at.0,
        challenge.expires_at.0,
        used.as_ref().map(|u| u.at.0),
        used.as_ref().map(|u| u.request.to_string()),
        used.as_ref().map(|u| u.csr_digest),
        used.as_ref().map(|u| u.key_digest),
    ];
    tx.execute("save a challenge", SAVE, values).await?;
    tx.audit(&audit)?;
    Ok(Applied::Kept(()))
}

async fn save_of_page(
    tx: &mut Tx,
    challenge: ChallengeRecord,
    profile: String,
    most: u32,
    audit: AuditEvent,
) -> Result<Applied<bool>> {
    let row = tx.optional("count challenges of a page", UNUSED, args![profile.as_str(), challenge.created_at.0]).await?;
    let unused = row.map_or(Ok(0), |row| rows::count(&row, "page_challenges.unused"))?;
    if unused >= u64::from(most) {
        return Ok(Applied::Nothing(false));
    }
    let values = args![challenge.id.0, profile, challenge.expires_at.0];
    tx.execute("save a challenge of a page", SAVE_PAGE, values).await?;
    save(tx, challenge, audit).await?;
    Ok(Applied::Kept(true))
}

async fn adopt(tx: &mut Tx, challenge: ChallengeRecord, audit: AuditEvent) -> Result<Applied<bool>> {
    let ChallengeRecord { id, keyed_hash, binding, created_at, expires_at, used: _ } = challenge;
    let values = args![id.0, keyed_hash, binding, created_at.0, expires_at.0];
    if tx.execute("adopt a challenge", ADOPT, values).await? == 0 {
        return Ok(Applied::Nothing(false));
    }
    tx.audit(&audit)?;
    Ok(Applied::Kept(true))
}

/// Consumes a challenge; `Some` says why not.
pub(super) async fn consume(tx: &mut Tx, claim: &ChallengeClaim) -> Result<Option<Begun>> {
    let ChallengeClaim { id, claim } = claim;
    let values = args![id.0, claim.at.0, claim.request.to_string(), claim.csr_digest, claim.key_digest];
    if tx.execute("consume a challenge", CONSUME, values).await? == 1 {
        return Ok(None);
    }
    let row = tx.optional("read the use of a challenge", WHO_USED, args![id.0]).await?;
    let used = row.as_ref().map(rows::challenge_use).transpose()?.flatten();
    Ok(Some(used.map_or(Begun::ChallengeGone, Begun::ChallengeUsed)))
}

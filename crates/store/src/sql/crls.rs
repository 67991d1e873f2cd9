//! CRLs: numbers that are never reused, and the lists that go with them.

use async_trait::async_trait;
use futures_util::FutureExt;
use lanyard_model::{
    audit::AuditEvent,
    authority::{CrlEntry, CrlRecord},
    id::AuthorityName,
    lease::LeaseRecord,
    time::Timestamp,
};

use super::{
    database::Database,
    leases,
    tx::{Applied, Tx},
    value::args,
};
use crate::{
    ports::{CrlStart, CrlStore, Result},
    rows,
};

/// Signed CRLs kept for each issuer. Every one repeats those before it; a full list of a large fleet has megabytes.
const KEPT: i64 = 10;

const NEXT: &str = "INSERT INTO crl_numbers (issuer, number) VALUES ($1, 1) \
    ON CONFLICT (issuer) DO UPDATE SET number = crl_numbers.number + 1 RETURNING number";
pub(crate) const REVOKED: &str = "SELECT serial, revoked_at, revocation_reason FROM certificates \
    WHERE issuer = $1 AND revoked_at IS NOT NULL AND not_after >= $2";
const SAVE: &str =
    "INSERT INTO crls (issuer, number, this_update, next_update, der, revocations) VALUES ($1, $2, $3, $4, $5, $6)";
const REVOCATIONS: &str = "SELECT revocations FROM head WHERE id = 1";
/// A row if the issuer has revoked anything at all, and something was revoked since its newest CRL was begun.
const BEHIND: &str = "SELECT h.revocations FROM head h \
    WHERE EXISTS (SELECT 1 FROM certificates WHERE issuer = $1 AND revoked_at IS NOT NULL) \
    AND NOT EXISTS (SELECT 1 FROM crls WHERE issuer = $1 AND revocations = h.revocations)";
const PRUNE: &str = "DELETE FROM crls WHERE issuer = $1 AND number <= $2";
const LOAD: &str = "SELECT issuer, number, this_update, next_update, der FROM crls WHERE issuer = $1 \
    ORDER BY number DESC LIMIT 1";

#[async_trait]
impl CrlStore for Database {
    async fn begin_crl(&self, issuer: &AuthorityName, listed_until: Timestamp) -> Result<CrlStart> {
        let _turn = self.crl_turn().await;
        let name = issuer.clone();
        let (number, revocations) = self.write(move |tx| next_number(tx, name.clone()).boxed()).await?;
        // Read after the number is durable and outside the writer: everything revoked before this call is in, and a list of
        // a hundred thousand keeps nobody from writing.
        let values = args![issuer.to_string(), listed_until.0];
        let revoked = self.fetch_long("list revoked certificates", REVOKED, values).await?;
        let mut entries = revoked.iter().map(rows::crl_entry).collect::<Result<Vec<_>>>()?;
        entries.sort_unstable_by(|a, b| numeric(a).cmp(&numeric(b)));
        Ok(CrlStart { number, revocations, entries })
    }

    async fn save_crl(&self, crl: CrlRecord, revocations: u64, lease: Option<LeaseRecord>, audit: AuditEvent) -> Result<()> {
        self.write(move |tx| save(tx, crl.clone(), revocations, lease.clone(), audit.clone()).boxed()).await
    }

    async fn crl_is_behind(&self, issuer: &AuthorityName) -> Result<bool> {
        let behind = self.optional("compare the newest CRL with the revocations", BEHIND, args![issuer.to_string()]).await?;
        Ok(behind.is_some())
    }

    async fn want_crl(&self) -> Result<()> {
        self.write(|tx| want(tx).boxed()).await
    }

    async fn load_crl(&self, issuer: &AuthorityName) -> Result<Option<CrlRecord>> {
        let row = self.optional("load the newest CRL", LOAD, args![issuer.to_string()]).await?;
        row.as_ref().map(rows::crl).transpose()
    }
}

/// Orders magnitudes without leading zeros as the numbers they are.
fn numeric(entry: &CrlEntry) -> (usize, &[u8]) {
    (entry.serial.magnitude().len(), entry.serial.magnitude())
}

async fn want(tx: &mut Tx) -> Result<Applied<()>> {
    tx.revoked();
    std::future::ready(Ok(Applied::Kept(()))).await
}

async fn next_number(tx: &mut Tx, issuer: AuthorityName) -> Result<Applied<(u64, u64)>> {
    let row = tx.optional("reserve a CRL number", NEXT, args![issuer.to_string()]).await?;
    let row = row.ok_or_else(|| rows::corrupt("crl_numbers.number", "no number was reserved"))?;
    let seen = tx.optional("count the revocations", REVOCATIONS, args![]).await?;
    let seen = seen.map_or(Ok(0), |row| rows::count(&row, "head.revocations"))?;
    Ok(Applied::Kept((rows::count(&row, "crl_numbers.number")?, seen)))
}

async fn save(
    tx: &mut Tx,
    crl: CrlRecord,
    revocations: u64,
    lease: Option<LeaseRecord>,
    audit: AuditEvent,
) -> Result<Applied<()>> {
    leases::check(tx, lease.as_ref()).await?;
    let revocations = i64::try_from(revocations).map_err(|e| rows::corrupt("crls.revocations", e))?;
    let number = i64::try_from(crl.number).map_err(|e| rows::corrupt("crls.number", e))?;
    let issuer = crl.issuer.to_string();
    tx.execute("save a CRL", SAVE, args![issuer.clone(), number, crl.this_update.0, crl.next_update.0, crl.der, revocations])
        .await?;
    tx.execute("remove an old CRL", PRUNE, args![issuer, number.saturating_sub(KEPT)]).await?;
    tx.signs_at(crl.this_update);
    tx.audit(&audit)?;
    Ok(Applied::Kept(()))
}

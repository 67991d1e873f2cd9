//! CRLs: numbers that are never reused, and the lists that go with them.

use async_trait::async_trait;
use futures_util::FutureExt;
use lanyard_model::{
    audit::AuditEvent,
    authority::{CrlEntry, CrlRecord},
    id::AuthorityName,
    time::Timestamp,
};

use super::{
    database::Database,
    tx::{Applied, Tx},
    value::args,
};
use crate::{
    ports::{CrlStore, Result},
    rows,
};

/// Signed CRLs kept for each issuer. Every one repeats those before it; a full list of a large fleet has megabytes.
const KEPT: i64 = 10;

const NEXT: &str = "INSERT INTO crl_numbers (issuer, number) VALUES ($1, 1) \
    ON CONFLICT (issuer) DO UPDATE SET number = crl_numbers.number + 1 RETURNING number";
pub(crate) const REVOKED: &str = "SELECT serial, revoked_at, revocation_reason FROM certificates \
    WHERE issuer = $1 AND revoked_at IS NOT NULL AND not_after >= $2";
const SAVE: &str = "INSERT INTO crls (issuer, number, this_update, next_update, der) VALUES ($1, $2, $3, $4, $5)";
const PRUNE: &str = "DELETE FROM crls WHERE issuer = $1 AND number <= $2";
const LOAD: &str = "SELECT issuer, number, this_update, next_update, der FROM crls WHERE issuer = $1 \
    ORDER BY number DESC LIMIT 1";

#[async_trait]
impl CrlStore for Database {
    async fn begin_crl(&self, issuer: &AuthorityName, listed_until: Timestamp) -> Result<(u64, Vec<CrlEntry>)> {
        let _turn = self.crl_turn().await;
        let name = issuer.clone();
        let number = self.write(move |tx| next_number(tx, name.clone()).boxed()).await?;
        // Read after the number is durable and outside the writer: everything revoked before this call is in, and a list of
        // a hundred thousand keeps nobody from writing.
        let values = args![issuer.to_string(), listed_until.0];
        let revoked = self.fetch_long("list revoked certificates", REVOKED, values).await?;
        let mut entries = revoked.iter().map(rows::crl_entry).collect::<Result<Vec<_>>>()?;
        entries.sort_unstable_by(|a, b| numeric(a).cmp(&numeric(b)));
        Ok((number, entries))
    }

    async fn save_crl(&self, crl: CrlRecord, audit: AuditEvent) -> Result<()> {
        self.write(move |tx| save(tx, crl.clone(), audit.clone()).boxed()).await
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

async fn next_number(tx: &mut Tx, issuer: AuthorityName) -> Result<Applied<u64>> {
    let row = tx.optional("reserve a CRL number", NEXT, args![issuer.to_string()]).await?;
    let row = row.ok_or_else(|| rows::corrupt("crl_numbers.number", "no number was reserved"))?;
    Ok(Applied::Kept(rows::count(&row, "crl_numbers.number")?))
}

async fn save(tx: &mut Tx, crl: CrlRecord, audit: AuditEvent) -> Result<Applied<()>> {
    let number = i64::try_from(crl.number).map_err(|e| rows::corrupt("crls.number", e))?;
    let issuer = crl.issuer.to_string();
    tx.execute("save a CRL", SAVE, args![issuer.clone(), number, crl.this_update.0, crl.next_update.0, crl.der]).await?;
    tx.execute("remove an old CRL", PRUNE, args![issuer, number.saturating_sub(KEPT)]).await?;
    tx.signs_at(crl.this_update);
    tx.audit(&audit)?;
    Ok(Applied::Kept(()))
}

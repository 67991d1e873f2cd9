//! Certificates: found, listed, counted, revoked.

use async_trait::async_trait;
use futures_util::FutureExt;
use lanyard_model::{
    audit::AuditEvent,
    certificate::{CertificateRecord, CertificateStatus, Revocation},
    id::AuthorityName,
    serial::SerialNumber,
    time::Timestamp,
};

use super::{
    database::Database,
    tx::{Applied, Tx},
    value::{Row, args},
};
use crate::{
    ports::{CertificateCounts, CertificateFilter, CertificateStore, Result},
    rows, search,
};

/// Rows listed where the filter says nothing.
const DEFAULT_LIMIT: u32 = 100;

macro_rules! select {
    () => {
        "SELECT c.issuer, c.serial, c.request, c.template, c.template_revision, c.profile, c.subject, c.san, c.user_name, \
        c.device, c.not_before, c.not_after, c.key_digest, c.created_at, c.revoked_at, c.revocation_reason, c.predecessor, \
        c.successor, b.tbs, b.der FROM certificates c JOIN certificate_bodies b ON b.certificate = c.id "
    };
}
macro_rules! list {
    ($status:literal) => {
        concat!(
            select!(),
            "WHERE c.id IN (SELECT id FROM certificates WHERE (CAST($1 AS BIGINT) = 1 OR template IS NOT NULL) \
            AND (CAST($2 AS TEXT) IS NULL OR search LIKE $2 ESCAPE '\\') AND ",
            $status,
            " ORDER BY id DESC LIMIT $4 OFFSET $5) ORDER BY c.id DESC"
        )
    };
}

pub(crate) const LOAD: &str = concat!(select!(), "WHERE c.serial = $1 AND c.issuer = $2");
pub(crate) const BY_SERIAL: &str = concat!(select!(), "WHERE c.serial = $1 ORDER BY c.id");
pub(crate) const OPEN: &str =
    concat!(select!(), "WHERE c.signed = 0 AND c.revoked_at IS NULL AND c.created_at < $1 ORDER BY c.created_at, c.id");
// The status is text of its own because an index serves only conditions that stand in the statement. $3 is the present; the
// three that do not depend on it mention it, so that all have the same parameters.
const LIST_ALL: &str = list!("CAST($3 AS BIGINT) IS NOT NULL");
const LIST_VALID: &str = list!("signed = 1 AND revoked_at IS NULL AND not_after >= $3");
const LIST_EXPIRED: &str = list!("signed = 1 AND revoked_at IS NULL AND not_after < $3");
const LIST_REVOKED: &str = list!("revoked_at IS NOT NULL AND CAST($3 AS BIGINT) IS NOT NULL");
const LIST_INTENDED: &str = list!("signed = 0 AND revoked_at IS NULL AND CAST($3 AS BIGINT) IS NOT NULL");
pub(crate) const REVOKE: &str = "UPDATE certificates SET revoked_at = $3, revocation_reason = $4 \
    WHERE serial = $1 AND issuer = $2 AND revoked_at IS NULL";
/// Each count reads an index that holds nothing else.
pub(crate) const COUNT: &str = "SELECT \
    (SELECT COUNT(*) FROM certificates WHERE signed = 1 AND revoked_at IS NULL AND not_after >= $1) AS valid, \
    (SELECT COUNT(*) FROM certificates WHERE signed = 1 AND revoked_at IS NULL AND not_after < $1) AS expired, \
    (SELECT COUNT(*) FROM certificates WHERE revoked_at IS NOT NULL) AS revoked, \
    (SELECT COUNT(*) FROM certificates WHERE signed = 0 AND revoked_at IS NULL) AS intended";

#[async_trait]
impl CertificateStore for Database {
    async fn load_certificate(&self, issuer: &AuthorityName, serial: &SerialNumber) -> Result<Option<CertificateRecord>> {
        let row = self.optional("load a certificate", LOAD, args![serial.magnitude(), issuer.to_string()]).await?;
        row.as_ref().map(rows::certificate).transpose()
    }

    async fn find_certificates(&self, serial: &SerialNumber) -> Result<Vec<CertificateRecord>> {
        many(&self.fetch("find certificates", BY_SERIAL, args![serial.magnitude()]).await?)
    }

    async fn list_certificates(&self, filter: CertificateFilter) -> Result<Vec<CertificateRecord>> {
        let sql = match filter.status.map(|(status, _)| status) {
            None => LIST_ALL,
            Some(CertificateStatus::Valid) => LIST_VALID,
            Some(CertificateStatus::Expired) => LIST_EXPIRED,
            Some(CertificateStatus::Revoked) => LIST_REVOKED,
            Some(CertificateStatus::Intended) => LIST_INTENDED,
        };
        let limit = if filter.limit == 0 { DEFAULT_LIMIT } else { filter.limit };
        let values = args![
            filter.include_service,
            filter.text.as_deref().map(search::pattern),
            filter.status.map_or(0, |(_, now)| now.0),
            limit,
            i64::try_from(filter.offset).unwrap_or(i64::MAX),
        ];
        many(&self.fetch_long("list certificates", sql, values).await?)
    }

    async fn revoke_certificate(
        &self,
        issuer: &AuthorityName,
        serial: &SerialNumber,
        revocation: Revocation,
        audit: AuditEvent,
    ) -> Result<bool> {
        let object = serial.magnitude().to_vec();
        let (issuer, serial) = (issuer.clone(), serial.clone());
        self.write_on(object.into(), move |tx| {
            revoke_audited(tx, issuer.clone(), serial.clone(), revocation, audit.clone()).boxed()
        })
        .await
    }

    async fn count_certificates(&self, now: Timestamp) -> Result<CertificateCounts> {
        let row = self.fetch_long("count certificates", COUNT, args![now.0]).await?.into_iter().next();
        let row = row.ok_or_else(|| rows::corrupt("certificates", "nothing was counted"))?;
        Ok(CertificateCounts {
            valid: rows::count(&row, "certificates.valid")?,
            expired: rows::count(&row, "certificates.expired")?,
            revoked: rows::count(&row, "certificates.revoked")?,
            intended: rows::count(&row, "certificates.intended")?,
        })
    }
}

async fn revoke_audited(
    tx: &mut Tx,
    issuer: AuthorityName,
    serial: SerialNumber,
    revocation: Revocation,
    audit: AuditEvent,
) -> Result<Applied<bool>> {
    if !revoke(tx, &issuer, &serial, revocation).await? {
        return Ok(Applied::Nothing(false));
    }
    tx.audit(&audit)?;
    Ok(Applied::Kept(true))
}

/// Intents whose signature is not stored, oldest first.
pub(super) async fn open_intents(store: &Database, created_before: Timestamp) -> Result<Vec<CertificateRecord>> {
    many(&store.fetch("list open intents", OPEN, args![created_before.0]).await?)
}

/// Revokes; `false` if it was revoked before or does not exist.
pub(super) async fn revoke(tx: &mut Tx, issuer: &AuthorityName, serial: &SerialNumber, revocation: Revocation) -> Result<bool> {
    let values = args![serial.magnitude(), issuer.to_string(), revocation.at.0, revocation.reason.code()];
    let revoked = tx.execute("revoke a certificate", REVOKE, values).await? == 1;
    if revoked {
        tx.revoked();
    }
    Ok(revoked)
}

fn many(found: &[Row]) -> Result<Vec<CertificateRecord>> {
    found.iter().map(rows::certificate).collect()
}

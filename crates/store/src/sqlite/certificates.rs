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
use sqlx::sqlite::SqliteRow;

use super::{
    handle::Sqlite,
    row::engine,
    tx::{Applied, Tx},
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
            "WHERE c.id IN (SELECT id FROM certificates WHERE ($1 = 1 OR template IS NOT NULL) \
            AND ($2 IS NULL OR search LIKE $2 ESCAPE '\\') AND ",
            $status,
            " ORDER BY id DESC LIMIT $4 OFFSET $5) ORDER BY c.id DESC"
        )
    };
}

pub(super) const LOAD: &str = concat!(select!(), "WHERE c.serial = $1 AND c.issuer = $2");
pub(super) const BY_SERIAL: &str = concat!(select!(), "WHERE c.serial = $1 ORDER BY c.id");
pub(super) const OPEN: &str =
    concat!(select!(), "WHERE c.signed = 0 AND c.revoked_at IS NULL AND c.created_at < $1 ORDER BY c.created_at, c.id");
// The status is text of its own because an index serves only conditions that stand in the statement. $3 is the present; the
// three that do not depend on it mention it, so that all have the same parameters.
const LIST_ALL: &str = list!("$3 IS NOT NULL");
const LIST_VALID: &str = list!("signed = 1 AND revoked_at IS NULL AND not_after >= $3");
const LIST_EXPIRED: &str = list!("signed = 1 AND revoked_at IS NULL AND not_after < $3");
const LIST_REVOKED: &str = list!("revoked_at IS NOT NULL AND $3 IS NOT NULL");
const LIST_INTENDED: &str = list!("signed = 0 AND revoked_at IS NULL AND $3 IS NOT NULL");
pub(super) const REVOKE: &str = "UPDATE certificates SET revoked_at = $3, revocation_reason = $4 \
    WHERE serial = $1 AND issuer = $2 AND revoked_at IS NULL RETURNING id";
/// Each count reads an index that holds nothing else.
pub(super) const COUNT: &str = "SELECT \
    (SELECT COUNT(*) FROM certificates WHERE signed = 1 AND revoked_at IS NULL AND not_after >= $1) AS valid, \
    (SELECT COUNT(*) FROM certificates WHERE signed = 1 AND revoked_at IS NULL AND not_after < $1) AS expired, \
    (SELECT COUNT(*) FROM certificates WHERE revoked_at IS NOT NULL) AS revoked, \
    (SELECT COUNT(*) FROM certificates WHERE signed = 0 AND revoked_at IS NULL) AS intended";

#[async_trait]
impl CertificateStore for Sqlite {
    async fn load_certificate(&self, issuer: &AuthorityName, serial: &SerialNumber) -> Result<Option<CertificateRecord>> {
        let query = sqlx::query(LOAD).bind(serial.magnitude().to_vec()).bind(issuer.to_string());
        let row = query.fetch_optional(self.readers()).await.map_err(engine("load a certificate"))?;
        row.as_ref().map(rows::certificate).transpose()
    }

    async fn find_certificates(&self, serial: &SerialNumber) -> Result<Vec<CertificateRecord>> {
        let query = sqlx::query(BY_SERIAL).bind(serial.magnitude().to_vec());
        many(query.fetch_all(self.readers()).await)
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
        let query = sqlx::query(sql)
            .bind(i64::from(filter.include_service))
            .bind(filter.text.as_deref().map(search::pattern))
            .bind(filter.status.map_or(0, |(_, now)| now.0))
            .bind(i64::from(limit))
            .bind(i64::try_from(filter.offset).unwrap_or(i64::MAX));
        many(query.fetch_all(self.readers()).await)
    }

    async fn revoke_certificate(
        &self,
        issuer: &AuthorityName,
        serial: &SerialNumber,
        revocation: Revocation,
        audit: AuditEvent,
    ) -> Result<bool> {
        let (issuer, serial) = (issuer.clone(), serial.clone());
        self.write(move |tx| revoke_audited(tx, issuer, serial, revocation, audit).boxed()).await
    }

    async fn count_certificates(&self, now: Timestamp) -> Result<CertificateCounts> {
        let row = sqlx::query(COUNT).bind(now.0).fetch_one(self.readers()).await.map_err(engine("count certificates"))?;
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
    tx.audit(&audit).await?;
    Ok(Applied::Kept(true))
}

/// Intents whose signature is not stored, oldest first.
pub(super) async fn open_intents(store: &Sqlite, created_before: Timestamp) -> Result<Vec<CertificateRecord>> {
    many(sqlx::query(OPEN).bind(created_before.0).fetch_all(store.readers()).await)
}

/// Revokes; `false` if it was revoked before or does not exist.
pub(super) async fn revoke(tx: &mut Tx, issuer: &AuthorityName, serial: &SerialNumber, revocation: Revocation) -> Result<bool> {
    let revoked = sqlx::query(REVOKE)
        .bind(serial.magnitude().to_vec())
        .bind(issuer.to_string())
        .bind(revocation.at.0)
        .bind(i64::from(revocation.reason.code()))
        .fetch_optional(&mut tx.connection)
        .await
        .map_err(engine("revoke a certificate"))?;
    Ok(revoked.is_some())
}

fn many(found: std::result::Result<Vec<SqliteRow>, sqlx::Error>) -> Result<Vec<CertificateRecord>> {
    found.map_err(engine("list certificates"))?.iter().map(rows::certificate).collect()
}

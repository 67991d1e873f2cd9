//! Certificates: found, listed, counted, revoked.

use async_trait::async_trait;
use futures_util::FutureExt;
use lanyard_model::{
    audit::AuditEvent,
    certificate::{CertificateRecord, CertificateStatus, Revocation},
    id::{AuthorityName, DeviceId, UserName},
    serial::SerialNumber,
    time::Timestamp,
};

use super::{
    database::Database,
    tx::{Applied, Tx},
    value::{Row, args},
};
use crate::{
    ports::{CertificateCounts, CertificateFilter, CertificateSearch, CertificateStore, CertificatesFound, Result},
    rows::{self, StoredRow},
    search,
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
            "WHERE c.id IN (SELECT id FROM certificates WHERE (CAST($1 AS BIGINT) = 1 OR template IS NOT NULL) AND ",
            $status,
            " ORDER BY id DESC LIMIT $3 OFFSET $4) ORDER BY c.id DESC"
        )
    };
}

pub(crate) const LOAD: &str = concat!(select!(), "WHERE c.serial = $1 AND c.issuer = $2");
pub(crate) const BY_SERIAL: &str = concat!(select!(), "WHERE c.serial = $1 ORDER BY c.id");
const OF_USER: &str = concat!(select!(), "WHERE c.user_name = $1 ORDER BY c.id DESC LIMIT $2");
const OF_DEVICE: &str = concat!(select!(), "WHERE c.device = $1 ORDER BY c.id DESC LIMIT $2");
pub(crate) const OPEN: &str =
    concat!(select!(), "WHERE c.signed = 0 AND c.revoked_at IS NULL AND c.created_at < $1 ORDER BY c.created_at, c.id");
// The status is text of its own because an index serves only conditions that stand in the statement. $2 is the present; the
// three that do not depend on it mention it, so that all have the same parameters.
const LIST_ALL: &str = list!("CAST($2 AS BIGINT) IS NOT NULL");
const LIST_VALID: &str = list!("signed = 1 AND revoked_at IS NULL AND not_after >= $2");
const LIST_EXPIRED: &str = list!("signed = 1 AND revoked_at IS NULL AND not_after < $2");
const LIST_REVOKED: &str = list!("revoked_at IS NOT NULL AND CAST($2 AS BIGINT) IS NOT NULL");
const LIST_INTENDED: &str = list!("signed = 0 AND revoked_at IS NULL AND CAST($2 AS BIGINT) IS NOT NULL");
/// Numbers of the certificates of a window ($1 up to but without $2) that contain a text. The sums keep indices of other columns away: the
/// window is what bounds the work.
pub(crate) const SEARCH: &str = "SELECT id FROM certificates WHERE id >= $1 AND id < $2 \
    AND (CAST($3 AS BIGINT) = 1 OR template IS NOT NULL) AND search LIKE $4 ESCAPE '\\' AND CASE CAST($5 AS BIGINT) \
    WHEN 1 THEN signed + 0 = 1 AND revoked_at IS NULL AND not_after + 0 >= $6 \
    WHEN 2 THEN signed + 0 = 1 AND revoked_at IS NULL AND not_after + 0 < $6 \
    WHEN 3 THEN revoked_at IS NOT NULL WHEN 4 THEN signed + 0 = 0 AND revoked_at IS NULL ELSE 1 = 1 END \
    ORDER BY id DESC LIMIT $7";
const BY_NUMBER: &str = concat!(select!(), "WHERE c.id = $1");
const NEWEST: &str = "SELECT MAX(id) AS id FROM certificates";
/// Certificates looked through by one statement, and by one search.
const WINDOW: i64 = 5_000;
const WINDOWS: usize = 10;
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

    async fn certificates_of_user(&self, user: &UserName, limit: u32) -> Result<Vec<CertificateRecord>> {
        many(&self.fetch("list certificates of a user", OF_USER, args![user.to_string(), i64::from(limit)]).await?)
    }

    async fn certificates_of_device(&self, device: &DeviceId, limit: u32) -> Result<Vec<CertificateRecord>> {
        many(&self.fetch("list certificates of a device", OF_DEVICE, args![device.to_string(), i64::from(limit)]).await?)
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
            filter.status.map_or(0, |(_, now)| now.0),
            limit,
            i64::try_from(filter.offset).unwrap_or(i64::MAX),
        ];
        many(&self.fetch_long("list certificates", sql, values).await?)
    }

    async fn search_certificates(&self, search: CertificateSearch) -> Result<CertificatesFound> {
        let limit = if search.limit == 0 { DEFAULT_LIMIT } else { search.limit };
        let mut before = match search.before {
            Some(before) => i64::try_from(before).unwrap_or(i64::MAX),
            None => {
                let newest = self.optional("find the newest certificate", NEWEST, args![]).await?;
                newest.map(|row| row.integer("certificates.id")).transpose()?.flatten().map_or(1, |id| id.saturating_add(1))
            }
        };
        let (status, now) = search.status.map_or((0, 0), |(status, now)| (number(status), now.0));
        let pattern = search::pattern(&search.text);
        let mut certificates = Vec::new();
        for _ in 0..WINDOWS {
            let wanted = i64::from(limit) - i64::try_from(certificates.len()).unwrap_or(i64::MAX);
            let from = before.saturating_sub(WINDOW);
            let values = args![from, before, search.include_service, pattern.as_str(), status, now, wanted];
            for row in &self.fetch_long("search certificates", SEARCH, values).await? {
                let id = rows::integer(row, "certificates.id")?;
                let row = self.optional("load a certificate", BY_NUMBER, args![id]).await?;
                certificates.extend(row.as_ref().map(rows::certificate).transpose()?);
                before = id;
            }
            let full = certificates.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
            if !full {
                before = from;
            }
            if full || before <= 1 {
                break;
            }
        }
        let more = u64::try_from(before).ok().filter(|before| *before > 1);
        Ok(CertificatesFound { certificates, more })
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

/// The status in [`SEARCH`].
const fn number(status: CertificateStatus) -> i64 {
    match status {
        CertificateStatus::Valid => 1,
        CertificateStatus::Expired => 2,
        CertificateStatus::Revoked => 3,
        CertificateStatus::Intended => 4,
    }
}

fn many(found: &[Row]) -> Result<Vec<CertificateRecord>> {
    found.iter().map(rows::certificate).collect()
}

//! Writing records into statements: the order of values is the order of the column lists here.

use lanyard_model::{certificate::CertificateRecord, request::RequestRecord, serial::SerialNumber};
use sqlx::{Sqlite as Engine, query::Query, sqlite::SqliteArguments};

use crate::{ports::Result, rows, search};

/// A statement under construction.
pub(super) type Statement = Query<'static, Engine, SqliteArguments>;

/// Octets of an optional serial number.
pub(super) fn serial(serial: Option<&SerialNumber>) -> Option<Vec<u8>> {
    serial.map(|s| s.magnitude().to_vec())
}

/// Binds $1 to $26 in the order of the columns of table `requests`.
pub(super) fn request(statement: Statement, r: &RequestRecord) -> Result<Statement> {
    let (issuer, certificate) = r.certificate.as_ref().map(|(i, s)| (i.to_string(), s.magnitude().to_vec())).unzip();
    Ok(statement
        .bind(r.id.to_string())
        .bind(r.protocol.to_string())
        .bind(r.profile.to_string())
        .bind(r.transaction.clone())
        .bind(r.message_digest.to_vec())
        .bind(i64::from(r.renewal))
        .bind(r.signer_key_digest.map(|d| d.to_vec()))
        .bind(r.key_digest.map(|d| d.to_vec()))
        .bind(r.claims.clone())
        .bind(r.subject.as_ref().map(rows::to_json).transpose()?)
        .bind(rows::san_text(&r.san)?)
        .bind(r.key.clone())
        .bind(r.template.as_ref().map(ToString::to_string))
        .bind(r.user.as_ref().map(ToString::to_string))
        .bind(r.device.as_ref().map(ToString::to_string))
        .bind(r.state.as_str())
        .bind(r.reason.clone())
        .bind(r.detail.clone())
        .bind(issuer)
        .bind(certificate)
        .bind(serial(r.renews.as_ref()))
        .bind(r.challenge.clone())
        .bind(rows::to_json(&r.context)?)
        .bind(r.received_at.0)
        .bind(r.decided_at.map(|t| t.0))
        .bind(r.decided_by.clone()))
}

/// Binds $1 to $20: the columns of table `certificates` after `id`.
pub(super) fn certificate(statement: Statement, c: &CertificateRecord) -> Result<Statement> {
    let (template, revision) = c.template.as_ref().map(|(name, revision)| (name.to_string(), i64::from(*revision))).unzip();
    Ok(statement
        .bind(c.issuer.to_string())
        .bind(c.serial.magnitude().to_vec())
        .bind(c.request.to_string())
        .bind(template)
        .bind(revision)
        .bind(c.profile.as_ref().map(ToString::to_string))
        .bind(rows::to_json(&c.subject)?)
        .bind(rows::san_text(&c.san)?)
        .bind(c.user.as_ref().map(ToString::to_string))
        .bind(c.device.as_ref().map(ToString::to_string))
        .bind(c.not_before.0)
        .bind(c.not_after.0)
        .bind(c.key_digest.to_vec())
        .bind(c.created_at.0)
        .bind(i64::from(c.der.is_some()))
        .bind(c.revocation.map(|r| r.at.0))
        .bind(c.revocation.map(|r| i64::from(r.reason.code())))
        .bind(serial(c.predecessor.as_ref()))
        .bind(serial(c.successor.as_ref()))
        .bind(search::haystack(c)))
}

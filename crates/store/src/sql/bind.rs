//! Records as arguments of statements: the order of values is the order of the column lists here.

use lanyard_model::{certificate::CertificateRecord, request::RequestRecord, serial::SerialNumber};

use super::value::{Value, args};
use crate::{ports::Result, rows, search};

/// Octets of an optional serial number.
fn serial(serial: Option<&SerialNumber>) -> Option<Vec<u8>> {
    serial.map(|s| s.magnitude().to_vec())
}

/// $1 to $26 in the order of the columns of table `requests`.
pub(super) fn request(r: &RequestRecord) -> Result<Vec<Value>> {
    let (issuer, certificate) = r.certificate.as_ref().map(|(i, s)| (i.to_string(), s.magnitude().to_vec())).unzip();
    Ok(args![
        r.id.to_string(),
        r.protocol.to_string(),
        r.profile.to_string(),
        r.transaction.clone(),
        r.message_digest.to_vec(),
        i64::from(r.renewal),
        r.signer_key_digest.map(|d| d.to_vec()),
        r.key_digest.map(|d| d.to_vec()),
        r.claims.clone(),
        r.subject.as_ref().map(rows::to_json).transpose()?,
        rows::san_text(&r.san)?,
        r.key.clone(),
        r.template.as_ref().map(ToString::to_string),
        r.user.as_ref().map(ToString::to_string),
        r.device.as_ref().map(ToString::to_string),
        r.state.as_str(),
        r.reason.clone(),
        r.detail.clone(),
        issuer,
        certificate,
        serial(r.renews.as_ref()),
        r.challenge.clone(),
        rows::to_json(&r.context)?,
        r.received_at.0,
        r.decided_at.map(|t| t.0),
        r.decided_by.clone(),
    ])
}

/// $1 to $20: the columns of table `certificates` after `id`.
pub(super) fn certificate(c: &CertificateRecord) -> Result<Vec<Value>> {
    let (template, revision) = c.template.as_ref().map(|(name, revision)| (name.to_string(), i64::from(*revision))).unzip();
    Ok(args![
        c.issuer.to_string(),
        c.serial.magnitude().to_vec(),
        c.request.to_string(),
        template,
        revision,
        c.profile.as_ref().map(ToString::to_string),
        rows::to_json(&c.subject)?,
        rows::san_text(&c.san)?,
        c.user.as_ref().map(ToString::to_string),
        c.device.as_ref().map(ToString::to_string),
        c.not_before.0,
        c.not_after.0,
        c.key_digest.to_vec(),
        c.created_at.0,
        i64::from(c.der.is_some()),
        c.revocation.map(|r| r.at.0),
        c.revocation.map(|r| i64::from(r.reason.code())),
        serial(c.predecessor.as_ref()),
        serial(c.successor.as_ref()),
        search::haystack(c),
    ])
}

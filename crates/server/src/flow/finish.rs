//! Transaction 2: a signed certificate is stored, to be handed out or as one that nobody may have after all.

use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    certificate::{Revocation, RevocationReason},
    enroll::EnrollRequest,
    id::AuthorityName,
    notice::NoticeRecord,
    request::RequestRecord,
    serial::SerialNumber,
};
use lanyard_ra::{grant::Grant, reason::Reason};
use lanyard_store::ports::{Signed, Withdrawal};

use super::{notices, outcome::Outcome};
use crate::{error::ServerError, state::Server};

/// Stores a certificate that may be handed out, and revokes the successor that it supersedes.
///
/// # Errors
/// Storage errors.
pub async fn finish(
    server: &Server,
    request: &EnrollRequest,
    grant: &Grant,
    serial: &SerialNumber,
    der: Vec<u8>,
    notices: Vec<NoticeRecord>,
) -> Result<(), ServerError> {
    let now = server.now();
    let superseded = match grant.renews().and_then(|(_, seen)| seen) {
        Some(serial) => superseded(server, grant, serial).await?,
        None => None,
    };
    let mut audit = vec![AuditEvent {
        object: Some(serial.to_string()),
        ..server.request_event(AuditKind::CertificateIssued, request.protocol.to_string(), request.id)
    }];
    if let Some((_, old)) = &superseded {
        audit.push(AuditEvent {
            object: Some(old.to_string()),
            reason: Some(RevocationReason::Superseded.to_string()),
            ..server.request_event(AuditKind::CertificateRevoked, request.protocol.to_string(), request.id)
        });
    }
    let revocation = Revocation { at: now, reason: RevocationReason::Superseded };
    let (revoked, told) = (superseded.is_some(), !notices.is_empty());
    let signed = Signed {
        issuer: grant.content().issuer.clone(),
        serial: serial.clone(),
        der,
        request: Some(request.id),
        supersedes: superseded.map(|(issuer, old)| (issuer, old, revocation)),
        withdrawn: None,
        notices,
        audit,
    };
    server.store.finish_issuance(signed).await?;
    server.outbox.wake(told);
    if revoked {
        server.crl_wanted.notify_one();
    }
    let template = grant.template().map_or_else(|| "-".to_owned(), |(name, _)| name.to_string());
    server.telemetry.count("lanyard_certificates_issued_total", &[("template", template)]);
    tracing::info!(request = %request.id, %serial, subject = %grant.content().subject, "certificate issued");
    Ok(())
}

/// The successor that a renewal supersedes, with its issuer: it may have been issued before a change of authority.
async fn superseded(
    server: &Server,
    grant: &Grant,
    serial: &SerialNumber,
) -> Result<Option<(AuthorityName, SerialNumber)>, ServerError> {
    let predecessor = grant.renews().map(|(predecessor, _)| predecessor);
    let found = server.store.find_certificates(serial).await?;
    let found = found.into_iter().find(|record| record.predecessor.as_ref() == predecessor);
    Ok(found.map(|record| (record.issuer, record.serial)))
}

/// Stores a certificate that nobody may have after all: revoked, and its request refused (ndes-policy, section 3.2).
///
/// # Errors
/// Storage errors.
pub async fn withdraw(
    server: &Server,
    request: &EnrollRequest,
    record: &RequestRecord,
    grant: &Grant,
    serial: &SerialNumber,
    der: Vec<u8>,
    detail: String,
) -> Result<Outcome, ServerError> {
    let reason = Reason::ModuleNotify.code().to_owned();
    let revocation = Revocation { at: server.now(), reason: RevocationReason::PrivilegeWithdrawn };
    let event = |kind| AuditEvent {
        object: Some(serial.to_string()),
        reason: Some(reason.clone()),
        detail: Some(detail.clone()),
        ..server.request_event(kind, request.protocol.to_string(), request.id)
    };
    let outcome = Outcome::Refused { reason: reason.clone() };
    let signed = Signed {
        issuer: grant.content().issuer.clone(),
        serial: serial.clone(),
        der,
        request: Some(request.id),
        supersedes: None,
        notices: notices::of(server, request, record, Ok(&outcome))?,
        audit: vec![event(AuditKind::CertificateRevoked), event(AuditKind::RequestDenied)],
        withdrawn: Some(Withdrawal { revocation, reason: reason.clone(), detail: detail.clone() }),
    };
    server.store.finish_issuance(signed).await?;
    server.outbox.wake(true);
    server.crl_wanted.notify_one();
    tracing::warn!(request = %request.id, %serial, %detail, "certificate withdrawn");
    Ok(outcome)
}

//! Revoking a certificate.

use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    certificate::{CertificateRecord, Revocation, RevocationReason},
    serial::SerialNumber,
};

use super::crl;
use crate::{error::ServerError, state::Server};

/// Revokes a certificate and signs a CRL that says so before this returns. `false` if it was revoked before.
///
/// # Errors
/// [`ServerError::NotFound`].
pub async fn revoke(server: &Server, serial: &SerialNumber, reason: RevocationReason, by: &str) -> Result<bool, ServerError> {
    let certificate = find(server, serial).await?;
    let audit = AuditEvent {
        object: Some(serial.to_string()),
        reason: Some(reason.to_string()),
        detail: Some(format!("subject {}", certificate.subject)),
        ..server.request_event(AuditKind::CertificateRevoked, by, certificate.request)
    };
    let revocation = Revocation { at: server.now(), reason };
    let changed = server.store.revoke_certificate(&certificate.issuer, serial, revocation, audit).await?;
    if changed {
        server.telemetry.count("lanyard_certificates_revoked_total", &[("reason", reason.to_string())]);
        tracing::warn!(%serial, %reason, by, "certificate revoked");
        crl::issue(server, &certificate.issuer).await?;
    }
    Ok(changed)
}

/// Finds the one certificate with a serial number.
///
/// # Errors
/// [`ServerError::NotFound`], [`ServerError::Conflict`] when several authorities used it.
pub async fn find(server: &Server, serial: &SerialNumber) -> Result<CertificateRecord, ServerError> {
    let mut found = server.store.find_certificates(serial).await?;
    match (found.pop(), found.is_empty()) {
        (Some(one), true) => Ok(one),
        (None, _) => Err(ServerError::NotFound { what: "certificate", name: serial.to_string() }),
        (Some(_), false) => Err(ServerError::Conflict(format!("several authorities issued a certificate {serial}"))),
    }
}

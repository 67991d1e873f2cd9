//! Signing CRLs.

use std::sync::Arc;

use lanyard_ca::crl as authority_crl;
use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    authority::CrlRecord,
    id::AuthorityName,
};

use crate::{error::ServerError, state::Server};

/// Signs and stores a new CRL of an authority.
///
/// # Errors
/// [`ServerError::NotFound`], storage and key errors.
pub async fn issue(server: &Server, name: &AuthorityName) -> Result<CrlRecord, ServerError> {
    let ring = server.keyring.get();
    let authority = Arc::clone(ring.authority(name)?);
    let lifetime =
        if authority.certificate().is_self_issued() { server.config.crl.root_lifetime } else { server.config.crl.lifetime };
    let now = server.now();
    let (number, entries) = server.store.begin_crl(name, now - server.config.crl.keep_expired).await?;
    let count = entries.len();
    // Encoding a long list takes a while: it must not hold up other tasks.
    let signed = tokio::task::spawn_blocking(move || authority_crl::issue(&authority, number, &entries, lifetime, now)).await;
    let crl = signed.map_err(|_| ServerError::Conflict("signing the CRL was interrupted".into()))??;
    let audit = AuditEvent {
        object: Some(format!("{name} CRL {number}")),
        detail: Some(format!("{count} entries, next update {}", crl.next_update)),
        ..server.event(AuditKind::CrlIssued, "job:crl")
    };
    server.store.save_crl(crl.clone(), audit).await?;
    server.telemetry.count("lanyard_crls_issued_total", &[("authority", name.to_string())]);
    tracing::info!(authority = %name, number, entries = count, "CRL signed");
    Ok(crl)
}

/// Signs a new CRL for each authority whose newest one is missing or older than the refresh interval; the root's at half its life.
///
/// # Errors
/// Storage and key errors.
pub async fn refresh(server: &Server, all: bool) -> Result<(), ServerError> {
    let ring = server.keyring.get();
    for authority in ring.authorities() {
        let refresh = if authority.certificate().is_self_issued() {
            lanyard_model::time::Span::from_secs(server.config.crl.root_lifetime.secs() / 2)
        } else {
            server.config.crl.refresh
        };
        let due = match server.store.load_crl(authority.name()).await? {
            None => true,
            Some(crl) => all || server.now() >= crl.this_update + refresh,
        };
        if due {
            issue(server, authority.name()).await?;
        }
    }
    Ok(())
}

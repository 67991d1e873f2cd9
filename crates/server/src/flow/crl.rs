//! Signing CRLs.

use std::{sync::Arc, time::Duration};

use lanyard_ca::crl as authority_crl;
use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    authority::CrlRecord,
    id::AuthorityName,
};

use lanyard_store::ports::CrlStart;

use crate::{error::ServerError, state::Server};

/// How long another node may take to sign a CRL, and how often it is looked for.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(200);

/// A new CRL of an authority, stored. Where several nodes share the work, the one that leads signs it, and this waits.
///
/// # Errors
/// [`ServerError::NotFound`], storage and key errors; [`ServerError::Conflict`] when no node signs.
pub async fn issue(server: &Server, name: &AuthorityName) -> Result<CrlRecord, ServerError> {
    let before = server.store.load_crl(name).await?.map_or(0, |crl| crl.number);
    if !server.leadership.leads() {
        server.store.want_crl().await?;
    }
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !server.leadership.leads() {
        if let Some(crl) = server.store.load_crl(name).await?.filter(|crl| crl.number > before) {
            return Ok(crl);
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(ServerError::Conflict(format!("no node has signed a CRL of {name}; is the leading node running?")));
        }
        tokio::time::sleep(POLL).await;
    }
    sign(server, name).await
}

async fn sign(server: &Server, name: &AuthorityName) -> Result<CrlRecord, ServerError> {
    let ring = server.keyring.get();
    let authority = Arc::clone(ring.authority(name)?);
    let lifetime =
        if authority.certificate().is_self_issued() { server.config.crl.root_lifetime } else { server.config.crl.lifetime };
    let now = server.now();
    let lease = server.leadership.lease();
    let CrlStart { number, revocations, entries } = server.store.begin_crl(name, now - server.config.crl.keep_expired).await?;
    let count = entries.len();
    // Encoding a long list takes a while: it must not hold up other tasks.
    let signed = tokio::task::spawn_blocking(move || authority_crl::issue(&authority, number, &entries, lifetime, now)).await;
    let crl = signed.map_err(|_| ServerError::Conflict("signing the CRL was interrupted".into()))??;
    let audit = AuditEvent {
        object: Some(format!("{name} CRL {number}")),
        detail: Some(format!("{count} entries, next update {}", crl.next_update)),
        ..server.event(AuditKind::CrlIssued, "job:crl")
    };
    server.store.save_crl(crl.clone(), revocations, lease, audit).await?;
    server.telemetry.count("lanyard_crls_issued_total", &[("authority", name.to_string())]);
    tracing::info!(authority = %name, number, entries = count, "CRL signed");
    Ok(crl)
}

/// Signs a new CRL for each authority whose newest one is missing, older than the refresh interval (the root's: at half its life), or
/// does not list everything that was revoked. An authority that was followed and has ended signs none any more.
///
/// # Errors
/// Storage and key errors.
pub async fn refresh(server: &Server) -> Result<(), ServerError> {
    let ring = server.keyring.get();
    for authority in ring.signing_crls(server.now()) {
        let refresh = if authority.certificate().is_self_issued() {
            lanyard_model::time::Span::from_secs(server.config.crl.root_lifetime.secs() / 2)
        } else {
            server.config.crl.refresh
        };
        let due = match server.store.load_crl(authority.name()).await? {
            None => true,
            Some(crl) => server.now() >= crl.this_update + refresh || server.store.crl_is_behind(authority.name()).await?,
        };
        if due {
            sign(server, authority.name()).await?;
        }
    }
    Ok(())
}

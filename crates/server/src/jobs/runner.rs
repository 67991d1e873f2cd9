//! Runs the periodic work until the server stops.

use std::{sync::Arc, time::Duration};

use lanyard_ra::service::ServiceRole;
use tokio::sync::watch;

use crate::{
    error::{ServerError, chain},
    flow::{audit_chain, crl, expire, scep::authority_name, service_certificate},
    keyring::Keyring,
    state::Server,
};

/// How often it is looked whether something is due.
const TICK: Duration = Duration::from_secs(60);

/// Looks every minute, and at once when a flow asks for a CRL. What fails is logged and tried again at the next tick.
pub async fn run(server: Arc<Server>, mut stop: watch::Receiver<bool>) {
    let mut wanted = false;
    loop {
        if let Err(error) = crl::refresh(&server, wanted).await {
            tracing::error!(code = error.code(), error = %chain(&error), "signing CRLs failed; it is tried again in a minute");
        }
        if let Err(error) = renew_service_certificates(&server).await {
            tracing::error!(code = error.code(), error = %chain(&error), "renewing a service certificate failed; it is tried again in a minute");
        }
        if let Err(error) = expire::expire_due(&server).await {
            tracing::error!(code = error.code(), error = %chain(&error), "expiring held requests failed; it is tried again in a minute");
        }
        if let Err(error) = audit_chain::sign_head(&server).await {
            tracing::error!(code = error.code(), error = %chain(&error), "signing the head of the audit log failed");
        }
        wanted = tokio::select! {
            () = tokio::time::sleep(TICK) => false,
            () = server.crl_wanted.notified() => true,
            _ = stop.changed() => return,
        };
    }
}

/// Renews registration and server certificates of which two thirds are over; the old ones are understood until they end.
///
/// # Errors
/// Policy, key and storage errors.
pub async fn renew_service_certificates(server: &Server) -> Result<(), ServerError> {
    let ring = server.keyring.get();
    let now = server.now();
    let issuing = authority_name()?;
    let mut due = Vec::new();
    for name in [Some(&issuing), ring.successor().map(|a| a.name())].into_iter().flatten() {
        let registration = ring.registrations(name).first();
        if registration.is_none_or(|r| service_certificate::is_due(r.not_before, r.not_after, now)) {
            due.push((ServiceRole::Registration, name));
        }
    }
    if ring.tls().is_none_or(|t| service_certificate::is_due(t.not_before, t.not_after, now)) {
        due.push((ServiceRole::TlsServer, &issuing));
    }
    if due.is_empty() {
        return Ok(());
    }
    for (role, name) in due {
        let order = service_certificate::Order {
            authority: ring.authority(name)?,
            organization: &server.config.organization,
            names: service_certificate::names(role, &server.config.tls_names)?,
            by: "job:service-certificates",
            now,
        };
        service_certificate::issue(server.store.as_ref(), &server.unseal, role, order).await?;
        tracing::info!(?role, "service certificate renewed");
    }
    let ring = Keyring::open(server.store.as_ref(), &server.unseal, &server.config.url, now).await?;
    server.keyring.replace(ring);
    Ok(())
}

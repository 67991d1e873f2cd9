//! Runs the periodic work until the server stops.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use lanyard_model::time::Span;
use lanyard_ra::service::ServiceRole;
use tokio::sync::watch;

use crate::{
    error::{ServerError, chain},
    flow::{audit_chain, crl, expire, fleet_watch, nodes, service_certificate, successor},
    jobs::leadership::SILENCE,
    keyring::Keyring,
    state::Server,
};

/// How often it is looked whether something is due.
const ROUND: Duration = Duration::from_secs(60);

/// How often a node that shares its database gives a sign of life and looks what the others did.
pub const TICK: Duration = Duration::from_secs(2);

/// Looks every minute, and at once when a flow asks for a CRL. What fails is logged and tried again.
pub async fn run(server: Arc<Server>, mut stop: watch::Receiver<bool>) {
    let tick = if server.leadership.is_shared() { TICK } else { ROUND };
    let mut last_round: Option<Instant> = None;
    let mut last_said = Instant::now();
    let mut led = server.leadership.leads();
    loop {
        if let Err(error) = server.leadership.step(server.store.as_ref()).await {
            report("keeping the lease", &error);
        }
        if server.leadership.is_shared()
            && let Err(error) = reload_keyring(&server).await
        {
            report("reading the service certificates of the other nodes", &error);
        }
        let leads = server.leadership.leads();
        if last_said.elapsed() >= ROUND {
            last_said = Instant::now();
            if let Err(error) = nodes::say(&server).await {
                report("telling the other nodes what this one loaded", &error);
            }
        }
        if leads {
            if let Err(error) = crl::refresh(&server).await {
                report("signing CRLs", &error);
            }
            if !led || last_round.is_none_or(|at| at.elapsed() >= ROUND) {
                round(&server).await;
                last_round = Some(Instant::now());
            }
        }
        led = leads;
        server.telemetry.upkeep();
        tokio::select! {
            () = tokio::time::sleep(tick) => {}
            () = server.crl_wanted.notified() => {}
            _ = stop.changed() => return,
        }
    }
}

/// The work that is looked at every minute.
async fn round(server: &Server) {
    if let Err(error) = successor::take_over_if_due(server).await {
        report("changing over to the next issuing CA", &error);
    }
    if let Err(error) = renew_service_certificates(server).await {
        report("renewing a service certificate", &error);
    }
    if let Err(error) = fleet_watch::look(server).await {
        report("looking at the managed devices", &error);
    }
    if let Err(error) = expire::expire_due(server).await {
        report("expiring held requests", &error);
    }
    // Later than the counts end, because the clocks of nodes differ.
    if let Err(error) = server.store.clear_counts(server.now() - Span::from_secs(3600)).await {
        report("clearing what was counted", &error.into());
    }
    if let Err(error) = audit_chain::sign_head(server).await {
        report("signing the head of the audit log", &error);
    }
}

fn report(what: &str, error: &ServerError) {
    tracing::error!(code = error.code(), error = %chain(error), "{what} failed; it is tried again");
}

/// Before the listeners open: takes the lease if it is free, and renews what has ended. A node that does not lead waits for the one
/// that does, if there is nothing to serve with.
///
/// # Errors
/// Storage, policy and key errors; [`ServerError::Conflict`] when no node renews.
pub async fn lead_if_needed(server: &Server) -> Result<(), ServerError> {
    let deadline = Instant::now() + SILENCE * 3;
    loop {
        server.leadership.step(server.store.as_ref()).await?;
        if server.leadership.leads() {
            return renew_service_certificates(server).await;
        }
        reload_keyring(server).await?;
        let (ring, now) = (server.keyring.get(), server.now());
        if ring.tls().is_some_and(|t| t.not_after >= now) && !ring.registrations(ring.issuing()).is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(ServerError::Conflict("the service certificates have ended and no node renews them".into()));
        }
        tokio::time::sleep(TICK).await;
    }
}

/// Takes up service certificates that another node has renewed, and the issuing CA that it put in use.
async fn reload_keyring(server: &Server) -> Result<(), ServerError> {
    if server.keyring.get().is_current(server.store.as_ref()).await? {
        return Ok(());
    }
    let ring = Keyring::open(server.store.as_ref(), &server.unseal, &server.config.url, server.now()).await?;
    server.replace_keyring(ring);
    tracing::info!(issuing = %server.keyring.get().issuing(), "service certificates of another node taken up");
    Ok(())
}

/// Renews registration and server certificates of which two thirds are over; the old ones are understood until they end.
///
/// # Errors
/// Policy, key and storage errors.
pub async fn renew_service_certificates(server: &Server) -> Result<(), ServerError> {
    let ring = server.keyring.get();
    let now = server.now();
    let issuing = ring.issuing().clone();
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
            lease: server.leadership.lease(),
        };
        service_certificate::issue(server.store.as_ref(), &server.unseal, role, order).await?;
        tracing::info!(?role, "service certificate renewed");
    }
    let ring = Keyring::open(server.store.as_ref(), &server.unseal, &server.config.url, now).await?;
    server.replace_keyring(ring);
    Ok(())
}

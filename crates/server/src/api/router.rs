//! Which call is answered by what.

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::Extensions,
    routing::{get, post},
};

use super::{audit, authority, certificates, challenges, directory, replay, requests};
use crate::{edge::listen::Peer, state::Server};

/// The administrator's interface.
pub fn router(server: Arc<Server>) -> Router {
    let api = Router::new()
        .route("/challenges", post(challenges::create))
        .route("/certificates", get(certificates::list).post(certificates::issue))
        .route("/certificates/{serial}", get(certificates::show))
        .route("/certificates/{serial}/revoke", post(certificates::revoke))
        .route("/requests", get(requests::list))
        .route("/requests/{id}", get(requests::show))
        .route("/requests/{id}/approve", post(requests::approve))
        .route("/requests/{id}/deny", post(requests::deny))
        .route("/authorities", get(authority::list))
        .route("/authorities/{name}/crl", post(authority::issue_crl))
        .route("/authorities/{name}/successor", post(authority::prepare_successor))
        .route("/templates", get(authority::templates))
        .route("/templates/{name}", get(authority::template))
        .route("/profiles", get(authority::profiles))
        .route("/profiles/{name}", get(authority::profile))
        .route("/policy/reload", post(authority::reload))
        .route("/policy/replay", post(replay::try_out))
        .route("/users", get(directory::list_users).put(directory::save_user))
        .route("/devices", get(directory::list_devices).put(directory::save_device))
        .route("/audit", get(audit::list))
        .route("/audit/verify", get(audit::verify));
    Router::new().nest("/api/v1", api).layer(DefaultBodyLimit::max(64 * 1024)).with_state(server)
}

/// Who calls, for the audit log.
#[must_use]
pub fn actor(extensions: &Extensions) -> String {
    match extensions.get::<Peer>() {
        Some(Peer::Local(uid)) => format!("admin:uid-{uid}"),
        _ => "admin:unknown".to_owned(),
    }
}

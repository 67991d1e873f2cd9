//! Which call is answered by what.

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{Extensions, StatusCode},
    middleware::from_fn_with_state,
    routing::{delete, get, post, put},
};

use super::{
    access, audit, authority, certificates, challenges, delivery, directory, fleet, gateway, groups, nodes, pfx, recoveries,
    replay, requests, tokens,
};
use crate::{api::access::Caller, edge::listen::Peer, flow::approve::Person, state::Server};

/// Largest call, in octets.
const MAX_BODY: usize = 64 * 1024;
/// Largest file to import, in octets.
const MAX_IMPORT: usize = 256 * 1024 * 1024;

/// The administrator's interface at the socket, where the file system says who may call.
pub fn router(server: Arc<Server>) -> Router {
    Router::new().nest("/api/v1", calls()).layer(DefaultBodyLimit::max(MAX_BODY)).with_state(server)
}

/// The same over TLS, for whoever brings a token.
pub fn remote(server: Arc<Server>) -> Router<Arc<Server>> {
    let guarded = calls().fallback(|| async { StatusCode::NOT_FOUND }).layer(from_fn_with_state(server, access::guard));
    Router::new().nest("/api/v1", guarded).layer(DefaultBodyLimit::max(MAX_BODY))
}

fn calls() -> Router<Arc<Server>> {
    Router::new()
        .route("/challenges", post(challenges::create))
        .route("/certificates", get(certificates::list).post(certificates::issue))
        .route("/fleet-policies/{name}/export", post(delivery::export))
        .route("/recoveries", get(recoveries::list).post(recoveries::ask))
        .route("/recoveries/{id}/approve", post(recoveries::approve))
        .route("/recoveries/{id}/carry-out", post(recoveries::carry_out))
        .route("/invitations", get(delivery::list).post(delivery::create))
        .route("/invitations/{id}/withdraw", post(delivery::withdraw))
        .route("/certificates/{serial}/send", post(delivery::send_certificate))
        .route("/pfx", post(pfx::create))
        .route("/certificates/search", get(certificates::search))
        .route("/certificates/{serial}", get(certificates::show))
        .route("/certificates/{serial}/revoke", post(certificates::revoke))
        .route("/requests", get(requests::list))
        .route("/requests/{id}", get(requests::show))
        .route("/requests/{id}/approve", post(requests::approve))
        .route("/requests/{id}/deny", post(requests::deny))
        .route("/authorities", get(authority::list))
        .route("/authorities/{name}/crl", post(authority::issue_crl))
        .route("/authorities/{name}/successor", post(authority::prepare_successor))
        .route("/authorities/{name}/take-over", post(authority::take_over))
        .route("/templates", get(authority::templates))
        .route("/templates/{name}", get(authority::template))
        .route("/profiles", get(authority::profiles))
        .route("/profiles/{name}", get(authority::profile))
        .route("/policy/reload", post(authority::reload))
        .route("/policy/replay", post(replay::try_out))
        .route("/users", get(directory::list_users).put(directory::save_user))
        .route("/devices", get(directory::list_devices).put(directory::save_device))
        .route("/audit", get(audit::list))
        .route("/users/{name}", delete(directory::remove_user))
        .route("/users/{name}/password", put(directory::save_password))
        .route("/devices/{id}", delete(directory::remove_device))
        .route("/import/{kind}", post(directory::import).layer(DefaultBodyLimit::max(MAX_IMPORT)))
        .route("/groups", get(groups::list).put(groups::add))
        .route("/groups/{name}", get(groups::show).post(groups::change).delete(groups::remove))
        .route("/fleet", get(fleet::list))
        .route("/fleet/{device}", get(fleet::show))
        .route("/fleet/{device}/certificates", get(fleet::certificates))
        .route("/fleet/{device}/jobs", get(fleet::jobs).post(fleet::push))
        .route("/fleet/{device}/block", post(fleet::block))
        .route("/fleet/{device}/unblock", post(fleet::unblock))
        .route("/fleet/{device}/unenroll", post(fleet::unenroll))
        .route("/fleet/{device}/renew", post(fleet::renew))
        .route("/fleet-jobs/{id}/cancel", post(fleet::cancel))
        .route("/gateway/state", get(gateway::state))
        .route("/gateway/password", post(gateway::password))
        .route("/nodes", get(nodes::list))
        .route("/tokens", get(tokens::list).post(tokens::create))
        .route("/tokens/{id}/revoke", post(tokens::revoke))
        .route("/audit/verify", get(audit::verify))
}

/// Who calls, for the audit log.
#[must_use]
pub fn actor(extensions: &Extensions) -> String {
    match (extensions.get::<Caller>(), extensions.get::<Peer>()) {
        (Some(caller), _) => caller.actor(),
        (None, Some(Peer::Local(uid))) => format!("admin:uid-{uid}"),
        _ => "admin:unknown".to_owned(),
    }
}

/// Who calls, as audited and as a person.
#[must_use]
pub fn person(extensions: &Extensions) -> Person {
    let actor = actor(extensions);
    Person { identity: extensions.get::<Caller>().map_or_else(|| actor.clone(), Caller::identity), actor }
}

//! Which address is answered by what.

use std::sync::Arc;

use axum::{
    Router,
    routing::{any, get},
};

use super::{health, pki, scep};
use crate::{api, state::Server};

/// What plain HTTP and HTTPS answer.
pub fn public(server: Arc<Server>) -> Router {
    Router::new()
        .route("/scep/{profile}", any(scep::by_profile))
        .route("/scep/{profile}/pkiclient.exe", any(scep::by_profile))
        .route("/certsrv/mscep/mscep.dll", any(scep::ndes))
        .route("/certsrv/mscep/mscep.dll/pkiclient.exe", any(scep::ndes))
        .route("/ca/{file}", get(pki::certificate))
        .route("/crl/{file}", get(pki::crl))
        .route("/healthz", get(health::healthz))
        .route("/metrics", get(health::metrics))
        .with_state(server)
}

/// What the administrator's socket answers.
pub fn administrator(server: Arc<Server>) -> Router {
    api::router::router(server)
}

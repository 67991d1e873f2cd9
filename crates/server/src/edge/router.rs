//! Which address is answered by what.

use std::sync::Arc;

use axum::{
    Router,
    routing::{any, get, post},
};
use lanyard_mdm::discovery::DISCOVERY_PATH;

use super::{enrollment, health, management, ndes_page, pki, scep, sign_in, sign_in_elsewhere};
use crate::{
    api,
    mdm::addresses::{AUTHENTICATION_PATH, CALLBACK_PATH, ENROLLMENT_PATH, MANAGEMENT_PATH, POLICY_PATH},
    portal,
    state::Server,
};

/// What plain HTTP answers.
pub fn public(server: Arc<Server>) -> Router {
    common()
        .route("/certsrv/mscep_admin/", any(ndes_page::without_tls))
        .route("/certsrv/mscep_admin", any(ndes_page::without_tls))
        .with_state(server)
}

/// What plain HTTP and HTTPS answer.
fn common() -> Router<Arc<Server>> {
    Router::new()
        .route("/scep/{profile}", any(scep::by_profile))
        .route("/scep/{profile}/pkiclient.exe", any(scep::by_profile))
        .route("/certsrv/mscep/mscep.dll", any(scep::ndes))
        .route("/certsrv/mscep/mscep.dll/pkiclient.exe", any(scep::ndes))
        .route("/ca/{file}", get(pki::certificate))
        .route("/crl/{file}", get(pki::crl))
        .route("/healthz", get(health::healthz))
        .route("/metrics", get(health::metrics))
}

/// What HTTPS answers: the same, and the administrator's interface for whoever brings a token.
pub fn secure(server: Arc<Server>) -> Router {
    let portal = portal::router::router(&server);
    let remote = api::router::remote(Arc::clone(&server));
    let page = || get(ndes_page::page);
    common()
        .merge(enrolment())
        .route(AUTHENTICATION_PATH, get(sign_in::page).post(sign_in::submit))
        .route(CALLBACK_PATH, get(sign_in_elsewhere::callback))
        .route("/certsrv/mscep_admin/", page())
        .route("/certsrv/mscep_admin", page())
        .merge(portal)
        .merge(remote)
        .with_state(server)
}

/// What the listener for managed devices answers. Every request has the extension [`super::listen::ClientCertificate`].
pub fn managed(server: Arc<Server>) -> Router {
    enrolment().route(MANAGEMENT_PATH, any(management::service)).with_state(server)
}

/// The services of Windows enrolment, which answer 404 where it is off.
fn enrolment() -> Router<Arc<Server>> {
    Router::new()
        .route(DISCOVERY_PATH, get(enrollment::probe).post(enrollment::discovery))
        .route(POLICY_PATH, post(enrollment::policy))
        .route(ENROLLMENT_PATH, post(enrollment::enrollment))
}

/// What the administrator's socket answers.
pub fn administrator(server: Arc<Server>) -> Router {
    api::router::router(server)
}

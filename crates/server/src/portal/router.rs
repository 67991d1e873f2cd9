//! Which address is answered by what.

use std::sync::Arc;

use axum::{
    Router,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    middleware::from_fn,
    response::IntoResponse,
    routing::{get, post},
};

use super::{guard, home, identity, invitation, lost, roots, sign_in};
use crate::state::Server;

const STYLE: &str = include_str!("../../templates/portal/style.css");

/// Everything below `/portal`; nothing where the portal is off.
pub fn router(server: &Server) -> Router<Arc<Server>> {
    if server.portal.is_none() {
        return Router::new();
    }
    Router::new()
        .route("/portal", get(home::page))
        .route("/portal/", get(|| async { guard::to("/portal") }))
        .route("/portal/style.css", get(style))
        .route("/portal/sign-in", get(sign_in::page).post(sign_in::submit))
        .route("/portal/away", get(sign_in::leave))
        .route(sign_in::CALLBACK_PATH, get(sign_in::callback))
        .route("/portal/sign-out", post(sign_in::sign_out))
        .route("/portal/roots", get(roots::page))
        .route("/portal/roots/{file}", get(roots::file))
        .route("/portal/identity", post(identity::make))
        .route("/portal/file", post(identity::file))
        .route("/portal/challenge", post(identity::challenge))
        .route("/portal/invitation/{text}", get(invitation::page).post(invitation::fetch))
        .route("/portal/invitation-file", post(invitation::file))
        .route("/portal/lost", get(lost::ask).post(lost::report))
        .layer(from_fn(guard::guard))
}

async fn style() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "max-age=3600")], STYLE)
}

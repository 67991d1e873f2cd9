//! `/healthz` and `/metrics`.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{error::chain, state::Server};

/// 200 when the store can be read and written and no CRL has ended; otherwise 503 with the part that fails.
pub async fn healthz(State(server): State<Arc<Server>>) -> Response {
    let mut failing = Vec::new();
    if let Err(error) = server.store.check().await {
        tracing::error!(error = %chain(&error), "health: the store fails");
        failing.push("store");
    }
    let ring = server.keyring.get();
    for authority in ring.signing_crls(server.now()) {
        match server.store.load_crl(authority.name()).await {
            Ok(Some(crl)) if server.now() <= crl.next_update => {}
            _ => failing.push("crl"),
        }
    }
    let status = if failing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = if failing.is_empty() { "ok" } else { "failing" };
    (status, Json(json!({ "status": word, "failing": failing }))).into_response()
}

/// Counters in the text form of Prometheus.
pub async fn metrics(State(server): State<Arc<Server>>) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], server.telemetry.render()).into_response()
}

//! Recovery of archived keys.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::Extensions,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use lanyard_model::archive;
use lanyard_pki::pkcs12::Protection;

use super::{
    challenges::field,
    delivery_types::{AskRecovery, CarryOut, Recovered, Recovery},
    problem::ApiResult,
    router::person,
};
use crate::{flow::archive as flow, state::Server};

/// Most that are listed.
const MOST: u32 = 1000;

fn describe(recovery: archive::Recovery) -> Recovery {
    Recovery {
        id: recovery.id.to_string(),
        user: recovery.user.to_string(),
        reason: recovery.reason,
        asked_by: recovery.asked_by,
        asked_at: recovery.asked_at.to_string(),
        until: recovery.until.to_string(),
        approved_by: recovery.approved_by,
        given_out_at: recovery.given_out_at.map(|at| at.to_string()),
    }
}

/// `GET /recoveries`.
pub async fn list(State(server): State<Arc<Server>>) -> ApiResult<Vec<Recovery>> {
    Ok(Json(server.store.list_recoveries(MOST).await?.into_iter().map(describe).collect()))
}

/// `POST /recoveries`.
pub async fn ask(
    State(server): State<Arc<Server>>,
    extensions: Extensions,
    Json(wanted): Json<AskRecovery>,
) -> ApiResult<Recovery> {
    let user = field("user", &wanted.user)?;
    flow::ask(&server, user, &wanted.reason, &person(&extensions)).await.map(describe).map(Json)
}

/// `POST /recoveries/{id}/approve`.
pub async fn approve(State(server): State<Arc<Server>>, Path(id): Path<String>, extensions: Extensions) -> ApiResult<Recovery> {
    flow::approve(&server, field("id", &id)?, &person(&extensions)).await.map(describe).map(Json)
}

/// `POST /recoveries/{id}/carry-out`.
pub async fn carry_out(
    State(server): State<Arc<Server>>,
    Path(id): Path<String>,
    extensions: Extensions,
    Json(wanted): Json<CarryOut>,
) -> ApiResult<Recovered> {
    let protection = if wanted.old { Protection::Old } else { Protection::Modern };
    let made = flow::carry_out(&server, field("id", &id)?, protection, &person(&extensions)).await?;
    let passphrase = made.passphrase.expose().to_owned();
    Ok(Json(Recovered { file: STANDARD.encode(made.file), keys: made.keys, passphrase }))
}

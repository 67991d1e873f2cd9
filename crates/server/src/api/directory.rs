//! Users and devices.

use std::sync::Arc;

use axum::{Json, extract::State, http::Extensions};
use lanyard_model::audit::{AuditEvent, AuditKind};

use super::{
    problem::ApiResult,
    router::actor,
    types::{Device, User},
};
use crate::state::Server;

/// `GET /users`.
pub async fn list_users(State(server): State<Arc<Server>>) -> ApiResult<Vec<User>> {
    Ok(Json(server.store.list_users().await?))
}

/// `PUT /users`: adds or replaces one.
pub async fn save_user(State(server): State<Arc<Server>>, extensions: Extensions, Json(user): Json<User>) -> ApiResult<User> {
    let state = if user.disabled { "disabled" } else { "enabled" };
    let audit = AuditEvent {
        object: Some(format!("user {}", user.name)),
        detail: Some(state.to_owned()),
        ..server.event(AuditKind::DirectoryChanged, actor(&extensions))
    };
    server.store.save_user(user.clone(), audit).await?;
    Ok(Json(user))
}

/// `GET /devices`.
pub async fn list_devices(State(server): State<Arc<Server>>) -> ApiResult<Vec<Device>> {
    Ok(Json(server.store.list_devices().await?))
}

/// `PUT /devices`: adds or replaces one.
pub async fn save_device(
    State(server): State<Arc<Server>>,
    extensions: Extensions,
    Json(device): Json<Device>,
) -> ApiResult<Device> {
    let state = if device.blocked { "blocked" } else { "not blocked" };
    let audit = AuditEvent {
        object: Some(format!("device {}", device.id)),
        detail: Some(state.to_owned()),
        ..server.event(AuditKind::DirectoryChanged, actor(&extensions))
    };
    server.store.save_device(device.clone(), audit).await?;
    Ok(Json(device))
}

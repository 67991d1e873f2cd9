//! Users and devices.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::Extensions,
};
use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    secret::SecretText,
};

use super::{
    challenges::field,
    problem::ApiResult,
    router::actor,
    types::{Device, Import, Imported, Mistake, Password, User},
};
use crate::{
    error::ServerError,
    flow::import::{Kind, import as flow},
    mdm::password,
    state::Server,
};

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

/// `PUT /users/{name}/password`: sets the password with which a user signs in here.
pub async fn save_password(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    extensions: Extensions,
    Json(given): Json<Password>,
) -> ApiResult<bool> {
    let name = field("user", &name)?;
    if server.store.load_user(&name).await?.is_none() {
        return Err(ServerError::NotFound { what: "user", name: name.to_string() });
    }
    let hash = password::hash(SecretText::new(given.password)).await?;
    let audit = AuditEvent {
        object: Some(format!("user {name}")),
        detail: Some("a password was set".to_owned()),
        ..server.event(AuditKind::DirectoryChanged, actor(&extensions))
    };
    server.store.save_password(&name, hash, server.now(), audit).await?;
    Ok(Json(true))
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

/// `POST /import/users` and `POST /import/devices`: a whole CSV file, or nothing of it.
pub async fn import(
    State(server): State<Arc<Server>>,
    Path(kind): Path<String>,
    extensions: Extensions,
    Json(order): Json<Import>,
) -> ApiResult<Imported> {
    let kind = match kind.as_str() {
        "users" => Kind::Users,
        "devices" => Kind::Devices,
        _ => return Err(ServerError::NotFound { what: "import of", name: lanyard_model::text::printable(&kind) }),
    };
    let done = flow(&server, kind, &order.csv, order.dry_run, &actor(&extensions)).await?;
    let mistake = |m: crate::flow::import::Mistake| Mistake { line: m.line, column: m.column, problem: m.problem };
    Ok(Json(Imported {
        added: done.added,
        changed: done.changed,
        unchanged: done.unchanged,
        mistakes: done.mistakes.into_iter().map(mistake).collect(),
    }))
}

/// `DELETE /users/{name}`.
pub async fn remove_user(State(server): State<Arc<Server>>, Path(name): Path<String>, extensions: Extensions) -> ApiResult<bool> {
    let name = field("user", &name)?;
    let audit = removal(&server, format!("user {name}"), &extensions);
    if server.store.remove_user(&name, audit).await? {
        return Ok(Json(true));
    }
    Err(ServerError::NotFound { what: "user", name: name.to_string() })
}

/// `DELETE /devices/{id}`.
pub async fn remove_device(State(server): State<Arc<Server>>, Path(id): Path<String>, extensions: Extensions) -> ApiResult<bool> {
    let id = field("device", &id)?;
    let audit = removal(&server, format!("device {id}"), &extensions);
    if server.store.remove_device(&id, audit).await? {
        return Ok(Json(true));
    }
    Err(ServerError::NotFound { what: "device", name: id.to_string() })
}

fn removal(server: &Server, object: String, extensions: &Extensions) -> AuditEvent {
    let event = server.event(AuditKind::DirectoryChanged, actor(extensions));
    AuditEvent { object: Some(object), detail: Some("removed".to_owned()), ..event }
}

//! Groups of users and devices.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::Extensions,
};
use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    directory::Group,
    id::GroupName,
};

use super::{challenges::field, problem::ApiResult, router::actor, types::GroupChange};
use crate::{error::ServerError, state::Server};

/// `GET /groups`.
pub async fn list(State(server): State<Arc<Server>>) -> ApiResult<Vec<Group>> {
    Ok(Json(server.store.list_groups().await?))
}

/// `GET /groups/{name}`.
pub async fn show(State(server): State<Arc<Server>>, Path(name): Path<String>) -> ApiResult<Group> {
    let name: GroupName = field("group", &name)?;
    Ok(Json(find(&server, &name).await?))
}

async fn find(server: &Server, name: &GroupName) -> Result<Group, ServerError> {
    let found = server.store.load_group(name).await?;
    found.ok_or_else(|| ServerError::NotFound { what: "group", name: name.to_string() })
}

/// `PUT /groups`: adds one.
pub async fn add(State(server): State<Arc<Server>>, extensions: Extensions, Json(group): Json<Group>) -> ApiResult<Group> {
    if server.store.load_group(&group.name).await?.is_some() {
        return Err(ServerError::Conflict(format!("there is a group {} already", group.name)));
    }
    save(&server, group, "added", &actor(&extensions)).await
}

/// `POST /groups/{name}`: changes one.
pub async fn change(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    extensions: Extensions,
    Json(change): Json<GroupChange>,
) -> ApiResult<Group> {
    let mut group = find(&server, &field("group", &name)?).await?;
    if let Some(description) = change.description {
        group.description = description;
    }
    for name in &change.add_users {
        group.users.insert(field("add-users", name)?);
    }
    for name in &change.remove_users {
        let name = field("remove-users", name)?;
        if !group.users.remove(&name) {
            return Err(ServerError::NotFound { what: "user in the group", name: name.to_string() });
        }
    }
    for id in &change.add_devices {
        group.devices.insert(field("add-devices", id)?);
    }
    for id in &change.remove_devices {
        let id = field("remove-devices", id)?;
        if !group.devices.remove(&id) {
            return Err(ServerError::NotFound { what: "device in the group", name: id.to_string() });
        }
    }
    let what = format!("{} users, {} devices", group.users.len(), group.devices.len());
    save(&server, group, &what, &actor(&extensions)).await
}

async fn save(server: &Server, group: Group, what: &str, by: &str) -> ApiResult<Group> {
    let audit = AuditEvent {
        object: Some(format!("group {}", group.name)),
        detail: Some(what.to_owned()),
        ..server.event(AuditKind::DirectoryChanged, by)
    };
    server.store.save_group(group.clone(), audit).await?;
    Ok(Json(group))
}

/// `DELETE /groups/{name}`.
pub async fn remove(State(server): State<Arc<Server>>, Path(name): Path<String>, extensions: Extensions) -> ApiResult<bool> {
    let name: GroupName = field("group", &name)?;
    let audit = AuditEvent {
        object: Some(format!("group {name}")),
        detail: Some("removed".to_owned()),
        ..server.event(AuditKind::DirectoryChanged, actor(&extensions))
    };
    if server.store.remove_group(&name, audit).await? {
        return Ok(Json(true));
    }
    Err(ServerError::NotFound { what: "group", name: name.to_string() })
}

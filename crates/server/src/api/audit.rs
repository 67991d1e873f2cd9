//! The audit log.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Query, State},
};
use serde::Deserialize;

use super::{
    problem::ApiResult,
    types::{AuditRecord, AuditVerdict, digest},
};
use crate::{flow::audit_chain, state::Server};

/// What to list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Filter {
    after: u64,
    limit: u32,
}

/// `GET /audit`.
pub async fn list(State(server): State<Arc<Server>>, Query(filter): Query<Filter>) -> ApiResult<Vec<AuditRecord>> {
    let limit = if filter.limit == 0 { 100 } else { filter.limit.min(10_000) };
    let records = server.store.list_audit(filter.after, limit).await?;
    let described = records.into_iter().map(|record| AuditRecord {
        sequence: record.sequence,
        at: record.event.at.to_string(),
        kind: record.event.kind.to_string(),
        actor: record.event.actor,
        request: record.event.request.map(|id| id.to_string()),
        reason: record.event.reason,
        object: record.event.object,
        detail: record.event.detail,
        hash: digest(&record.hash),
    });
    Ok(Json(described.collect()))
}

/// `GET /audit/verify`.
pub async fn verify(State(server): State<Arc<Server>>) -> ApiResult<AuditVerdict> {
    let verdict = audit_chain::verify(&server).await?;
    Ok(Json(verdict))
}

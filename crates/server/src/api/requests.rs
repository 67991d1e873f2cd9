//! Requests.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Query, State},
    http::Extensions,
};
use lanyard_model::{
    id::RequestId,
    request::{RequestRecord, RequestState},
    text::printable,
};
use lanyard_store::ports::RequestFilter;
use serde::Deserialize;

use super::{
    problem::ApiResult,
    router::{actor, person},
    story,
    types::{Deny, Request},
};
use crate::{error::ServerError, flow::approve as flow, state::Server};

/// What to list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Filter {
    state: Option<String>,
    before: Option<String>,
    limit: u32,
}

/// `GET /requests`.
pub async fn list(State(server): State<Arc<Server>>, Query(filter): Query<Filter>) -> ApiResult<Vec<Request>> {
    let state = match filter.state.as_deref() {
        None => None,
        Some(word) => Some(RequestState::from_word(word).ok_or_else(|| {
            let known = "pending, granted, issued, denied, expired";
            ServerError::Invalid(format!("state '{}' is none of {known}", word.escape_debug()))
        })?),
    };
    let before = filter.before.as_deref().map(read_id).transpose()?;
    let found = server.store.list_requests(RequestFilter { state, before, limit: filter.limit }).await?;
    let mut described = Vec::with_capacity(found.len());
    for record in &found {
        let waits = record.state == RequestState::Pending;
        let approvals = if waits { approvals(&server, record).await? } else { Vec::new() };
        described.push(Request { approvals, ..describe(record) });
    }
    Ok(Json(described))
}

/// `GET /requests/{id}`: by id, or by the client's name of the transaction.
pub async fn show(State(server): State<Arc<Server>>, Path(id): Path<String>) -> ApiResult<Request> {
    let record = match id.parse::<RequestId>() {
        Ok(id) => server.store.load_request(id).await?,
        Err(_) => server.store.find_requests_by_text(&id).await?.into_iter().next(),
    };
    let record = record.ok_or_else(|| ServerError::NotFound { what: "request", name: printable(&id) })?;
    tell(&server, &record).await.map(Json)
}

/// `POST /requests/{id}/approve`.
pub async fn approve(State(server): State<Arc<Server>>, Path(id): Path<String>, extensions: Extensions) -> ApiResult<Request> {
    let id = read_id(&id)?;
    flow::approve(&server, id, &person(&extensions)).await?;
    describe_by_id(&server, id).await.map(Json)
}

/// `POST /requests/{id}/deny`.
pub async fn deny(
    State(server): State<Arc<Server>>,
    Path(id): Path<String>,
    extensions: Extensions,
    Json(order): Json<Deny>,
) -> ApiResult<Request> {
    let id = read_id(&id)?;
    flow::deny(&server, id, &actor(&extensions), &order.reason).await?;
    describe_by_id(&server, id).await.map(Json)
}

/// A request with its story.
///
/// # Errors
/// [`ServerError::NotFound`].
pub async fn describe_by_id(server: &Server, id: RequestId) -> Result<Request, ServerError> {
    let record = server.store.load_request(id).await?;
    tell(server, &record.ok_or_else(|| ServerError::NotFound { what: "request", name: id.to_string() })?).await
}

async fn approvals(server: &Server, record: &RequestRecord) -> Result<Vec<String>, ServerError> {
    let found = server.store.approvals_of(record.id).await?;
    Ok(found.into_iter().map(|a| format!("{} at {}", a.by, a.at)).collect())
}

async fn tell(server: &Server, record: &RequestRecord) -> Result<Request, ServerError> {
    let mut request = describe(record);
    request.approvals = approvals(server, record).await?;
    request.story = story::tell(server, record).await?;
    Ok(request)
}

fn read_id(text: &str) -> Result<RequestId, ServerError> {
    text.parse().map_err(|e: lanyard_model::id::IdError| ServerError::Invalid(e.to_string()))
}

/// A request for people and scripts.
#[must_use]
pub fn describe(record: &RequestRecord) -> Request {
    Request {
        id: record.id.to_string(),
        state: record.state.to_string(),
        protocol: record.protocol.to_string(),
        profile: record.profile.to_string(),
        transaction: printable(&record.transaction),
        renewal: record.renewal || record.renews.is_some(),
        subject: record.subject.as_ref().map(|s| printable(&s.to_string())),
        san: record.san.iter().map(|s| printable(&s.to_string())).collect(),
        key: record.key.clone(),
        template: record.template.as_ref().map(ToString::to_string),
        user: record.user.as_ref().map(ToString::to_string),
        device: record.device.as_ref().map(ToString::to_string),
        reason: record.reason.clone(),
        detail: record.detail.as_deref().map(printable),
        certificate: record.certificate.as_ref().map(|(_, serial)| serial.to_string()),
        challenge: record.challenge.clone(),
        peer: record.context.peer.clone(),
        user_agent: record.context.user_agent.clone(),
        client: record.context.client.map(|client| client.to_string()),
        recognised_by: record.context.recognised_by.clone(),
        accommodations: record.context.accommodations.clone(),
        received_at: record.received_at.to_string(),
        decided_at: record.decided_at.map(|t| t.to_string()),
        decided_by: record.decided_by.clone(),
        approvals: Vec::new(),
        story: Vec::new(),
    }
}

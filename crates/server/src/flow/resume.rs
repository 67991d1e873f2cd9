//! Requests that were granted but whose signature never came: the process ended between the two transactions.
//!
//! Nothing was answered, so nothing is lost; but the challenge is spent. When the device asks again, the abandoned serial number is
//! revoked (its signature may exist somewhere) and the request is decided again under a new one.

use lanyard_model::{
    id::RequestId,
    request::{RequestRecord, RequestState},
    time::Span,
};
use lanyard_store::ports::Opening;

use super::{
    approve::decide_again,
    enroll::Reopened,
    outcome::{Outcome, stored},
};
use crate::{error::ServerError, state::Server};

/// After this time a grant without a signature is taken for abandoned; signing itself takes milliseconds.
pub const ABANDONED_AFTER: Span = Span::from_secs(10);

/// Whether a granted request will never be signed. A node that is taken for dead and is not fails to store its signature afterwards,
/// because its intent is revoked by then.
#[must_use]
pub fn is_abandoned(server: &Server, record: &RequestRecord) -> bool {
    let began = record.decided_at.unwrap_or(record.received_at);
    // Where nodes share the work, one that began before this process may be signing at this moment.
    let of_an_earlier_process = !server.leadership.is_shared() && began < server.started_at;
    record.state == RequestState::Granted && (of_an_earlier_process || server.now() >= began + ABANDONED_AFTER)
}

/// The outcome of an earlier request by its id.
///
/// # Errors
/// Storage and key errors; [`ServerError::NotFound`].
pub async fn outcome_of(server: &Server, id: RequestId) -> Result<Outcome, ServerError> {
    match server.store.load_request(id).await? {
        Some(record) if is_abandoned(server, &record) => outcome(server, &record).await,
        _ => stored(server, id).await,
    }
}

/// The outcome of a granted request: waits while it is being signed, takes it up again when it was abandoned.
///
/// # Errors
/// Storage and key errors.
pub async fn outcome(server: &Server, record: &RequestRecord) -> Result<Outcome, ServerError> {
    if !is_abandoned(server, record) {
        return stored(server, record.id).await;
    }
    let Some((issuer, serial)) = record.certificate.clone() else { return stored(server, record.id).await };
    if record.claims.is_none() {
        return Ok(Outcome::Pending);
    }
    tracing::warn!(request = %record.id, %serial, "taking up a request whose signature never came");
    let reopened =
        Reopened { decided_by: record.decided_by.clone(), opening: Opening::Abandoned { issuer, serial }, challenge: None };
    let approvals = server.store.approvals_of(record.id).await?;
    let last = approvals.last().map(|a| a.by.clone()).or_else(|| record.decided_by.clone());
    let by = last.unwrap_or_else(|| "the decision before the interruption".into());
    decide_again(server, record, &by, reopened).await
}

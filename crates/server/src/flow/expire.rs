//! Requests that were held longer than their profile allows.

use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    request::{RequestRecord, RequestState},
    time::Timestamp,
};
use lanyard_store::ports::{Begun, RequestFilter};

use super::notices;
use crate::{
    error::{ServerError, chain},
    state::Server,
};

/// Stable code of the outcome.
pub const REASON: &str = "server.request-expired";

/// Whether a held request has waited too long.
#[must_use]
pub fn is_due(server: &Server, record: &RequestRecord, now: Timestamp) -> bool {
    let policy = server.policy();
    // A profile that is gone lets nobody wait.
    let until = policy.profiles.find(&record.profile).map(|p| record.received_at + p.pending_lifetime);
    record.state == RequestState::Pending && until.is_none_or(|until| now > until)
}

/// Marks a held request as expired, unless it was decided meanwhile.
///
/// # Errors
/// Storage errors.
pub async fn expire(server: &Server, record: &RequestRecord) -> Result<(), ServerError> {
    let detail = "held longer than the profile allows; nobody decided".to_owned();
    let expired = RequestRecord {
        state: RequestState::Expired,
        reason: Some(REASON.to_owned()),
        detail: Some(detail.clone()),
        claims: None,
        decided_at: Some(server.now()),
        ..record.clone()
    };
    let audit = AuditEvent {
        reason: Some(REASON.to_owned()),
        detail: Some(detail),
        ..server.request_event(AuditKind::RequestDenied, "job:expire", record.id)
    };
    let notices = notices::of_record(server, &expired)?;
    let told = !notices.is_empty();
    if server.store.save_denied(expired, None, notices, audit).await? == Begun::NotPending {
        // A person, the device's own poll or another node was faster: that counts.
        return Ok(());
    }
    server.outbox.wake(told);
    tracing::warn!(request = %record.id, "a held request expired");
    Ok(())
}

/// Expires every held request that is due. One that cannot be expired does not keep the others waiting.
///
/// # Errors
/// The last of the storage errors, after all requests were tried.
pub async fn expire_due(server: &Server) -> Result<(), ServerError> {
    let mut last_error = None;
    let mut filter = RequestFilter { state: Some(RequestState::Pending), before: None, limit: 500 };
    loop {
        let page = server.store.list_requests(filter.clone()).await?;
        for record in &page {
            if !is_due(server, record, server.now()) {
                continue;
            }
            if let Err(error) = expire(server, record).await {
                tracing::error!(request = %record.id, error = %chain(&error), "a held request cannot be expired");
                last_error = Some(error);
            }
        }
        match page.last() {
            Some(last) if page.len() == 500 => filter.before = Some(last.id),
            _ => return last_error.map_or(Ok(()), Err),
        }
    }
}

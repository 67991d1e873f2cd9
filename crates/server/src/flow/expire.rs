//! Ending the wait of requests that nobody decided about in time.

use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    request::RequestState,
};
use lanyard_store::ports::RequestFilter;

use crate::{error::ServerError, state::Server};

/// Stable code of the reason.
const EXPIRED: &str = "server.request-expired";
/// How many are looked at together.
const PAGE: u32 = 500;

/// Ends every held request that has waited longer than its profile allows, so that its device stops asking and nobody finds it on
/// the list of what is to be decided. A profile that is gone ends its requests too.
///
/// # Errors
/// Storage errors.
pub async fn held_requests(server: &Server) -> Result<(), ServerError> {
    let (policy, now) = (server.policy(), server.now());
    let mut before = None;
    loop {
        let filter = RequestFilter { state: Some(RequestState::Pending), before, limit: PAGE };
        let page = server.store.list_requests(filter).await?;
        let Some(last) = page.last() else { return Ok(()) };
        before = Some(last.id);
        for mut record in page {
            let until = policy.profiles.find(&record.profile).map(|p| record.received_at + p.pending_lifetime);
            if until.is_some_and(|until| now <= until) {
                continue;
            }
            let why = match until {
                Some(until) => format!("nobody decided about it until {until}"),
                None => format!("its profile {} does not exist any more", record.profile),
            };
            let id = record.id;
            record.state = RequestState::Expired;
            record.reason = Some(EXPIRED.to_owned());
            record.detail = Some(why.clone());
            record.decided_at = Some(now);
            record.claims = None;
            let audit = AuditEvent {
                reason: Some(EXPIRED.to_owned()),
                detail: Some(why),
                ..server.request_event(AuditKind::RequestDenied, "job:held-requests", id)
            };
            if let Err(error) = server.store.save_denied(record, None, audit).await {
                // Somebody decided at this very moment, which counts.
                tracing::warn!(request = %id, %error, "a held request cannot be ended");
            }
        }
    }
}

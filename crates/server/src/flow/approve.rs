//! A person's decision on a held request. The request is decided again with everything known now; an approval only adds to it.

use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    challenge::ChallengeId,
    enroll::{EnrollRequest, RequestSigner, RequestedContent},
    id::RequestId,
    request::{RequestRecord, RequestState},
    text::unhex,
};
use lanyard_ra::decide::{Approved, Facts, decide};
use lanyard_store::ports::Opening;

use super::{
    ask,
    enroll::{Reopened, carry_out, subjects},
    outcome::Outcome,
};
use crate::{error::ServerError, state::Server};

/// Approves a held request and issues, unless the rules refuse it now.
///
/// # Errors
/// [`ServerError::NotFound`], [`ServerError::Conflict`] when it is not pending.
pub async fn approve(server: &Server, id: RequestId, by: &str) -> Result<Outcome, ServerError> {
    let record = pending(server, id).await?;
    let audit = server.request_event(AuditKind::RequestApproved, by, id);
    server.store.append_audit(audit).await?;
    let reopened = Reopened { decided_by: Some(by.to_owned()), opening: Opening::Pending, challenge: None };
    decide_again(server, &record, Approved { by: by.to_owned() }, reopened).await
}

/// Decides a stored request again.
///
/// # Errors
/// Storage errors; [`ServerError::Conflict`] when the record holds no claims.
pub async fn decide_again(
    server: &Server,
    record: &RequestRecord,
    approval: Approved,
    mut reopened: Reopened,
) -> Result<Outcome, ServerError> {
    let request = request_of(record)?;
    reopened.challenge = record.challenge.as_deref().and_then(parse_challenge_id);
    let challenge = match reopened.challenge {
        Some(id) => server.store.load_challenge(id).await?,
        None => None,
    };
    let facts = subjects(server, Facts { challenge, approval: Some(approval), ..Facts::default() }).await?;
    let decision = decide(&request, &facts, &server.policy(), &server.challenge_keys, server.now());
    carry_out(server, &request, &record.context, decision, Some(reopened)).await
}

/// Denies a held request.
///
/// # Errors
/// [`ServerError::NotFound`], [`ServerError::Conflict`] when it is not pending.
pub async fn deny(server: &Server, id: RequestId, by: &str, why: &str) -> Result<(), ServerError> {
    let mut record = pending(server, id).await?;
    let why = lanyard_model::text::printable(why);
    record.state = RequestState::Denied;
    record.reason = Some("ra.approval-denied".into());
    record.detail = Some(format!("denied by {by}: {why}"));
    record.decided_at = Some(server.now());
    record.decided_by = Some(by.to_owned());
    let audit =
        AuditEvent { reason: record.reason.clone(), detail: Some(why), ..server.request_event(AuditKind::RequestDenied, by, id) };
    let report = ask::report_of_record(server, &record);
    server.store.save_denied(record, None, audit).await?;
    ask::tell(server, report);
    Ok(())
}

async fn pending(server: &Server, id: RequestId) -> Result<RequestRecord, ServerError> {
    let record = server.store.load_request(id).await?;
    let record = record.ok_or_else(|| ServerError::NotFound { what: "request", name: id.to_string() })?;
    if record.state == RequestState::Pending {
        Ok(record)
    } else {
        Err(ServerError::Conflict(format!("request {id} is {}, not pending", record.state)))
    }
}

/// The request as its record tells it, without the challenge's text, which is never stored.
fn request_of(record: &RequestRecord) -> Result<EnrollRequest, ServerError> {
    let unreadable = || ServerError::Conflict(format!("request {} holds no claims that could be decided", record.id));
    let content: RequestedContent =
        serde_json::from_slice(record.claims.as_deref().ok_or_else(unreadable)?).map_err(|_| unreadable())?;
    Ok(EnrollRequest {
        id: record.id,
        protocol: record.protocol,
        profile: record.profile.clone(),
        transaction: record.transaction.clone(),
        message_digest: record.message_digest,
        renewal: record.renewal,
        strong_signature: true,
        content,
        challenge: None,
        signer: RequestSigner::SelfSigned,
        signer_key_digest: record.signer_key_digest.ok_or_else(unreadable)?,
        received_at: record.received_at,
    })
}

fn parse_challenge_id(text: &str) -> Option<ChallengeId> {
    unhex(text)?.try_into().ok().map(ChallengeId)
}

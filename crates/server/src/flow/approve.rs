//! A person's decision on a held request. The request is decided again with everything known now; an approval only adds to it.

use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    challenge::ChallengeId,
    enroll::{EnrollRequest, RequestSigner, RequestedContent},
    id::RequestId,
    request::{ApprovalRecord, RequestRecord, RequestState},
    text::unhex,
};
use lanyard_ra::decide::{Approved, Facts, decide, may_approve};
use lanyard_store::ports::{Begun, Opening};

use super::{
    enroll::{Reopened, carry_out, with_subjects},
    notices,
    outcome::Outcome,
};
use crate::{error::ServerError, state::Server};

/// Who decides: as audited, and as a person.
#[derive(Debug, Clone)]
pub struct Person {
    /// As audited: `admin:uid-0`, `token:3f2a…`.
    pub actor: String,
    /// As a person, so that two logins of one are not two people: `user:jo`, or the actor where nothing more is known.
    pub identity: String,
}

/// Approves a held request. It is issued once as many people as its template asks for have approved, unless the rules refuse it now.
///
/// # Errors
/// [`ServerError::NotFound`]; [`ServerError::Conflict`] when it is not pending or the person approved before; [`ServerError::Policy`] when
/// the person may not approve it. The request then goes on waiting.
pub async fn approve(server: &Server, id: RequestId, by: &Person) -> Result<Outcome, ServerError> {
    let record = pending(server, id).await?;
    let needed = may_approve_now(server, &record, by).await?;
    let before = server.store.approvals_of(id).await?;
    let others: Vec<String> = before.iter().map(|a| a.by.clone()).filter(|one| *one != by.identity).collect();
    let enough = others.len() + 1 >= needed;
    let kind = if enough { AuditKind::RequestApproved } else { AuditKind::RequestApprovedInPart };
    let audit = AuditEvent {
        detail: (needed > 1).then(|| format!("{} of {needed}", others.len() + 1)),
        ..server.request_event(kind, &by.actor, id)
    };
    let approval = ApprovalRecord { request: id, by: by.identity.clone(), at: server.now() };
    if !server.store.approve_request(approval, audit).await? {
        // Somebody decided meanwhile, or this person approved before.
        let record = pending(server, id).await?;
        if !enough {
            return Err(ServerError::Conflict(format!(
                "{} approved request {} before; another person has to",
                by.identity, record.id
            )));
        }
    }
    // Counted after the own approval is stored: of two at the same time, at least one sees both.
    let approvals = server.store.approvals_of(id).await?;
    if approvals.len() < needed {
        return Ok(Outcome::Pending);
    }
    let reopened = Reopened { decided_by: Some(by.actor.clone()), opening: Opening::Pending, challenge: None };
    decide_again(server, &record, &by.identity, reopened).await
}

/// How many people have to approve a request, if this one may.
async fn may_approve_now(server: &Server, record: &RequestRecord, by: &Person) -> Result<usize, ServerError> {
    let policy = server.policy();
    let template = record.template.as_ref().and_then(|name| policy.templates.find(name));
    // A template that is gone is refused by the rules, whoever approves.
    let Some(template) = template else { return Ok(1) };
    let challenge = match record.challenge.as_deref().and_then(parse_challenge_id) {
        Some(id) => server.store.load_challenge(id).await?,
        None => None,
    };
    if let Some(binding) = challenge.and_then(|c| serde_json::from_slice(&c.binding).ok()) {
        may_approve(&by.identity, &binding, template.approval)?;
    }
    Ok(template.approval.persons().max(1))
}

/// Decides a stored request again, with what people approved and this last one.
///
/// # Errors
/// Storage errors; [`ServerError::Conflict`] when the record holds no claims.
pub async fn decide_again(
    server: &Server,
    record: &RequestRecord,
    by: &str,
    mut reopened: Reopened,
) -> Result<Outcome, ServerError> {
    let approvals = server.store.approvals_of(record.id).await?;
    let others = approvals.into_iter().map(|a| a.by).collect();
    let approval = Approved { by: by.to_owned(), others };
    let request = request_of(record)?;
    reopened.challenge = record.challenge.as_deref().and_then(parse_challenge_id);
    let challenge = match reopened.challenge {
        Some(id) => server.store.load_challenge(id).await?,
        None => None,
    };
    let facts = with_subjects(server, &record.profile, Facts { challenge, approval: Some(approval), ..Facts::default() }).await?;
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
    let notices = notices::of_record(server, &record)?;
    let told = !notices.is_empty();
    if server.store.save_denied(record, None, notices, audit).await? == Begun::NotPending {
        // Somebody decided meanwhile: that stands, and is told.
        pending(server, id).await?;
        return Err(ServerError::Conflict(format!("request {id} is being decided by somebody else")));
    }
    server.outbox.wake(told);
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

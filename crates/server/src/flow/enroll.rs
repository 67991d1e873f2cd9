//! The main job on one page: a request becomes a certificate, a held request, or a refusal.
//!
//! ```text
//! facts → decide → Grant → policy modules → prepare → transaction 1 (challenge, serial, intent, audit) → lint → sign → transaction 2
//!                → Pending → policy modules → stored with its challenge consumed
//!                → Denied → stored with its reason
//! ```

use lanyard_ca::prepare::prepare;
use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    challenge::{ChallengeId, ChallengeRecord, ChallengeUse},
    enroll::{EnrollRequest, Protocol, RequestSigner},
    id::ProfileName,
    request::{RequestContext, RequestRecord, RequestState},
    serial::SerialNumber,
    template::Approval,
};
use lanyard_pki::crypto::random::random;
use lanyard_ra::{
    challenge::locate,
    decide::{Decision, Denied, Facts, Held, decide, subjects_of},
    grant::Grant,
    reason::Reason,
};
use lanyard_store::ports::{Begun, ChallengeClaim, Durability, Intent, Opening, RenewalClaim};

use super::{
    adopt::{self, Permission},
    ask::{self, About},
    finish::{finish, withdraw},
    notices,
    outcome::{Outcome, stored},
    record, resume, subjects,
};
use crate::{error::ServerError, state::Server};

/// Tries for a free serial number; with 120 random bits the first one is free.
const SERIAL_TRIES: usize = 3;

/// Decides a request and does what was decided. Everything is stored before this returns.
///
/// # Errors
/// Our own failures only; a refusal is an [`Outcome`].
pub async fn enroll(server: &Server, request: &EnrollRequest, context: &RequestContext) -> Result<Outcome, ServerError> {
    let outcome = match adopt::permission(server, request, context) {
        Permission::Ours => by_rules(server, request, context).await,
        Permission::Certificate => {
            let request = EnrollRequest { challenge: None, ..request.clone() };
            by_rules(server, &request, context).await
        }
        Permission::Foreign(id, template) => adopt::foreign(server, request, context, id, &template).await,
        Permission::Secret(config) => adopt::secret(server, request, context, &config).await,
        Permission::Refused(denied) => carry_out(server, request, context, Decision::Denied(*denied), None).await,
    };
    if let Err(error) = &outcome {
        notices::keep_failure(server, request, &record::of(request, context), error).await;
    }
    outcome
}

async fn by_rules(server: &Server, request: &EnrollRequest, context: &RequestContext) -> Result<Outcome, ServerError> {
    let facts = match facts(server, request).await {
        Ok(facts) => facts,
        Err(error @ ServerError::Directory(_)) => return unanswered(server, request, context, &error).await,
        Err(error) => return Err(error),
    };
    let decision = decide(request, &facts, &server.policy(), &server.challenge_keys, server.now());
    if let Decision::Repeat(id) = decision {
        tracing::info!(request = %request.id, earlier = %id, "the same request again: the stored outcome answers it");
        return resume::outcome_of(server, id).await;
    }
    carry_out(server, request, context, decision, None).await
}

/// Refuses a request about which the directory could not be asked. The challenge stays unused.
async fn unanswered(
    server: &Server,
    request: &EnrollRequest,
    context: &RequestContext,
    error: &ServerError,
) -> Result<Outcome, ServerError> {
    let (reason, detail) = (Reason::DirectoryUnavailable, crate::error::chain(error));
    let denied = Denied { reason, detail, challenge: None, burn: false, template: None, user: None, device: None };
    carry_out(server, request, context, Decision::Denied(denied), None).await
}

/// What the rules need to know of the record.
///
/// # Errors
/// Storage errors.
pub async fn facts(server: &Server, request: &EnrollRequest) -> Result<Facts, ServerError> {
    let challenge = match request.challenge.as_ref().and_then(locate) {
        Some(id) => server.store.load_challenge(id).await?,
        None => None,
    };
    let signer_certificate = match &request.signer {
        RequestSigner::Ours { issuer, serial, .. } => server.store.load_certificate(issuer, serial).await?,
        _ => None,
    };
    with_subjects(server, &request.profile, Facts { challenge, signer_certificate, ..Facts::default() }).await
}

/// Adds the user and device that the facts name, and the profile's groups they are in.
///
/// # Errors
/// Storage errors; [`ServerError::Directory`].
pub async fn with_subjects(server: &Server, profile: &ProfileName, mut facts: Facts) -> Result<Facts, ServerError> {
    let named = subjects_of(&facts);
    let user = match named.user {
        Some(name) => subjects::user(server, &name).await?,
        None => None,
    };
    let device = match named.device {
        Some(id) => subjects::device(server, &id).await?,
        None => None,
    };
    facts.groups = subjects::groups(server, profile, user.as_ref(), device.as_ref()).await?;
    facts.user = user.map(|known| known.record);
    facts.device = device.map(|known| known.record);
    Ok(facts)
}

/// What stands behind a second decision on a stored request.
#[derive(Debug, Clone)]
pub struct Reopened {
    /// Who approved it.
    pub decided_by: Option<String>,
    /// What it was before.
    pub opening: Opening,
    /// The challenge it consumed.
    pub challenge: Option<ChallengeId>,
}

/// How an attempt to do what was decided ended.
#[derive(Debug)]
pub enum Attempt {
    /// With an outcome of this request.
    Own(Outcome),
    /// With the stored outcome of another request, or of another attempt.
    Others(Outcome),
    /// The permission to be adopted was taken by somebody else.
    Taken,
}

/// Does what was decided; what policy modules are to be told of it is stored with it. `reopened` when the request is stored already.
///
/// # Errors
/// Our own failures only.
pub async fn carry_out(
    server: &Server,
    request: &EnrollRequest,
    context: &RequestContext,
    decision: Decision,
    reopened: Option<Reopened>,
) -> Result<Outcome, ServerError> {
    match attempt(server, request, context, decision, reopened, None).await? {
        Attempt::Own(outcome) | Attempt::Others(outcome) => Ok(outcome),
        Attempt::Taken => Err(ServerError::Conflict("a permission was taken that nobody adopted".into())),
    }
}

/// Asks the policy modules and does what was decided. `adopt` is a challenge record to be saved before it is consumed.
///
/// # Errors
/// Our own failures only.
pub async fn attempt(
    server: &Server,
    request: &EnrollRequest,
    context: &RequestContext,
    decision: Decision,
    reopened: Option<Reopened>,
    adopt: Option<ChallengeRecord>,
) -> Result<Attempt, ServerError> {
    let mut record = record::of(request, context);
    if let Some(reopened) = &reopened {
        record.decided_by.clone_from(&reopened.decided_by);
        record.challenge = reopened.challenge.map(|id| id.to_string());
    }
    let approved_by = record.decided_by.clone();
    let objected = match &decision {
        Decision::Grant(grant) => ask::about_grant(server, request, context, grant, approved_by.as_deref()).await,
        Decision::Pending(held) => ask::about_hold(server, request, context, held).await,
        Decision::Repeat(_) | Decision::Denied(_) => Ok(()),
    };
    if let Err(objection) = objected {
        let about = About::of(&decision);
        let challenge = match &decision {
            // A permission that was not adopted is none of ours yet.
            Decision::Grant(grant) if adopt.is_none() => grant.challenge(),
            Decision::Pending(held) if adopt.is_none() => Some(held.challenge),
            _ => None,
        };
        return refuse(server, request, record, about.denied(objection, challenge)).await;
    }
    if let Some(adopted) = adopt
        && !adopt::adopt(server, request, adopted).await?
    {
        return Ok(Attempt::Taken);
    }
    match decision {
        Decision::Grant(grant) => issue(server, request, record, *grant, reopened).await,
        Decision::Pending(held) => hold(server, request, record, *held).await,
        Decision::Repeat(id) => stored(server, id).await.map(Attempt::Others),
        Decision::Denied(denied) => refuse(server, request, record, denied).await,
    }
}

async fn issue(
    server: &Server,
    request: &EnrollRequest,
    mut record: RequestRecord,
    grant: Grant,
    reopened: Option<Reopened>,
) -> Result<Attempt, ServerError> {
    let ring = server.keyring.get();
    let authority = ring.authority(&grant.content().issuer)?;
    record.claims = claims(request)?;
    let stays_here = authority.signs_in_process() && !ask::tells_first(server, &request.profile);
    let durability = if stays_here { Durability::WithCertificate } else { Durability::BeforeSigning };
    for _ in 0..SERIAL_TRIES {
        let now = server.now();
        let prepared = prepare(authority, &grant, SerialNumber::from_random(random()?), now)?;
        let serial = prepared.serial().clone();
        describe(&mut record, &grant, &serial, now);
        let intent = Intent {
            certificate: prepared.intent(now),
            audit: AuditEvent {
                object: Some(serial.to_string()),
                detail: record.detail.clone(),
                ..server.request_event(AuditKind::RequestGranted, request.protocol.to_string(), request.id)
            },
            request: Some(record.clone()),
            challenge: grant.challenge().filter(|_| reopened.is_none()).map(|id| claim(id, request, now)),
            renews: grant.renews().zip(grant.renews_from()).map(|((predecessor, seen), issuer)| RenewalClaim {
                issuer: issuer.clone(),
                predecessor: predecessor.clone(),
                seen_successor: seen.cloned(),
            }),
            opening: reopened.as_ref().map_or(Opening::New, |r| r.opening.clone()),
            now,
            durability,
        };
        match server.store.begin_issuance(intent).await? {
            Begun::Done => {
                let der = prepared.lint(authority)?.sign(authority)?;
                let outcome = Outcome::Issued { issuer: authority.name().clone(), der: der.clone() };
                let told = ask::tell_first(server, request, &grant, &outcome).await;
                return match told {
                    Ok(()) => {
                        let notices = notices::of(server, request, &record, Ok(&outcome))?;
                        finish(server, request, &grant, &serial, der, notices).await.map(|()| Attempt::Own(outcome))
                    }
                    Err(detail) => withdraw(server, request, &record, &grant, &serial, der, detail).await.map(Attempt::Own),
                };
            }
            Begun::SerialTaken => {}
            other => return lost(server, request, record, other, grant.challenge()).await,
        }
    }
    Err(ServerError::Conflict("no free serial number was found; is the random generator sound?".into()))
}

fn describe(record: &mut RequestRecord, grant: &Grant, serial: &SerialNumber, now: lanyard_model::time::Timestamp) {
    record.state = RequestState::Granted;
    record.template = grant.template().map(|(name, _)| name.clone());
    record.user = grant.user().cloned();
    record.device = grant.device().cloned();
    record.challenge = grant.challenge().map(|id| id.to_string()).or_else(|| record.challenge.take());
    record.renews = grant.renews().map(|(predecessor, _)| predecessor.clone());
    record.certificate = Some((grant.content().issuer.clone(), serial.clone()));
    record.decided_at = Some(now);
    let basis = match (&record.decided_by, grant.renews(), grant.challenge()) {
        (Some(person), _, _) => format!("approved by {person}"),
        (None, Some((predecessor, _)), _) => format!("renewal of certificate {predecessor}"),
        (None, None, Some(id)) => format!("every field agrees with challenge {id}"),
        (None, None, None) if record.protocol == Protocol::Wstep => "the user signed in and enrols a device".into(),
        (None, None, None) => "ordered by an administrator".into(),
    };
    record.reason = Some("ra.granted".into());
    record.detail = Some(basis);
}

/// Stores the claims, so that the request can be decided again if it is held or interrupted.
fn claims(request: &EnrollRequest) -> Result<Option<Vec<u8>>, ServerError> {
    let claims = serde_json::to_vec(&request.content);
    claims.map(Some).map_err(|e| ServerError::Conflict(format!("the claims cannot be stored: {e}")))
}

fn claim(id: ChallengeId, request: &EnrollRequest, now: lanyard_model::time::Timestamp) -> ChallengeClaim {
    let claim = ChallengeUse {
        at: now,
        request: request.id,
        csr_digest: request.content.csr_digest,
        key_digest: request.content.key.digest,
    };
    ChallengeClaim { id, claim }
}

async fn hold(server: &Server, request: &EnrollRequest, mut record: RequestRecord, held: Held) -> Result<Attempt, ServerError> {
    let now = server.now();
    record.state = RequestState::Pending;
    record.reason = Some("ra.approval-needed".into());
    let policy = server.policy();
    let approval = policy.templates.find(&held.binding.template).map(|t| t.approval);
    let whose = if approval == Some(Approval::TwoPersons) { "two people's" } else { "a person's" };
    record.detail = Some(format!("template {} asks for {whose} approval", held.binding.template));
    record.template = Some(held.binding.template.clone());
    record.user.clone_from(&held.binding.user);
    record.device.clone_from(&held.binding.device);
    record.challenge = Some(held.challenge.to_string());
    record.claims = claims(request)?;
    let audit = AuditEvent {
        detail: record.detail.clone(),
        ..server.request_event(AuditKind::RequestHeld, request.protocol.to_string(), request.id)
    };
    let notices = notices::of(server, request, &record, Ok(&Outcome::Pending))?;
    let told = !notices.is_empty();
    match server.store.hold_request(record.clone(), Some(claim(held.challenge, request, now)), notices, audit).await? {
        Begun::Done => {
            server.outbox.wake(told);
            tracing::info!(request = %request.id, "held for approval");
            Ok(Attempt::Own(Outcome::Pending))
        }
        other => lost(server, request, record, other, Some(held.challenge)).await,
    }
}

/// Somebody was faster, or the facts changed between decision and transaction.
async fn lost(
    server: &Server,
    request: &EnrollRequest,
    record: RequestRecord,
    begun: Begun,
    challenge: Option<ChallengeId>,
) -> Result<Attempt, ServerError> {
    let reason = match begun {
        Begun::ChallengeUsed(used) if used.csr_digest == request.content.csr_digest => {
            return stored(server, used.request).await.map(Attempt::Others);
        }
        Begun::ChallengeUsed(used) if used.key_digest != request.content.key.digest => Reason::ChallengeOtherKey,
        Begun::ChallengeUsed(_) => Reason::ChallengeUsed,
        Begun::ChallengeGone => Reason::ChallengeExpired,
        Begun::OtherKey(_) => Reason::TransactionOtherKey,
        Begun::PredecessorChanged => Reason::RenewalChanged,
        Begun::NotPending => return stored(server, request.id).await.map(Attempt::Others),
        Begun::ClockBehind(mark) => {
            return Err(ServerError::Conflict(format!(
                "the clock says {}, but something was signed at {mark}: nothing is issued until the clock is right",
                server.now()
            )));
        }
        Begun::Done | Begun::SerialTaken => return Err(ServerError::Conflict("the store answered out of turn".into())),
    };
    // Nothing to burn: the challenge, if any, is spent or gone.
    let detail = reason.sentence().to_owned();
    let denied = Denied { reason, detail, challenge, burn: false, template: None, user: None, device: None };
    refuse(server, request, record, denied).await
}

async fn refuse(
    server: &Server,
    request: &EnrollRequest,
    mut record: RequestRecord,
    denied: Denied,
) -> Result<Attempt, ServerError> {
    let now = server.now();
    let code = denied.reason.code();
    record.state = RequestState::Denied;
    record.reason = Some(code.to_owned());
    record.detail = Some(denied.detail.clone());
    record.decided_at = Some(now);
    record.certificate = None;
    record.template = denied.template.or(record.template);
    record.user = denied.user.or(record.user);
    record.device = denied.device.or(record.device);
    if record.challenge.is_none() {
        record.challenge = denied.challenge.map(|id| id.to_string());
    }
    let kind = if denied.reason.is_incident() { AuditKind::Incident } else { AuditKind::RequestDenied };
    let audit = AuditEvent {
        reason: Some(code.to_owned()),
        detail: Some(lanyard_model::text::printable(&denied.detail)),
        object: record.challenge.as_ref().map(|id| format!("challenge {id}")),
        ..server.request_event(kind, request.protocol.to_string(), request.id)
    };
    let burnt = denied.challenge.filter(|_| denied.burn).map(|id| claim(id, request, now));
    let outcome = Outcome::Refused { reason: code.to_owned() };
    let notices = notices::of(server, request, &record, Ok(&outcome))?;
    let told = !notices.is_empty();
    if server.store.save_denied(record, burnt, notices, audit).await? == Begun::NotPending {
        // Somebody decided meanwhile: that stands.
        return stored(server, request.id).await.map(Attempt::Others);
    }
    server.outbox.wake(told);
    tracing::warn!(request = %request.id, reason = code, detail = %denied.detail, "refused");
    Ok(Attempt::Own(outcome))
}

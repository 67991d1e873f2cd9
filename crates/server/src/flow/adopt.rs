//! Requests whose permission is none of our challenges: Intune's challenges and static secrets.

use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    challenge::{ChallengeId, ChallengeRecord},
    enroll::{EnrollRequest, RequestSigner},
    id::TemplateName,
    module::{ModuleConfig, StaticSecret},
    request::RequestContext,
    secret::SecretText,
};
use lanyard_pki::crypto::digest::{constant_time_eq, sha256};
use lanyard_ra::{
    challenge::locate,
    decide::{Adopted, Decision, Denied, Facts, decide_adopted},
    reason::Reason,
};

use super::{
    enroll::{Attempt, attempt},
    outcome::Outcome,
    resume,
};
use crate::{error::ServerError, state::Server};

/// What a request rests on.
pub enum Permission {
    /// A challenge of ours, or a certificate: the rules decide alone.
    Ours,
    /// The certificate that signs; the secret that comes with it permits nothing.
    Certificate,
    /// A challenge that a module judges, under this id and template.
    Foreign(ChallengeId, TemplateName),
    /// A static secret.
    Secret(StaticSecret),
    /// Refused already.
    Refused(Box<Denied>),
}

/// Finds out what a request rests on.
#[must_use]
pub fn permission(server: &Server, request: &EnrollRequest, context: &RequestContext) -> Permission {
    let policy = server.policy();
    let Some(profile) = policy.profiles.find(&request.profile) else { return Permission::Ours };
    let Some(challenge) = request.challenge.as_ref().filter(|text| !text.expose().is_empty()) else { return Permission::Ours };
    let modules = server.modules();
    if let Some((config, secret)) = modules.secret(&request.profile) {
        return with_secret(request, context, challenge, config, secret);
    }
    let intune = profile.modules.iter().find(|m| matches!(m, ModuleConfig::Intune(_)));
    match intune.and_then(ModuleConfig::adopts) {
        Some(template) => Permission::Foreign(server.challenge_keys.foreign_id(&request.profile, challenge), template.clone()),
        None => Permission::Ours,
    }
}

fn with_secret(
    request: &EnrollRequest,
    context: &RequestContext,
    challenge: &SecretText,
    config: &StaticSecret,
    secret: &SecretText,
) -> Permission {
    // Digests have one length, so not even that of the secret shows.
    let same = constant_time_eq(&sha256(challenge.expose().as_bytes()), &sha256(secret.expose().as_bytes()));
    if !same || locate(challenge).is_some() {
        return Permission::Ours;
    }
    if matches!(request.signer, RequestSigner::Ours { .. }) {
        return Permission::Certificate;
    }
    if context.address.is_some_and(|address| config.from.iter().any(|network| network.contains(address))) {
        return Permission::Secret(config.clone());
    }
    let detail = format!("the static secret came from {}", context.peer.as_deref().unwrap_or("an unknown address"));
    Permission::Refused(Box::new(denied(Reason::StaticSource, detail, &config.template)))
}

fn denied(reason: Reason, detail: String, template: &TemplateName) -> Denied {
    Denied { reason, detail, challenge: None, burn: false, template: Some(template.clone()), user: None, device: None }
}

/// Decides a request whose permission a module judges, and does what was decided.
///
/// # Errors
/// Our own failures only.
pub async fn foreign(
    server: &Server,
    request: &EnrollRequest,
    context: &RequestContext,
    id: ChallengeId,
    template: &TemplateName,
) -> Result<Outcome, ServerError> {
    // A second turn finds the record that somebody else adopted meanwhile, and is decided by that.
    loop {
        let known = server.store.load_challenge(id).await?;
        match one_turn(server, request, context, (id, known), template).await? {
            Turn::Ended(outcome) => return Ok(outcome),
            Turn::Taken => {}
        }
    }
}

/// Decides a request with the static secret: each certificate takes one place of the period's quota.
///
/// # Errors
/// Our own failures only.
pub async fn secret(
    server: &Server,
    request: &EnrollRequest,
    context: &RequestContext,
    config: &StaticSecret,
) -> Result<Outcome, ServerError> {
    let period = server.now().secs().div_euclid(config.period.secs().max(1));
    for n in 0..config.quota {
        let id = server.challenge_keys.slot_id(&request.profile, period, n);
        if let Some(taken) = server.store.load_challenge(id).await? {
            let same = taken.used.filter(|u| u.csr_digest == request.content.csr_digest);
            match same {
                Some(used) if used.key_digest == request.content.key.digest => {
                    return resume::outcome_of(server, used.request).await;
                }
                _ => continue,
            }
        }
        // A place that somebody takes meanwhile is found taken, and the next one is tried.
        if let Turn::Ended(outcome) = one_turn(server, request, context, (id, None), &config.template).await? {
            return Ok(outcome);
        }
    }
    let detail = format!("{} certificates a {} are allowed", config.quota, config.period);
    let decision = Decision::Denied(denied(Reason::StaticQuota, detail, &config.template));
    super::enroll::carry_out(server, request, context, decision, None).await
}

enum Turn {
    Ended(Outcome),
    Taken,
}

async fn one_turn(
    server: &Server,
    request: &EnrollRequest,
    context: &RequestContext,
    (id, known): (ChallengeId, Option<ChallengeRecord>),
    template: &TemplateName,
) -> Result<Turn, ServerError> {
    let facts = Facts { challenge: known, ..Facts::default() };
    let keys = &server.challenge_keys;
    let Adopted { decision, record } = decide_adopted(request, id, template, &facts, &server.policy(), keys, server.now());
    if let Decision::Repeat(earlier) = decision {
        tracing::info!(request = %request.id, %earlier, "the same request again: the stored outcome answers it");
        return resume::outcome_of(server, earlier).await.map(Turn::Ended);
    }
    let attempted = attempt(server, request, context, decision, None, record).await;
    match attempted {
        Ok(Attempt::Taken) => Ok(Turn::Taken),
        Ok(Attempt::Own(outcome) | Attempt::Others(outcome)) => Ok(Turn::Ended(outcome)),
        Err(error) => Err(error),
    }
}

/// Saves the record that a grant or a hold is about to consume; `false` if somebody else was faster.
///
/// # Errors
/// Storage errors.
pub async fn adopt(server: &Server, request: &EnrollRequest, record: ChallengeRecord) -> Result<bool, ServerError> {
    let audit = AuditEvent {
        object: Some(format!("challenge {}", record.id)),
        detail: Some("adopted from a permission that a policy module judges".to_owned()),
        ..server.request_event(AuditKind::ChallengeCreated, request.protocol.to_string(), request.id)
    };
    Ok(server.store.adopt_challenge(record, audit).await?)
}

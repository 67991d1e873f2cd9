//! Requests with a permission that somebody else gave: a challenge of Intune's, or a static secret (ndes-policy, sections 3 and 4).
//!
//! Nothing here says whether that permission is good: a policy module does, afterwards. What is decided is whether the request stays
//! within the one template that the module may issue. The names come from the CSR, since no record of ours has them; the template's
//! patterns limit them. The permission becomes a challenge record, so that it is used once like any other.

use lanyard_model::{
    challenge::{ChallengeId, ChallengeRecord},
    enroll::{EnrollRequest, RequestSigner},
    id::TemplateName,
    template::Approval,
    time::{Span, Timestamp},
};

use super::{
    challenged::{self, Use},
    compare,
    decision::{Decision, Facts, Held, Known},
    issue,
};
use crate::{
    challenge::{ChallengeKeys, verify},
    order::{self, ChallengeOrder},
    policy::Policy,
    reason::{Reason, Refusal},
};

/// How long an adopted record may be consumed; it is consumed in the next transaction.
const LIFE: Span = Span::from_secs(3600);

/// A decision, and the record to be saved before a grant or a hold consumes it.
#[derive(Debug)]
pub struct Adopted {
    /// The decision.
    pub decision: Decision,
    /// The record; `None` where there is nothing to consume.
    pub record: Option<ChallengeRecord>,
}

/// Decides about a request whose permission is remembered under `id`. `facts` need hold only the record of that id, if there is one.
#[must_use]
pub fn decide_adopted(
    request: &EnrollRequest,
    id: ChallengeId,
    template: &TemplateName,
    facts: &Facts,
    policy: &Policy,
    keys: &ChallengeKeys,
    now: Timestamp,
) -> Adopted {
    let known = Known { template: Some(template.clone()), ..Known::default() };
    match steps(request, id, template, facts, policy, keys, now) {
        Ok(adopted) => adopted,
        Err(refusal) => Adopted { decision: known.denied(refusal), record: None },
    }
}

fn steps(
    request: &EnrollRequest,
    id: ChallengeId,
    template: &TemplateName,
    facts: &Facts,
    policy: &Policy,
    keys: &ChallengeKeys,
    now: Timestamp,
) -> Result<Adopted, Refusal> {
    match &request.signer {
        RequestSigner::SelfSigned if request.signer_key_digest != request.content.key.digest => {
            return Err(Refusal::plain(Reason::SignerKeyMismatch));
        }
        RequestSigner::SelfSigned | RequestSigner::Ours { .. } => {}
        RequestSigner::Foreign | RequestSigner::User(_) | RequestSigner::Administrator(_) => {
            return Err(Refusal::plain(Reason::SignerForeign));
        }
    }
    // Adopted before: used since, or left by a request that went no further, which the same claims may take up.
    let mut waiting = None;
    if let Some(record) = facts.challenge.as_ref().filter(|record| record.id == id) {
        let adopted_for = verify::stored(record, keys)?;
        match challenged::earlier_use(request, record, None)? {
            Use::Repeated(earlier) => return Ok(Adopted { decision: Decision::Repeat(earlier), record: None }),
            Use::Fresh | Use::Held(_) => {}
        }
        verify::times(record, now)?;
        waiting = Some(adopted_for);
    }
    let order = ChallengeOrder {
        subject: Some(request.content.subject.clone()),
        san: Some(request.content.san.clone()),
        key: Some(request.content.key.kind),
        ..ChallengeOrder::of_records(template.clone(), request.profile.clone())
    };
    let binding = order::bind(&order, policy, request.protocol)?;
    let compiled = order::usable(policy, &binding.profile, &binding.template, request.protocol)?;
    let legacy = policy.profiles.find(&request.profile).is_some_and(|p| p.legacy_algorithms);
    if !request.strong_signature && !legacy {
        return Err(Refusal::plain(Reason::WeakSignature));
    }
    compare::claims(&request.content, &binding.subject, &binding.san, &binding.usages)?;

    if waiting.as_ref().is_some_and(|adopted_for| *adopted_for != binding) {
        return Err(Refusal::new(Reason::ChallengeUsed, "another request with other claims came with the same permission"));
    }
    let written = serde_json::to_vec(&binding).map_err(|e| Refusal::new(Reason::ChallengeSignature, e.to_string()))?;
    let mut record =
        ChallengeRecord { id, keyed_hash: [0; 32], binding: written, created_at: now, expires_at: now + LIFE, used: None };
    record.keyed_hash = keys.adopted_mac(&record);
    let decision = match compiled.template.approval {
        Approval::Person | Approval::TwoPersons => Decision::Pending(Box::new(Held { binding, challenge: id })),
        Approval::Automatic => {
            let grant = issue::from_binding(&compiled.template, binding, request, now).by_challenge(id, false);
            Decision::Grant(Box::new(grant))
        }
    };
    Ok(Adopted { decision, record: waiting.is_none().then_some(record) })
}

//! Requests with a challenge: first enrolments, and whatever else stands or falls by one.

use lanyard_model::{
    challenge::{ChallengeRecord, ChallengeUse},
    enroll::{EnrollRequest, RequestSigner},
    secret::SecretText,
    template::Approval,
    time::Timestamp,
};

use super::{
    approval, compare,
    decision::{Approved, Decision, Held, Known},
    entitled,
    entry::Case,
    issue,
};
use crate::{
    challenge::verify,
    order,
    pattern::Records,
    reason::{Reason, Refusal},
};

/// What the record says about earlier use of the challenge.
pub(super) enum Use {
    /// None.
    Fresh,
    /// This very request consumed it when it was held, and was approved since.
    Held(Timestamp),
    /// The same CSR and key in an earlier request.
    Repeated(lanyard_model::id::RequestId),
}

/// Decides by the challenge. The order of checks is: genuine, addressed to us, unused, in time; then the rules as they are now;
/// then who it is for; and only then the claims, so that a refusal names the first cause. `text` is absent for a request that
/// was held and approved.
pub(super) fn decide(case: &Case<'_>, text: Option<&SecretText>, known: &mut Known) -> Result<Decision, Refusal> {
    let Case { request, facts, policy, keys, now } = *case;
    let approval = facts.approval.as_ref();
    // Of a held request this was checked before it was held.
    let signed_by_other = request.signer == RequestSigner::SelfSigned && request.signer_key_digest != request.content.key.digest;
    if signed_by_other && approval.is_none() {
        return Err(Refusal::plain(Reason::SignerKeyMismatch));
    }
    let (record, binding) = match (text, facts.challenge.as_ref()) {
        (Some(text), record) => (record, verify::presented(text, record, keys)?),
        (None, Some(record)) => (Some(record), verify::stored(record, keys)?),
        (None, None) => return Err(Refusal::plain(Reason::ChallengeMissing)),
    };
    let Some(record) = record else { return Err(Refusal::plain(Reason::ChallengeUnknown)) };
    known.challenge = Some(record.id);
    known.template = Some(binding.template.clone());
    known.user.clone_from(&binding.user);
    known.device.clone_from(&binding.device);
    verify::audience(&binding, &policy.instance, &request.profile)?;

    let used_at = match earlier_use(request, record, approval)? {
        Use::Repeated(earlier) => return Ok(Decision::Repeat(earlier)),
        Use::Held(at) => at,
        Use::Fresh => now,
    };
    verify::times(record, used_at)?;

    let compiled = order::usable(policy, &binding.profile, &binding.template, request.protocol)?;
    let Some(profile) = policy.profiles.find(&binding.profile) else { return Err(Refusal::plain(Reason::ProfileUnknown)) };
    known.burn_on_mismatch = record.used.is_none() && profile.burn_on_mismatch;
    if !request.strong_signature && !profile.legacy_algorithms {
        return Err(Refusal::plain(Reason::WeakSignature));
    }
    if let Some(approved) = approval {
        approval::in_time(used_at + profile.pending_lifetime, now)?;
        approval::counts(approved, &binding, compiled.template.approval)?;
    }
    let (user, device) = entitled::check(binding.user.as_ref(), binding.device.as_ref(), facts)?;
    order::assigned(policy, &request.profile, &facts.groups)?;
    let records = Records { organization: &policy.organization, user, device };
    issue::binding_still_fits(compiled, &records, &binding)?;
    compare::claims(&request.content, &binding.subject, &binding.san, &binding.usages)?;
    compare::key(request.content.key.kind, binding.key)?;

    let template = &compiled.template;
    if template.approval != Approval::Automatic && approval.is_none() {
        return Ok(Decision::Pending(Box::new(Held { binding, challenge: record.id })));
    }
    let grant = issue::from_binding(template, binding, request, now).by_challenge(record.id, approval.is_some());
    Ok(Decision::Grant(Box::new(grant)))
}

/// Whether the challenge is genuine, spent, and was for the very identity whose certificate of ours signs the message.
pub(super) fn is_spent_for_signer(case: &Case<'_>, text: &SecretText) -> bool {
    let Case { request, facts, policy, keys, .. } = *case;
    let (Some(challenge), Some(signer)) = (&facts.challenge, &facts.signer_certificate) else { return false };
    let Ok(binding) = verify::presented(text, Some(challenge), keys) else { return false };
    let template = signer.template.as_ref().map(|(name, _)| name);
    challenge.used.is_some()
        && template == Some(&binding.template)
        && binding.subject.same_set(&signer.subject)
        && verify::audience(&binding, &policy.instance, &request.profile).is_ok()
}

/// Judges an earlier use. Only the request that was held with the challenge may come again with it, and only once approved.
pub(super) fn earlier_use(
    request: &EnrollRequest,
    record: &ChallengeRecord,
    approval: Option<&Approved>,
) -> Result<Use, Refusal> {
    let Some(used) = &record.used else {
        return match approval {
            None => Ok(Use::Fresh),
            Some(_) => Err(Refusal::plain(Reason::ApprovalUnfounded)),
        };
    };
    let ChallengeUse { at, request: by, csr_digest, key_digest } = used;
    if *key_digest != request.content.key.digest {
        let detail = format!("request {by} used the challenge at {at} with another key");
        return Err(Refusal::new(Reason::ChallengeOtherKey, detail));
    }
    // The outcome is repeated to its requester alone. A self-signed signer is that by its key; of another signer the record of
    // the challenge tells nothing.
    let same_signer = approval.is_some() || request.signer == RequestSigner::SelfSigned;
    if *csr_digest != request.content.csr_digest || !same_signer {
        let detail = format!("request {by} used the challenge at {at}");
        return Err(Refusal::new(Reason::ChallengeUsed, detail));
    }
    match approval {
        None => Ok(Use::Repeated(*by)),
        Some(_) if *by == request.id => Ok(Use::Held(*at)),
        Some(_) => Err(Refusal::plain(Reason::ApprovalUnfounded)),
    }
}

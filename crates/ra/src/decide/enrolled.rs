//! Enrolment of a device for management (MS-WSTEP): the server has authenticated the user and made the order; the request brings a key.

use lanyard_model::{
    enroll::{EnrollRequest, Protocol, RequestSigner},
    template::Approval,
    time::Timestamp,
};

use super::{
    decision::{Decision, Facts, Known},
    entitled, issue, renewal,
};
use crate::{
    grant::Grant,
    order::{self, ChallengeOrder},
    pattern::Records,
    policy::Policy,
    reason::{Reason, Refusal},
};

/// Decides about a first identity. Everything but the key comes from the order and the records it names: what the CSR of Windows says as
/// subject and extensions is documented as meaningless (`CN=ConfigMgrEnroll`), is compared with nothing and copied nowhere. `facts` need
/// hold only the user and device the order names, as they are on record.
#[must_use]
pub fn decide_enrolled(
    request: &EnrollRequest,
    order: &ChallengeOrder,
    facts: &Facts,
    policy: &Policy,
    now: Timestamp,
) -> Decision {
    first(request, order, facts, policy, now).unwrap_or_else(|refusal| Known::of_order(order).denied(refusal))
}

/// Decides about the identity that follows another of the same user and device, whose certificate signed the request and stands in `facts`.
/// It has the names of the old one, and may be issued under another template.
#[must_use]
pub fn decide_enrolled_renewal(
    request: &EnrollRequest,
    order: &ChallengeOrder,
    facts: &Facts,
    policy: &Policy,
    now: Timestamp,
) -> Decision {
    again(request, order, facts, policy, now).unwrap_or_else(|refusal| Known::of_order(order).denied(refusal))
}

fn first(
    request: &EnrollRequest,
    order: &ChallengeOrder,
    facts: &Facts,
    policy: &Policy,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let user = order.user.as_ref().map(|user| &user.name);
    match &request.signer {
        RequestSigner::User(name) if Some(name) == user => {}
        _ => return Err(Refusal::new(Reason::SignerForeign, "only the user whose device it is can enrol it")),
    }
    addressed(request, order)?;
    let key = Some(request.content.key.kind);
    let binding = order::bind(&ChallengeOrder { key, ..order.clone() }, policy, Protocol::Wstep)?;
    let compiled = order::usable(policy, &binding.profile, &binding.template, Protocol::Wstep)?;
    let (user, device) = entitled::check(binding.user.as_ref(), binding.device.as_ref(), facts)?;
    order::assigned(policy, &binding.profile, &facts.groups)?;
    let records = Records { organization: &policy.organization, user, device };
    issue::binding_still_fits(compiled, &records, &binding)?;
    if compiled.template.approval != Approval::Automatic {
        let detail = format!("template {} needs a person's approval, for which no device waits at enrolment", binding.template);
        return Err(Refusal::new(Reason::ApprovalDenied, detail));
    }
    Ok(Decision::Grant(Box::new(issue::from_binding(&compiled.template, binding, request, now))))
}

fn again(
    request: &EnrollRequest,
    order: &ChallengeOrder,
    facts: &Facts,
    policy: &Policy,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let RequestSigner::Ours { issuer, serial, digest } = &request.signer else {
        return Err(Refusal::plain(Reason::SignerForeign));
    };
    addressed(request, order)?;
    let record = renewal::on_record(request, facts, (issuer, serial), digest)?;
    let named = (order.user.as_ref().map(|u| &u.name), order.device.as_ref().map(|d| &d.id));
    if named != (record.user.as_ref(), record.device.as_ref()) {
        let detail = format!("certificate {serial} is not of the user and device that renew it");
        return Err(Refusal::new(Reason::RenewalCertificateMismatch, detail));
    }
    if let Some(revocation) = &record.revocation {
        let detail = format!("certificate {serial} was revoked at {} ({})", revocation.at, revocation.reason);
        return Err(Refusal::new(Reason::RenewalRevoked, detail));
    }
    let compiled = order::usable(policy, &order.profile, &order.template, Protocol::Wstep)?;
    let template = &compiled.template;
    renewal::in_window(record, &template.validity, now)?;
    let (user, device) = entitled::check(record.user.as_ref(), record.device.as_ref(), facts)?;
    order::assigned(policy, &order.profile, &facts.groups)?;
    let records = Records { organization: &policy.organization, user, device };
    issue::names_still_fit(compiled, &records, &record.subject, &record.san)?;
    order::key_accepted(template, request.content.key.kind)?;
    let key = request.content.key.clone();
    let content = issue::content(template, record.subject.clone(), record.san.clone(), key, now);
    let grant = Grant::new(content, request.id)
        .under(template.name.clone(), template.revision, order.profile.clone())
        .meant_for(record.user.clone(), record.device.clone())
        .renewing(record);
    Ok(Decision::Grant(Box::new(grant)))
}

fn addressed(request: &EnrollRequest, order: &ChallengeOrder) -> Result<(), Refusal> {
    if request.protocol != Protocol::Wstep {
        let detail = format!("an enrolment cannot come by {}", request.protocol);
        return Err(Refusal::new(Reason::ProtocolNotAllowed, detail));
    }
    if request.content.wants_ca {
        return Err(Refusal::plain(Reason::CaRequested));
    }
    if request.profile != order.profile {
        let detail = format!("the order is for profile {} and the request came to {}", order.profile, request.profile);
        return Err(Refusal::new(Reason::ChallengeOtherAudience, detail));
    }
    Ok(())
}

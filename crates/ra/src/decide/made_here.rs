//! Identities whose key the server makes: an administrator or the person concerned orders, and nothing but the order and the records decides.

use lanyard_model::{
    certificate::{CertificateRecord, CertificateStatus},
    challenge::Binding,
    enroll::{EnrollRequest, Protocol, RequestSigner},
    template::Approval,
    time::Timestamp,
};

use super::{
    decision::{Decision, Facts, Known},
    entitled, issue,
};
use crate::{
    error::RaError,
    order::{self, ChallengeOrder},
    pattern::Records,
    policy::Policy,
    reason::{Reason, Refusal},
};

/// What an order permits, so that no key is made in vain. [`decide_made_here`] decides.
///
/// # Errors
/// [`RaError::OrderRefused`].
pub fn permitted(order: &ChallengeOrder, policy: &Policy, protocol: Protocol) -> Result<Binding, RaError> {
    let bound = order::bind(order, policy, protocol);
    bound.map_err(|refusal| RaError::OrderRefused { reason: refusal.reason, detail: refusal.detail })
}

/// Decides about a key that the server made for an order. A person gets what the profile's `portal` lists, for themselves and for devices
/// that are theirs on record; an administrator gets what the template allows. Templates that a person approves are refused: nobody waits for
/// the file. `facts` need hold only the user and device the order names, as they are on record.
#[must_use]
pub fn decide_made_here(
    request: &EnrollRequest,
    order: &ChallengeOrder,
    facts: &Facts,
    policy: &Policy,
    now: Timestamp,
) -> Decision {
    steps(request, order, facts, policy, now).unwrap_or_else(|refusal| Known::of_order(order).denied(refusal))
}

/// Whether a person may order this for themselves.
///
/// # Errors
/// [`Reason::PortalNotAllowed`], [`Reason::SignerForeign`], [`Reason::DeviceOfAnother`].
pub fn may_order(order: &ChallengeOrder, person: &lanyard_model::id::UserName, policy: &Policy) -> Result<(), RaError> {
    own(order, person, policy).map_err(|refusal| RaError::OrderRefused { reason: refusal.reason, detail: refusal.detail })
}

fn own(order: &ChallengeOrder, person: &lanyard_model::id::UserName, policy: &Policy) -> Result<(), Refusal> {
    let listed = policy.profiles.find(&order.profile).is_some_and(|profile| profile.portal.contains(&order.template));
    if !listed {
        let detail = format!("profile {} does not list template {} under portal", order.profile, order.template);
        return Err(Refusal::new(Reason::PortalNotAllowed, detail));
    }
    if order.user.as_ref().map(|user| &user.name) != Some(person) || order.subject.is_some() || order.san.is_some() {
        return Err(Refusal::new(Reason::SignerForeign, "people order for themselves, under the names on record"));
    }
    match &order.device {
        Some(device) if device.user.as_ref() != Some(person) => {
            Err(Refusal::new(Reason::DeviceOfAnother, format!("the device {} is not {person}'s on record", device.id)))
        }
        _ => Ok(()),
    }
}

fn steps(
    request: &EnrollRequest,
    order: &ChallengeOrder,
    facts: &Facts,
    policy: &Policy,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    match &request.signer {
        RequestSigner::Administrator(_) => {}
        RequestSigner::User(person) => own(order, person, policy)?,
        _ => return Err(Refusal::new(Reason::SignerForeign, "only an administrator or the person concerned orders a key")),
    }
    if request.protocol != Protocol::Pfx {
        let detail = format!("the server makes no key for a request by {}", request.protocol);
        return Err(Refusal::new(Reason::ProtocolNotAllowed, detail));
    }
    if request.profile != order.profile {
        let detail = format!("the order is for profile {} and the request came to {}", order.profile, request.profile);
        return Err(Refusal::new(Reason::ChallengeOtherAudience, detail));
    }
    let key = Some(request.content.key.kind);
    let binding = order::bind(&ChallengeOrder { key, ..order.clone() }, policy, Protocol::Pfx)?;
    let compiled = order::usable(policy, &binding.profile, &binding.template, Protocol::Pfx)?;
    let (user, device) = entitled::check(binding.user.as_ref(), binding.device.as_ref(), facts)?;
    order::assigned(policy, &binding.profile, &facts.groups)?;
    let records = Records { organization: &policy.organization, user, device };
    issue::binding_still_fits(compiled, &records, &binding)?;
    if compiled.template.approval != Approval::Automatic {
        let detail = format!("template {} needs a person's approval, for which nobody waits here", binding.template);
        return Err(Refusal::new(Reason::ApprovalDenied, detail));
    }
    if let Some(before) = &facts.predecessor {
        succeeds(before, order, now)?;
    }
    let grant = issue::from_binding(&compiled.template, binding, request, now);
    Ok(Decision::Grant(Box::new(match &facts.predecessor {
        Some(before) => grant.renewing(before),
        None => grant,
    })))
}

/// A certificate takes the place of one that is valid, of the same person, device and template.
fn succeeds(before: &CertificateRecord, order: &ChallengeOrder, now: Timestamp) -> Result<(), Refusal> {
    let same = before.user.as_ref() == order.user.as_ref().map(|user| &user.name)
        && before.device.as_ref() == order.device.as_ref().map(|device| &device.id)
        && before.template.as_ref().map(|(name, _)| name) == Some(&order.template);
    if same && before.status(now) == CertificateStatus::Valid {
        return Ok(());
    }
    let detail = format!("certificate {} is not one that this order could take the place of", before.serial);
    Err(Refusal::new(Reason::SignerForeign, detail))
}

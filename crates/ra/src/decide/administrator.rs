//! Requests that an administrator makes with an order and a CSR in hand.

use lanyard_model::{
    enroll::{EnrollRequest, Protocol, RequestSigner},
    template::Approval,
    time::Timestamp,
};

use super::{
    compare,
    decision::{Decision, Facts, Known},
    entitled, issue,
};
use crate::{
    order::{self, ChallengeOrder},
    pattern::Records,
    policy::Policy,
    reason::{Reason, Refusal},
};

/// Decides about an administrator's CSR under an order, by the same rules as if the order had been made into a challenge and
/// the challenge come with the CSR. Where the order names no key, it is the CSR's, if the template accepts it. `facts` need hold only
/// the user and device the order names, as they are on record. A template that a person approves is refused: nobody approves an own
/// request (security.md, "Web").
#[must_use]
pub fn decide_administrator(
    request: &EnrollRequest,
    order: &ChallengeOrder,
    facts: &Facts,
    policy: &Policy,
    now: Timestamp,
) -> Decision {
    steps(request, order, facts, policy, now).unwrap_or_else(|refusal| Known::of_order(order).denied(refusal))
}

fn steps(
    request: &EnrollRequest,
    order: &ChallengeOrder,
    facts: &Facts,
    policy: &Policy,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let RequestSigner::Administrator(name) = &request.signer else {
        return Err(Refusal::new(Reason::SignerForeign, "only an administrator's request can come with an order"));
    };
    if request.protocol != Protocol::Api {
        let detail = format!("an order cannot come by {}", request.protocol);
        return Err(Refusal::new(Reason::ProtocolNotAllowed, detail));
    }
    if request.profile != order.profile {
        let detail = format!("the order is for profile {} and the request came to {}", order.profile, request.profile);
        return Err(Refusal::new(Reason::ChallengeOtherAudience, detail));
    }
    let key = order.key.or(Some(request.content.key.kind));
    let binding = order::bind(&ChallengeOrder { key, ..order.clone() }, policy, Protocol::Api)?;
    let compiled = order::usable(policy, &binding.profile, &binding.template, Protocol::Api)?;
    let (user, device) = entitled::check(binding.user.as_ref(), binding.device.as_ref(), facts)?;
    order::assigned(policy, &binding.profile, &facts.groups)?;
    let records = Records { organization: &policy.organization, user, device };
    issue::binding_still_fits(compiled, &records, &binding)?;
    compare::claims(&request.content, &binding.subject, &binding.san, &binding.usages)?;
    compare::key(request.content.key.kind, binding.key)?;
    if compiled.template.approval != Approval::Automatic {
        let detail = format!("template {} needs a person's approval, and {name} cannot approve an own request", binding.template);
        return Err(Refusal::new(Reason::ApprovalDenied, detail));
    }
    Ok(Decision::Grant(Box::new(issue::from_binding(&compiled.template, binding, request, now))))
}

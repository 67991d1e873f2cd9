//! Which rules a request falls under.

use lanyard_model::{
    enroll::{EnrollRequest, RequestSigner},
    time::Timestamp,
};

use super::{
    challenged,
    decision::{Decision, Facts, Known},
    renewal,
};
use crate::{
    challenge::ChallengeKeys,
    policy::Policy,
    reason::{Reason, Refusal},
};

/// Everything a decision looks at.
pub(super) struct Case<'a> {
    pub request: &'a EnrollRequest,
    pub facts: &'a Facts,
    pub policy: &'a Policy,
    pub keys: &'a ChallengeKeys,
    pub now: Timestamp,
}

/// Decides about a request (scep.md, section 7, steps 9 to 11).
///
/// The signer decides the rules, not what the message calls itself: a certificate that is not ours, or a self-signed one, never
/// renews, and a certificate of ours with a challenge stands or falls by the challenge. An empty challenge is none. `facts` must
/// have been loaded for this request; [`super::subjects_of`] tells which user and device. A request that was held and approved
/// comes without the text of its challenge, which is not stored; the record of the challenge, which must name this request as
/// its use, stands for it.
#[must_use]
pub fn decide(request: &EnrollRequest, facts: &Facts, policy: &Policy, keys: &ChallengeKeys, now: Timestamp) -> Decision {
    let case = Case { request, facts, policy, keys, now };
    let mut known = Known::default();
    let challenge = request.challenge.as_ref().filter(|text| !text.expose().is_empty());
    let outcome = match (&request.signer, challenge) {
        // QUIRK(certmonger 0.79, scepclient 2.1.0): send the spent challenge of the first enrolment again with every renewal. It
        // is not wrong and permits nothing: the certificate decides.
        (RequestSigner::Ours { issuer, serial, digest }, Some(text)) if challenged::is_spent_for_signer(&case, text) => {
            renewal::decide(&case, issuer, serial, digest, &mut known)
        }
        (RequestSigner::SelfSigned | RequestSigner::Ours { .. }, Some(text)) => challenged::decide(&case, Some(text), &mut known),
        (RequestSigner::SelfSigned, None) if facts.approval.is_some() => challenged::decide(&case, None, &mut known),
        (RequestSigner::Ours { issuer, serial, digest }, None) => renewal::decide(&case, issuer, serial, digest, &mut known),
        (RequestSigner::SelfSigned, None) => Err(Refusal::plain(Reason::ChallengeMissing)),
        (RequestSigner::Foreign, _) => Err(Refusal::plain(Reason::SignerForeign)),
        // These come with an order: `decide_enrolled`, `decide_administrator`.
        (RequestSigner::User(_), _) => Err(Refusal::new(Reason::ChallengeMissing, "a user's request came without an order")),
        (RequestSigner::Administrator(_), _) => {
            Err(Refusal::new(Reason::ChallengeMissing, "an administrator's request came without an order"))
        }
    };
    outcome.unwrap_or_else(|refusal| known.denied(refusal))
}

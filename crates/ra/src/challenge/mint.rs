//! Making challenges.

use lanyard_model::{
    challenge::{ChallengeId, ChallengeRecord},
    enroll::Protocol,
    secret::SecretText,
    time::Timestamp,
};

use super::{
    keys::ChallengeKeys,
    text::{self, Parts},
};
use crate::{
    error::RaError,
    order::{ChallengeOrder, bind},
    policy::Policy,
    profile::{MAX_CHALLENGE_LIFETIME, MIN_CHALLENGE_LIFETIME},
    reason::Refusal,
};

/// A new challenge: the text for the device, shown once, and what is stored.
#[derive(Debug)]
pub struct Minted {
    /// The challenge.
    pub text: SecretText,
    /// Its record, which does not contain the text.
    pub record: ChallengeRecord,
}

/// Makes a challenge for an order, if policy allows it. `random` must come from a cryptographic generator and never be reused.
///
/// # Errors
/// [`RaError::OrderRefused`], [`RaError::OrderLifetime`], [`RaError::Mint`].
pub fn mint(
    order: &ChallengeOrder,
    policy: &Policy,
    keys: &ChallengeKeys,
    random: [u8; 16],
    now: Timestamp,
) -> Result<Minted, RaError> {
    let refused = |Refusal { reason, detail }| RaError::OrderRefused { reason, detail };
    let binding = bind(order, policy, Protocol::Scep).map_err(refused)?;
    let lifetime = order.ttl.or_else(|| policy.profiles.find(&order.profile).map(|p| p.challenge_lifetime));
    let lifetime = lifetime.unwrap_or(MIN_CHALLENGE_LIFETIME);
    if !(MIN_CHALLENGE_LIFETIME..=MAX_CHALLENGE_LIFETIME).contains(&lifetime) {
        return Err(RaError::OrderLifetime { asked: lifetime.to_string() });
    }
    let expires_at = now.truncated() + lifetime;
    let expiry = u32::try_from(expires_at.secs())
        .map_err(|_| RaError::Mint { problem: format!("{expires_at} lies outside the years 1970 to 2106; set the clock") })?;
    let binding = serde_json::to_vec(&binding).map_err(|error| RaError::Mint { problem: error.to_string() })?;
    let id = ChallengeId(random);
    let text = text::encode(&Parts { id, expiry, mac: keys.mac(id, expiry, &binding) });
    let record = ChallengeRecord { id, keyed_hash: keys.keyed_hash(&text), binding, created_at: now, expires_at, used: None };
    Ok(Minted { text, record })
}

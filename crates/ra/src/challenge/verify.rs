//! Whether a challenge is genuine and addressed to us.

use lanyard_model::{
    challenge::{Binding, ChallengeRecord},
    id::ProfileName,
    secret::SecretText,
    time::Timestamp,
};
use lanyard_pki::crypto::digest::constant_time_eq;

use super::{
    keys::ChallengeKeys,
    text::{self, Parts},
};
use crate::reason::{Reason, Refusal};

/// Proves that the text is the challenge of this record and that the record is as it was made. What the record says about use
/// and time is not looked at here.
pub(crate) fn presented(
    presented: &SecretText,
    record: Option<&ChallengeRecord>,
    keys: &ChallengeKeys,
) -> Result<Binding, Refusal> {
    let parts = text::decode(presented).ok_or_else(|| {
        let length = presented.expose().chars().count();
        Refusal::new(Reason::ChallengeMalformed, format!("the challenge has {length} characters and is none of ours"))
    })?;
    let Some(record) = record.filter(|record| record.id == parts.id) else {
        return Err(Refusal::new(Reason::ChallengeUnknown, format!("no challenge {} is on record", parts.id)));
    };
    let altered = |what: &str| Refusal::new(Reason::ChallengeSignature, format!("challenge {}: {what}", record.id));
    let mac = keys.mac(parts.id, parts.expiry, &record.binding);
    let mac_agrees = constant_time_eq(&mac, &parts.mac);
    // Over the first spelling, whichever it came in.
    let hash_agrees = constant_time_eq(&keys.keyed_hash(&text::encode(&parts)), &record.keyed_hash);
    if !(mac_agrees && hash_agrees) {
        return Err(altered("its signature does not agree with the text and the record"));
    }
    if record.expires_at != Timestamp::from_secs(i64::from(parts.expiry)) {
        return Err(altered("the expiry on record is not the one it was made with"));
    }
    serde_json::from_slice(&record.binding).map_err(|_| altered("the binding on record cannot be read"))
}

/// Proves that the record is as it was made when the text is not at hand, as for a request that was held: the text follows from
/// the record and the signing key, and its keyed hash must be the stored one.
pub(crate) fn stored(record: &ChallengeRecord, keys: &ChallengeKeys) -> Result<Binding, Refusal> {
    let altered = || Refusal::new(Reason::ChallengeSignature, format!("the record of challenge {} was altered", record.id));
    if constant_time_eq(&keys.adopted_mac(record), &record.keyed_hash) {
        return serde_json::from_slice(&record.binding).map_err(|_| altered());
    }
    let expiry = u32::try_from(record.expires_at.secs()).map_err(|_| altered())?;
    let text = text::encode(&Parts { id: record.id, expiry, mac: keys.mac(record.id, expiry, &record.binding) });
    presented(&text, Some(record), keys).map_err(|_| altered())
}

/// Checks the audience (ndes-policy T25).
pub(crate) fn audience(binding: &Binding, instance: &str, profile: &ProfileName) -> Result<(), Refusal> {
    if binding.instance != instance {
        return Err(Refusal::plain(Reason::ChallengeOtherInstance));
    }
    if binding.profile != *profile {
        let detail = format!("the challenge is for profile {} and the request came to {profile}", binding.profile);
        return Err(Refusal::new(Reason::ChallengeOtherAudience, detail));
    }
    Ok(())
}

/// Checks the times at the moment of use.
pub(crate) fn times(record: &ChallengeRecord, used_at: Timestamp) -> Result<(), Refusal> {
    if used_at < record.created_at {
        let detail = format!("the challenge was made at {}, which has not come yet", record.created_at);
        return Err(Refusal::new(Reason::ChallengeNotYetValid, detail));
    }
    if used_at >= record.expires_at {
        return Err(Refusal::new(Reason::ChallengeExpired, format!("the challenge expired at {}", record.expires_at)));
    }
    Ok(())
}

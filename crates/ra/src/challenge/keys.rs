//! The keys of challenges.

use lanyard_model::{
    challenge::{ChallengeId, ChallengeRecord},
    id::ProfileName,
    secret::{SecretBytes, SecretText},
};
use lanyard_pki::crypto::digest::{hmac_sha256, sha256};

use super::text::VERSION;

/// Keys for signing challenges and for hashing them for storage, both from one master key.
#[derive(Debug, Clone)]
pub struct ChallengeKeys {
    signing: SecretBytes,
    storage: SecretBytes,
}

impl ChallengeKeys {
    /// Derives both keys by HMAC-SHA-256 with one label each.
    #[must_use]
    pub fn derive(master: &SecretBytes) -> Self {
        let derive = |label: &[u8]| SecretBytes::new(hmac_sha256(master.expose(), &[label]).to_vec());
        Self { signing: derive(b"lanyard-challenge-signing-v1"), storage: derive(b"lanyard-challenge-storage-v1") }
    }

    /// The MAC over everything in a challenge and everything it binds. All parts have fixed sizes.
    pub(super) fn mac(&self, id: ChallengeId, expiry: u32, binding: &[u8]) -> [u8; 32] {
        let parts: [&[u8]; 5] = [b"lanyard-challenge-v1", &[VERSION], &id.0, &expiry.to_be_bytes(), &sha256(binding)];
        hmac_sha256(self.signing.expose(), &parts)
    }

    /// The id under which a challenge that somebody else made is remembered at a profile. The same text has the same id.
    #[must_use]
    pub fn foreign_id(&self, profile: &ProfileName, text: &SecretText) -> ChallengeId {
        let mac = hmac_sha256(
            self.storage.expose(),
            &[b"lanyard-foreign-v1", &sha256(profile.as_str().as_bytes()), text.expose().as_bytes()],
        );
        short(mac)
    }

    /// The id of the n-th use of a profile's static secret in a period.
    #[must_use]
    pub fn slot_id(&self, profile: &ProfileName, period: i64, n: u32) -> ChallengeId {
        let parts: [&[u8]; 4] =
            [b"lanyard-slot-v1", &sha256(profile.as_str().as_bytes()), &period.to_be_bytes(), &n.to_be_bytes()];
        short(hmac_sha256(self.storage.expose(), &parts))
    }

    /// Stands in the record of an adopted challenge where others have the hash of their text: proves that it was not altered.
    pub(crate) fn adopted_mac(&self, record: &ChallengeRecord) -> [u8; 32] {
        let times = [record.created_at.0.to_be_bytes(), record.expires_at.0.to_be_bytes()].concat();
        let parts: [&[u8]; 4] = [b"lanyard-adopted-v1", &record.id.0, &times, &sha256(&record.binding)];
        hmac_sha256(self.storage.expose(), &parts)
    }

    /// The keyed hash that is stored in place of the challenge.
    pub(super) fn keyed_hash(&self, text: &SecretText) -> [u8; 32] {
        hmac_sha256(self.storage.expose(), &[text.expose().as_bytes()])
    }
}

fn short(mac: [u8; 32]) -> ChallengeId {
    let mut id = [0; 16];
    for (to, from) in id.iter_mut().zip(mac) {
        *to = from;
    }
    ChallengeId(id)
}

//! The keys of challenges.

use lanyard_model::{
    challenge::ChallengeId,
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

    /// The keyed hash that is stored in place of the challenge.
    pub(super) fn keyed_hash(&self, text: &SecretText) -> [u8; 32] {
        hmac_sha256(self.storage.expose(), &[text.expose().as_bytes()])
    }
}

//! Keys made of passwords, as files of keys and certificates (PKCS#12) use them.

use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use lanyard_model::secret::SecretBytes;

use crate::signature::Digest;

/// What a key derived by [`pkcs12`] is for (RFC 7292, appendix B.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A key for encryption.
    Key = 1,
    /// An initialisation vector.
    InitialisationVector = 2,
    /// A key for the integrity of the file.
    Mac = 3,
}

/// PBKDF2 (RFC 8018, section 5.2) with HMAC of this digest.
#[must_use]
pub fn pbkdf2(prf: Digest, password: &[u8], salt: &[u8], iterations: NonZeroU32, length: usize) -> SecretBytes {
    let algorithm = match prf {
        Digest::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
        Digest::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
        Digest::Sha384 => pbkdf2::PBKDF2_HMAC_SHA384,
        Digest::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
    };
    let mut key = vec![0; length];
    pbkdf2::derive(algorithm, iterations, salt, password, &mut key);
    SecretBytes::new(key)
}

/// The derivation of PKCS#12 itself (RFC 7292, appendix B.2). The password is a BMPString with its two closing zeros.
#[must_use]
pub fn pkcs12(
    digest: Digest,
    purpose: Purpose,
    password: &[u8],
    salt: &[u8],
    iterations: NonZeroU32,
    length: usize,
) -> SecretBytes {
    let (algorithm, block) = match digest {
        Digest::Sha1 => (&digest::SHA1_FOR_LEGACY_USE_ONLY, 64),
        Digest::Sha256 => (&digest::SHA256, 64),
        Digest::Sha384 => (&digest::SHA384, 128),
        Digest::Sha512 => (&digest::SHA512, 128),
    };
    let filled = |text: &[u8]| -> Vec<u8> { text.iter().copied().cycle().take(text.len().div_ceil(block) * block).collect() };
    let mut input = [filled(salt), filled(password)].concat();
    let mut key = Vec::with_capacity(length + block);
    while key.len() < length {
        let mut round = digest::digest(algorithm, &[vec![purpose as u8; block], input.clone()].concat());
        for _ in 1..iterations.get() {
            round = digest::digest(algorithm, round.as_ref());
        }
        key.extend_from_slice(round.as_ref());
        let step: Vec<u8> = round.as_ref().iter().copied().cycle().take(block).collect();
        for part in input.chunks_mut(block) {
            add_one_and(part, &step);
        }
    }
    key.truncate(length);
    SecretBytes::new(key)
}

/// `part + step + 1` as big-endian numbers, modulo their size.
fn add_one_and(part: &mut [u8], step: &[u8]) {
    let mut carry = 1_u16;
    for (octet, more) in part.iter_mut().rev().zip(step.iter().rev()) {
        let sum = u16::from(*octet) + u16::from(*more) + carry;
        let [high, low] = sum.to_be_bytes();
        *octet = low;
        carry = u16::from(high);
    }
}

/// The HMAC of a message under a key.
#[must_use]
pub fn hmac(digest: Digest, key: &SecretBytes, message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac_algorithm(digest), key.expose()), message).as_ref().to_vec()
}

const fn hmac_algorithm(digest: Digest) -> hmac::Algorithm {
    match digest {
        Digest::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        Digest::Sha256 => hmac::HMAC_SHA256,
        Digest::Sha384 => hmac::HMAC_SHA384,
        Digest::Sha512 => hmac::HMAC_SHA512,
    }
}

/// Whether this is the HMAC of a message under a key; compared in constant time.
#[must_use]
pub fn is_hmac(digest: Digest, key: &SecretBytes, message: &[u8], mac: &[u8]) -> bool {
    hmac::verify(&hmac::Key::new(hmac_algorithm(digest), key.expose()), message, mac).is_ok()
}

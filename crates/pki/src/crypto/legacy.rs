//! What old files of keys are protected with, and nothing else may be: RC2, and keys derived by MD5. Reading only.

use lanyard_model::secret::SecretBytes;
use md5::{Digest as _, Md5};
use rc2::cipher::{Array, BlockCipherDecrypt};

use crate::error::PkiError;

/// Effective length of an RC2 key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rc2 {
    /// 40 bits, the usual one for certificates in files of before 2020.
    Bits40,
    /// 128 bits.
    Bits128,
}

impl Rc2 {
    /// Length of the key in octets.
    #[must_use]
    pub const fn key_length(self) -> usize {
        match self {
            Self::Bits40 => 5,
            Self::Bits128 => 16,
        }
    }
}

const BLOCK: usize = 8;

/// Decrypts RC2 in CBC mode with PKCS#7 padding.
///
/// # Errors
/// [`PkiError::Decrypt`].
pub fn rc2_decrypt(bits: Rc2, key: &SecretBytes, iv: &[u8], ciphertext: &[u8]) -> Result<SecretBytes, PkiError> {
    let cipher = rc2::Rc2::new_with_eff_key_len(key.expose(), bits.key_length() * 8);
    if ciphertext.is_empty() || !ciphertext.len().is_multiple_of(BLOCK) || iv.len() != BLOCK {
        return Err(PkiError::Decrypt);
    }
    let mut plain = Vec::with_capacity(ciphertext.len());
    let mut before = iv;
    for block in ciphertext.chunks_exact(BLOCK) {
        let mut one = Array::try_from(block).map_err(|_| PkiError::Decrypt)?;
        cipher.decrypt_block(&mut one);
        plain.extend(one.iter().zip(before).map(|(octet, mask)| octet ^ mask));
        before = block;
    }
    let padding = usize::from(plain.last().copied().unwrap_or_default());
    let length = plain.len().checked_sub(padding).filter(|_| (1..=BLOCK).contains(&padding)).ok_or(PkiError::Decrypt)?;
    let padded = plain.get(length..).is_some_and(|end| end.iter().all(|octet| usize::from(*octet) == padding));
    plain.truncate(length);
    let plain = SecretBytes::new(plain);
    if padded { Ok(plain) } else { Err(PkiError::Decrypt) }
}

/// The key that OpenSSL derives for encrypted PEM in the form of before PKCS#8: MD5 over what came before, password and salt, again and again.
#[must_use]
pub fn openssl_key(password: &[u8], salt: &[u8], length: usize) -> SecretBytes {
    let mut key = Vec::with_capacity(length + 16);
    let mut last: Vec<u8> = Vec::new();
    while key.len() < length {
        let mut digest = Md5::new();
        digest.update(&last);
        digest.update(password);
        digest.update(salt);
        last = digest.finalize().to_vec();
        key.extend_from_slice(&last);
    }
    key.truncate(length);
    SecretBytes::new(key)
}

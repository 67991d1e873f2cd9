//! Content encryption in CBC mode with PKCS#7 padding.

// The DES constants are deprecated to make their use stand out; only legacy profiles reach them, see docs/divergences.md.
#![allow(deprecated)]

use aws_lc_rs::{
    cipher::{
        AES_128, AES_192, AES_256, Algorithm, DES_EDE3_FOR_LEGACY_USE_ONLY, DES_FOR_LEGACY_USE_ONLY, DecryptionContext,
        EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey, UnboundCipherKey,
    },
    iv::FixedLength,
    rand,
};
use lanyard_model::{oid::Oid, secret::SecretBytes};

use crate::{error::PkiError, oids};

/// Content-encryption algorithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentCipher {
    /// AES-128-CBC, mandatory in RFC 8894.
    Aes128,
    /// AES-192-CBC.
    Aes192,
    /// AES-256-CBC.
    Aes256,
    /// Triple DES in CBC mode; legacy profiles only.
    TripleDes,
    /// Single DES in CBC mode; legacy profiles only.
    Des,
}

impl ContentCipher {
    /// Identifier.
    #[must_use]
    pub const fn oid(self) -> Oid {
        match self {
            Self::Aes128 => oids::AES128_CBC,
            Self::Aes192 => oids::AES192_CBC,
            Self::Aes256 => oids::AES256_CBC,
            Self::TripleDes => oids::DES_EDE3_CBC,
            Self::Des => oids::DES_CBC,
        }
    }

    /// From an identifier.
    ///
    /// # Errors
    /// [`PkiError::Unsupported`].
    pub fn from_oid(oid: Oid) -> Result<Self, PkiError> {
        [Self::Aes128, Self::Aes192, Self::Aes256, Self::TripleDes, Self::Des]
            .into_iter()
            .find(|c| c.oid() == oid)
            .ok_or_else(|| PkiError::Unsupported { what: "content encryption", value: oid.to_string() })
    }

    /// Length of the key in octets.
    #[must_use]
    pub const fn key_length(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Aes192 | Self::TripleDes => 24,
            Self::Aes256 => 32,
            Self::Des => 8,
        }
    }

    /// Length of the initialisation vector in octets.
    #[must_use]
    pub const fn iv_length(self) -> usize {
        match self {
            Self::Aes128 | Self::Aes192 | Self::Aes256 => 16,
            Self::TripleDes | Self::Des => 8,
        }
    }

    /// Whether it is only for legacy profiles.
    #[must_use]
    pub const fn is_legacy(self) -> bool {
        matches!(self, Self::TripleDes | Self::Des)
    }

    /// Name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes128 => "AES-128-CBC",
            Self::Aes192 => "AES-192-CBC",
            Self::Aes256 => "AES-256-CBC",
            Self::TripleDes => "3DES-CBC",
            Self::Des => "DES-CBC",
        }
    }

    const fn algorithm(self) -> &'static Algorithm {
        match self {
            Self::Aes128 => &AES_128,
            Self::Aes192 => &AES_192,
            Self::Aes256 => &AES_256,
            Self::TripleDes => &DES_EDE3_FOR_LEGACY_USE_ONLY,
            Self::Des => &DES_FOR_LEGACY_USE_ONLY,
        }
    }
}

const FAULT: PkiError = PkiError::Key { what: "content-encryption", problem: "encryption failed" };

/// Encrypts under a fresh random key: the key, the initialisation vector, the ciphertext.
///
/// # Errors
/// [`PkiError::Key`] when the generator fails.
pub fn encrypt(cipher: ContentCipher, plain: &[u8]) -> Result<(SecretBytes, Vec<u8>, Vec<u8>), PkiError> {
    let mut key = vec![0; cipher.key_length()];
    rand::fill(&mut key).map_err(|_| FAULT)?;
    let unbound = UnboundCipherKey::new(cipher.algorithm(), &key).map_err(|_| FAULT)?;
    let encrypting = PaddedBlockEncryptingKey::cbc_pkcs7(unbound).map_err(|_| FAULT)?;
    let mut in_out = plain.to_vec();
    let context: DecryptionContext = encrypting.encrypt(&mut in_out).map_err(|_| FAULT)?;
    let iv = <&[u8]>::try_from(&context).map_err(|_| FAULT)?.to_vec();
    Ok((SecretBytes::new(key), iv, in_out))
}

/// Encrypts under a given key and initialisation vector; for test vectors and callers that share a key between recipients.
///
/// # Errors
/// [`PkiError::Key`] when lengths do not fit.
pub fn encrypt_with(cipher: ContentCipher, key: &SecretBytes, iv: &[u8], plain: &[u8]) -> Result<Vec<u8>, PkiError> {
    let unbound = UnboundCipherKey::new(cipher.algorithm(), key.expose()).map_err(|_| FAULT)?;
    let encrypting = PaddedBlockEncryptingKey::cbc_pkcs7(unbound).map_err(|_| FAULT)?;
    let context = if cipher.iv_length() == 8 {
        EncryptionContext::Iv64(FixedLength::try_from(iv).map_err(|_| FAULT)?)
    } else {
        EncryptionContext::Iv128(FixedLength::try_from(iv).map_err(|_| FAULT)?)
    };
    let mut in_out = plain.to_vec();
    encrypting.less_safe_encrypt(&mut in_out, context).map_err(|_| FAULT)?;
    Ok(in_out)
}

/// Decrypts.
///
/// # Errors
/// [`PkiError::Decrypt`], always the same.
pub fn decrypt(cipher: ContentCipher, key: &SecretBytes, iv: &[u8], ciphertext: &[u8]) -> Result<SecretBytes, PkiError> {
    let fault = |_| PkiError::Decrypt;
    let unbound = UnboundCipherKey::new(cipher.algorithm(), key.expose()).map_err(|_| PkiError::Decrypt)?;
    let decrypting = PaddedBlockDecryptingKey::cbc_pkcs7(unbound).map_err(|_| PkiError::Decrypt)?;
    let context = if cipher.iv_length() == 8 {
        DecryptionContext::Iv64(FixedLength::try_from(iv).map_err(fault)?)
    } else {
        DecryptionContext::Iv128(FixedLength::try_from(iv).map_err(fault)?)
    };
    let mut in_out = ciphertext.to_vec();
    let length = decrypting.decrypt(&mut in_out, context).map_err(|_| PkiError::Decrypt)?.len();
    in_out.truncate(length);
    Ok(SecretBytes::new(in_out))
}

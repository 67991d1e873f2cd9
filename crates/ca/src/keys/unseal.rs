//! The key that opens the sealed keys.

use argon2::{Algorithm, Argon2, Params, Version};
use lanyard_model::{
    secret::{SecretBytes, SecretText},
    text::{hex, unhex},
};
use lanyard_pki::crypto::random::random;

use crate::error::CaError;

/// The key that opens the sealed keys: from a key file, or from a passphrase through Argon2id (RFC 9106).
#[derive(Clone)]
pub struct UnsealKey(pub(super) SecretBytes);

/// Salt and cost of a passphrase, stored beside the keys: `argon2id:<memory KiB>:<passes>:<lanes>:<salt hex>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derivation {
    memory: u32,
    passes: u32,
    lanes: u32,
    salt: [u8; 16],
}

impl Derivation {
    /// A fresh salt with 256 MiB, 3 passes and 1 lane: about half a second.
    ///
    /// # Errors
    /// [`CaError::Crypto`] when the generator fails.
    pub fn generate() -> Result<Self, CaError> {
        let salt = random().map_err(|source| CaError::Crypto { action: "make a salt", source })?;
        Ok(Self { memory: 256 * 1024, passes: 3, lanes: 1, salt })
    }

    /// The stored form.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("argon2id:{}:{}:{}:{}", self.memory, self.passes, self.lanes, hex(&self.salt))
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`CaError::Derivation`].
    pub fn from_text(text: &str) -> Result<Self, CaError> {
        let fault = || CaError::Derivation("the stored salt and cost cannot be read".into());
        let parts: Vec<&str> = text.split(':').collect();
        let ["argon2id", memory, passes, lanes, salt] = parts.as_slice() else { return Err(fault()) };
        let number = |text: &str| text.parse::<u32>().map_err(|_| fault());
        Ok(Self {
            memory: number(memory)?,
            passes: number(passes)?,
            lanes: number(lanes)?,
            salt: unhex(salt).and_then(|s| s.try_into().ok()).ok_or_else(fault)?,
        })
    }
}

impl UnsealKey {
    /// Contents of a new key file: 64 hexadecimal digits and a line end.
    ///
    /// # Errors
    /// [`CaError::Crypto`] when the generator fails.
    pub fn generate_file() -> Result<SecretText, CaError> {
        let octets = random::<32>().map_err(|source| CaError::Crypto { action: "make the unseal key", source })?;
        Ok(SecretText::new(format!("{}\n", hex(&octets))))
    }

    /// From the contents of a key file.
    ///
    /// # Errors
    /// [`CaError::UnsealFile`].
    pub fn from_file(contents: &SecretText) -> Result<Self, CaError> {
        let octets = unhex(contents.expose().trim()).filter(|o| o.len() == 32).ok_or(CaError::UnsealFile)?;
        Ok(Self(SecretBytes::new(octets)))
    }

    /// From a passphrase. Takes about half a second and 256 MiB.
    ///
    /// # Errors
    /// [`CaError::Derivation`].
    pub fn from_passphrase(passphrase: &SecretText, derivation: &Derivation) -> Result<Self, CaError> {
        let fault = |e: argon2::Error| CaError::Derivation(e.to_string());
        let params = Params::new(derivation.memory, derivation.passes, derivation.lanes, Some(32)).map_err(fault)?;
        let mut key = vec![0; 32];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.expose().as_bytes(), &derivation.salt, &mut key)
            .map_err(fault)?;
        Ok(Self(SecretBytes::new(key)))
    }
}

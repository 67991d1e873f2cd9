//! Private keys as the rest of the program sees them.

use lanyard_model::{key::PublicKey, secret::SecretBytes};

use crate::{cms::enveloped::KeyTransport, error::PkiError, signature::SignatureAlgorithm};

/// A private key that signs. It may be in software, an HSM or a TPM; the call may block.
pub trait Signer: Send + Sync {
    /// Its public half.
    fn public_key(&self) -> &PublicKey;

    /// Signs the message (not its digest).
    ///
    /// # Errors
    /// [`PkiError::Key`] when the key cannot do this algorithm or its device fails.
    fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, PkiError>;

    /// Whether signatures are made in this process, so that one that was not given out is lost with it. A device or a service that
    /// signs may remember what it signed.
    fn is_in_process(&self) -> bool {
        false
    }
}

/// A private key that unwraps content-encryption keys. Kept apart from [`Signer`] so that the key of an authority, which only
/// ever becomes a `Signer`, has no way to decrypt.
pub trait Decrypter: Send + Sync {
    /// Its public half.
    fn public_key(&self) -> &PublicKey;

    /// Unwraps an encrypted key.
    ///
    /// # Errors
    /// [`PkiError::Decrypt`], always the same.
    fn unwrap_key(&self, transport: KeyTransport, encrypted: &[u8]) -> Result<SecretBytes, PkiError>;
}

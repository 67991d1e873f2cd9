//! The device's private keys.

use std::sync::Arc;

use lanyard_model::{
    key::{KeyKind, PublicKey},
    secret::{SecretBytes, SecretText},
};
use lanyard_pki::{
    crypto::software::{SoftwareDecrypter, SoftwareSigner, generate},
    key::{Decrypter, Signer},
    pem,
};

use crate::{blocking::blocking, error::AgentError};

/// A software key that signs requests and opens answers. RSA only: SCEP encrypts the answer to it.
pub struct DeviceKey {
    pkcs8: SecretBytes,
    signer: SoftwareSigner,
    decrypter: SoftwareDecrypter,
}

impl DeviceKey {
    /// Makes a key on this device.
    ///
    /// # Errors
    /// [`AgentError::KeyKind`] for other than RSA; [`AgentError::Own`].
    pub async fn generate(kind: KeyKind) -> Result<Arc<Self>, AgentError> {
        if !kind.is_rsa() {
            return Err(AgentError::KeyKind(kind));
        }
        blocking(move || Self::from_pkcs8(generate(kind).map_err(AgentError::Own)?)).await
    }

    /// Takes a key over: PKCS#8, DER.
    ///
    /// # Errors
    /// [`AgentError::KeyKind`] for other than RSA; [`AgentError::Own`] when it cannot be read.
    pub fn from_pkcs8(pkcs8: SecretBytes) -> Result<Arc<Self>, AgentError> {
        let signer = SoftwareSigner::from_pkcs8(&pkcs8).map_err(AgentError::Own)?;
        let kind = signer.public_key().kind;
        if !kind.is_rsa() {
            return Err(AgentError::KeyKind(kind));
        }
        let decrypter = SoftwareDecrypter::from_pkcs8(&pkcs8).map_err(AgentError::Own)?;
        Ok(Arc::new(Self { pkcs8, signer, decrypter }))
    }

    /// Takes a key over: PKCS#8, PEM.
    ///
    /// # Errors
    /// Like [`DeviceKey::from_pkcs8`].
    pub fn from_pem(text: &SecretText) -> Result<Arc<Self>, AgentError> {
        Self::from_pkcs8(pem::decode_key(text).map_err(AgentError::Own)?)
    }

    /// PKCS#8, PEM: the form in which it is stored.
    #[must_use]
    pub fn to_pem(&self) -> SecretText {
        pem::encode_key(&self.pkcs8)
    }

    /// PKCS#8, DER.
    #[must_use]
    pub const fn pkcs8(&self) -> &SecretBytes {
        &self.pkcs8
    }

    /// Its public half.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        self.signer.public_key()
    }

    /// Signs.
    #[must_use]
    pub const fn signer(&self) -> &dyn Signer {
        &self.signer
    }

    /// Opens answers.
    #[must_use]
    pub const fn decrypter(&self) -> &dyn Decrypter {
        &self.decrypter
    }
}

impl std::fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DeviceKey({}, …)", self.public_key().kind)
    }
}

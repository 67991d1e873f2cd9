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

/// A software key that signs and, if it is RSA, opens what is encrypted to it.
pub struct DeviceKey {
    pkcs8: SecretBytes,
    signer: SoftwareSigner,
    decrypter: Option<SoftwareDecrypter>,
}

impl DeviceKey {
    /// Makes a key for SCEP on this device, which encrypts answers to it: RSA.
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
    /// [`AgentError::Own`] when it cannot be read.
    pub fn from_pkcs8(pkcs8: SecretBytes) -> Result<Arc<Self>, AgentError> {
        let signer = SoftwareSigner::from_pkcs8(&pkcs8).map_err(AgentError::Own)?;
        let rsa = signer.public_key().kind.is_rsa();
        let decrypter = rsa.then(|| SoftwareDecrypter::from_pkcs8(&pkcs8)).transpose().map_err(AgentError::Own)?;
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

    /// Opens what is encrypted to it.
    ///
    /// # Errors
    /// [`AgentError::KeyKind`] for other than RSA.
    pub fn decrypter(&self) -> Result<&dyn Decrypter, AgentError> {
        match &self.decrypter {
            Some(decrypter) => Ok(decrypter),
            None => Err(AgentError::KeyKind(self.public_key().kind)),
        }
    }
}

impl std::fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DeviceKey({}, …)", self.public_key().kind)
    }
}

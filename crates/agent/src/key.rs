//! The device's private keys.

use std::sync::Arc;

use lanyard_model::{
    key::{KeyKind, PublicKey},
    secret::{SecretBytes, SecretText},
    template::KeyProtection,
};
use lanyard_pki::{
    crypto::software::{SoftwareDecrypter, SoftwareSigner, generate},
    key::{Decrypter, Signer},
    pem,
    signature::SignatureAlgorithm,
};
use serde::{Deserialize, Serialize};

use crate::{
    blocking::blocking,
    error::AgentError,
    tpm::{Pin, PinSource, PinWanted, TpmKey, pin},
};

/// Where a private key is.
///
/// STORED: in `about.json`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyPlace {
    /// In a file of the store.
    #[default]
    Software,
    /// In the TPM.
    Tpm,
    /// In the TPM, guarded by a PIN.
    TpmPin,
}

impl KeyPlace {
    /// The protection that a successor of such a key gets.
    #[must_use]
    pub const fn protection(self, exportable: bool) -> KeyProtection {
        match (self, exportable) {
            (Self::Software, true) => KeyProtection::SoftwareExportable,
            (Self::Software, false) => KeyProtection::Software,
            (Self::Tpm, _) => KeyProtection::Tpm,
            (Self::TpmPin, _) => KeyProtection::TpmPin,
        }
    }
}

impl std::fmt::Display for KeyPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Software => "software",
            Self::Tpm => "tpm",
            Self::TpmPin => "tpm-pin",
        })
    }
}

/// A key that signs and, if it is RSA, opens what is encrypted to it.
pub struct DeviceKey {
    inner: Inner,
}

enum Inner {
    Software { pkcs8: SecretBytes, signer: SoftwareSigner, decrypter: Option<SoftwareDecrypter> },
    Tpm(TpmKey),
}

/// A key that was made.
#[derive(Debug)]
pub struct Made {
    /// The key.
    pub key: Arc<DeviceKey>,
    /// Why it is not in the TPM, though it would have been.
    pub instead: Option<AgentError>,
}

impl DeviceKey {
    /// Makes a software key for SCEP on this device, which encrypts answers to it: RSA.
    ///
    /// # Errors
    /// [`AgentError::KeyKind`] for other than RSA; [`AgentError::Own`].
    pub async fn generate(kind: KeyKind) -> Result<Arc<Self>, AgentError> {
        if !kind.is_rsa() {
            return Err(AgentError::KeyKind(kind));
        }
        blocking(move || Self::from_pkcs8(generate(kind).map_err(AgentError::Own)?)).await
    }

    /// Makes a key for SCEP under this protection. `pin` guards it; without one, the source is asked if one is needed.
    ///
    /// # Errors
    /// Those of [`DeviceKey::generate`] and [`TpmKey::create`]; [`AgentError::PinNeeded`].
    pub async fn make(
        kind: KeyKind,
        protection: KeyProtection,
        pin: Option<Pin>,
        source: Option<PinSource>,
    ) -> Result<Made, AgentError> {
        if !kind.is_rsa() {
            return Err(AgentError::KeyKind(kind));
        }
        let pin = match protection {
            KeyProtection::Software | KeyProtection::SoftwareExportable => {
                return Ok(Made { key: Self::generate(kind).await?, instead: None });
            }
            KeyProtection::Tpm | KeyProtection::TpmOptional => None,
            KeyProtection::TpmPin => match pin {
                Some(pin) => Some(pin),
                None => Some(blocking(move || pin::ask(source.as_ref(), &PinWanted::New)).await?),
            },
        };
        let made = blocking(move || TpmKey::create(kind, pin)).await;
        match made {
            Ok(key) => Ok(Made { key: Arc::new(Self { inner: Inner::Tpm(key) }), instead: None }),
            Err(why) if protection == KeyProtection::TpmOptional && why.is_absent_tpm() => {
                Ok(Made { key: Self::generate(kind).await?, instead: Some(why) })
            }
            Err(error) => Err(error),
        }
    }

    /// Takes a key over: PKCS#8, DER.
    ///
    /// # Errors
    /// [`AgentError::Own`] when it cannot be read.
    pub fn from_pkcs8(pkcs8: SecretBytes) -> Result<Arc<Self>, AgentError> {
        let signer = SoftwareSigner::from_pkcs8(&pkcs8).map_err(AgentError::Own)?;
        let rsa = signer.public_key().kind.is_rsa();
        let decrypter = rsa.then(|| SoftwareDecrypter::from_pkcs8(&pkcs8)).transpose().map_err(AgentError::Own)?;
        Ok(Arc::new(Self { inner: Inner::Software { pkcs8, signer, decrypter } }))
    }

    /// Takes a key over: PKCS#8, PEM.
    ///
    /// # Errors
    /// Like [`DeviceKey::from_pkcs8`].
    pub fn from_pem(text: &SecretText) -> Result<Arc<Self>, AgentError> {
        Self::from_pkcs8(pem::decode_key(text).map_err(AgentError::Own)?)
    }

    /// Takes over what was kept of a key in the TPM. The TPM is not asked.
    ///
    /// # Errors
    /// [`AgentError::Own`] when it cannot be read.
    pub fn from_tpm_pem(text: &SecretText) -> Result<Arc<Self>, AgentError> {
        let key = TpmKey::from_pem(text).map_err(AgentError::Own)?;
        Ok(Arc::new(Self { inner: Inner::Tpm(key) }))
    }

    /// The form in which it is stored: PKCS#8, or what the TPM encrypted; PEM.
    #[must_use]
    pub fn to_stored(&self) -> SecretText {
        match &self.inner {
            Inner::Software { pkcs8, .. } => pem::encode_key(pkcs8),
            Inner::Tpm(key) => key.to_pem(),
        }
    }

    /// PKCS#8, PEM.
    ///
    /// # Errors
    /// [`AgentError::KeyInTpm`].
    pub fn to_pem(&self) -> Result<SecretText, AgentError> {
        self.pkcs8().map(pem::encode_key)
    }

    /// PKCS#8, DER.
    ///
    /// # Errors
    /// [`AgentError::KeyInTpm`].
    pub const fn pkcs8(&self) -> Result<&SecretBytes, AgentError> {
        match &self.inner {
            Inner::Software { pkcs8, .. } => Ok(pkcs8),
            Inner::Tpm(_) => Err(AgentError::KeyInTpm),
        }
    }

    /// Where it is.
    #[must_use]
    pub const fn place(&self) -> KeyPlace {
        match &self.inner {
            Inner::Software { .. } => KeyPlace::Software,
            Inner::Tpm(key) if key.is_guarded() => KeyPlace::TpmPin,
            Inner::Tpm(_) => KeyPlace::Tpm,
        }
    }

    /// Asks for the PIN, if there is one that was not given yet. Whether it is right, the TPM tells when the key is used. May block.
    ///
    /// # Errors
    /// [`AgentError::PinNeeded`]; those of the source.
    pub fn unlock(&self, source: Option<&PinSource>, subject: &str) -> Result<(), AgentError> {
        match &self.inner {
            Inner::Tpm(key) if key.is_locked() => {
                key.unlock(pin::ask(source, &PinWanted::Use { subject: subject.to_owned() })?);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Uses it once if a PIN guards it, so that a wrong one is known before anything else is done. May block.
    ///
    /// # Errors
    /// [`AgentError::WrongPin`], [`AgentError::PinLocked`] and whatever else the TPM says.
    pub(crate) fn prove(&self) -> Result<(), AgentError> {
        if self.place() != KeyPlace::TpmPin {
            return Ok(());
        }
        let natural = SignatureAlgorithm::natural(self.public_key().kind);
        // Nobody ever sees this signature, and nothing is signed that could mean something.
        self.signer().sign(natural, b"").map(drop).map_err(|error| self.cause(AgentError::Own(error)))
    }

    /// Gives it the PIN of another key, as a key has that was made to succeed another.
    pub(crate) fn unlock_like(&self, other: &Self) {
        if let (Inner::Tpm(key), Some(pin)) = (&self.inner, other.pin()) {
            key.unlock(pin);
        }
    }

    /// The PIN, where there is one that was given.
    pub(crate) fn pin(&self) -> Option<Pin> {
        match &self.inner {
            Inner::Tpm(key) => key.pin().cloned(),
            Inner::Software { .. } => None,
        }
    }

    /// Its public half.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        self.signer().public_key()
    }

    /// Signs. A key in the TPM takes up to a second, and blocks.
    #[must_use]
    pub const fn signer(&self) -> &dyn Signer {
        match &self.inner {
            Inner::Software { signer, .. } => signer,
            Inner::Tpm(key) => key,
        }
    }

    /// Opens what is encrypted to it, likewise.
    ///
    /// # Errors
    /// [`AgentError::KeyKind`] for other than RSA.
    pub fn decrypter(&self) -> Result<&dyn Decrypter, AgentError> {
        match &self.inner {
            Inner::Software { decrypter: Some(decrypter), .. } => Ok(decrypter),
            Inner::Tpm(key) if self.public_key().kind.is_rsa() => Ok(key),
            _ => Err(AgentError::KeyKind(self.public_key().kind)),
        }
    }

    /// What really went wrong with it: what the TPM said, where it said something, else this error.
    pub(crate) fn cause(&self, error: impl Into<AgentError>) -> AgentError {
        match &self.inner {
            Inner::Tpm(key) => key.take_fault().unwrap_or_else(|| error.into()),
            Inner::Software { .. } => error.into(),
        }
    }
}

impl std::fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DeviceKey({}, {}, …)", self.public_key().kind, self.place())
    }
}

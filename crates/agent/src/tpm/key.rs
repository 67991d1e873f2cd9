//! A private key in the TPM. What is kept of it is encrypted by the TPM: "TSS2 PRIVATE KEY", the form that OpenSSL's providers read.

use std::sync::{Mutex, OnceLock};

use lanyard_model::{
    key::{KeyKind, PublicKey},
    secret::{SecretBytes, SecretText},
};
use lanyard_pki::{
    cms::enveloped::KeyTransport,
    crypto::digest::digest_with,
    error::PkiError,
    key::{Decrypter, Signer},
    pem,
    signature::{Digest, SignatureAlgorithm},
    spki,
    tlv::{Reader, tag},
};

use super::{
    pin::Pin,
    program::{TpmProgram, octets},
};
use crate::error::AgentError;

const TPM_KEY: &str = "TSS2 PRIVATE KEY";
const PUBLIC_KEY: &str = "PUBLIC KEY";

/// A key in the TPM. It signs and, if it is RSA, opens what is encrypted to it; both ask another program and may take a second.
pub struct TpmKey {
    /// TPM key file, DER.
    file: Vec<u8>,
    public: PublicKey,
    guarded: bool,
    pin: OnceLock<Pin>,
    /// What the TPM said to the last thing that failed: signatures and decryption have poorer errors.
    fault: Mutex<Option<AgentError>>,
}

impl TpmKey {
    /// Makes a key, guarded by a PIN if one is given.
    ///
    /// # Errors
    /// [`AgentError::TpmKeyKind`], [`AgentError::NoTpmProgram`], [`AgentError::NoTpm`], [`AgentError::Tpm`].
    pub fn create(kind: KeyKind, pin: Option<Pin>) -> Result<Self, AgentError> {
        if !matches!(kind, KeyKind::Rsa(2048) | KeyKind::EcP256) {
            return Err(AgentError::TpmKeyKind(kind));
        }
        let made = TpmProgram::find()?.create(kind, pin.as_ref())?;
        let key = Self::of(octets(&made.key)?, &octets(&made.public)?).map_err(AgentError::Own)?;
        if key.public.kind != kind || key.guarded != pin.is_some() {
            return Err(AgentError::Tpm("it made another key than it was asked for".into()));
        }
        if let Some(pin) = pin {
            key.unlock(pin);
        }
        Ok(key)
    }

    /// As it is kept.
    #[must_use]
    pub fn to_pem(&self) -> SecretText {
        SecretText::new(pem::encode(TPM_KEY, &self.file) + &pem::encode(PUBLIC_KEY, &self.public.spki))
    }

    /// Takes over what was kept. The TPM is not asked.
    ///
    /// # Errors
    /// [`PkiError`] when it cannot be read.
    pub fn from_pem(text: &SecretText) -> Result<Self, PkiError> {
        let unreadable = || PkiError::Text("it is not a key of a TPM with its public half".into());
        let from = text.expose().find("-----BEGIN PUBLIC KEY-----").ok_or_else(unreadable)?;
        let (key, public) = text.expose().split_at_checked(from).ok_or_else(unreadable)?;
        Self::of(pem::decode(TPM_KEY, key)?, &pem::decode(PUBLIC_KEY, public)?)
    }

    fn of(file: Vec<u8>, public: &[u8]) -> Result<Self, PkiError> {
        let mut reader = Reader::sequence_of(&file, "TPM key")?;
        reader.oid()?;
        // emptyAuth: TRUE where there is no PIN.
        let guarded = reader.optional(tag::context(0))?.is_none();
        let public = spki::decode(public)?;
        Ok(Self { file, public, guarded, pin: OnceLock::new(), fault: Mutex::new(None) })
    }

    /// Whether a PIN guards it.
    #[must_use]
    pub const fn is_guarded(&self) -> bool {
        self.guarded
    }

    /// Whether a PIN guards it that was not given yet.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.guarded && self.pin.get().is_none()
    }

    /// Keeps the PIN for as long as this value lives. Whether it is right, only the TPM knows, when the key is used.
    pub fn unlock(&self, pin: Pin) {
        // The first one stays: it is the one that was asked for.
        let _ = self.pin.set(pin);
    }

    /// The PIN, where it was given.
    pub(crate) fn pin(&self) -> Option<&Pin> {
        self.pin.get()
    }

    /// What the TPM said to the last thing that failed.
    pub(crate) fn take_fault(&self) -> Option<AgentError> {
        self.fault.lock().ok()?.take()
    }

    fn ask<T>(&self, ask: impl FnOnce(&TpmProgram, Option<&Pin>) -> Result<T, AgentError>) -> Option<T> {
        let asked = match self.is_locked() {
            true => Err(AgentError::PinNeeded),
            false => TpmProgram::find().and_then(|program| ask(&program, self.pin.get())),
        };
        asked
            .map_err(|error| {
                if let Ok(mut fault) = self.fault.lock() {
                    *fault = Some(error);
                }
            })
            .ok()
    }
}

impl Signer for TpmKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, PkiError> {
        let fault = |problem| PkiError::Key { what: "TPM", problem };
        let natural = algorithm == SignatureAlgorithm::natural(self.public.kind);
        let fits = natural || (self.public.kind.is_rsa() && matches!(algorithm, SignatureAlgorithm::RsaPkcs1(_)));
        let hash = match algorithm.digest() {
            Digest::Sha256 if fits => "sha256",
            Digest::Sha384 if fits => "sha384",
            Digest::Sha512 if fits => "sha512",
            _ => return Err(fault("it does not sign with this algorithm")),
        };
        let digest = digest_with(algorithm.digest(), message);
        self.ask(|program, pin| program.sign(&self.file, pin, &digest, hash)).ok_or_else(|| fault("signing failed"))
    }
}

impl Decrypter for TpmKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn unwrap_key(&self, transport: KeyTransport, encrypted: &[u8]) -> Result<SecretBytes, PkiError> {
        match transport {
            KeyTransport::Pkcs1 => self.ask(|program, pin| program.decrypt(&self.file, pin, encrypted)).ok_or(PkiError::Decrypt),
            KeyTransport::Oaep(_) => Err(PkiError::Decrypt),
        }
    }
}

impl std::fmt::Debug for TpmKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TpmKey({}, …)", self.public.kind)
    }
}

//! Keys made once per process: RSA keys are what makes such tests slow.

use std::{
    collections::HashMap,
    sync::{Mutex, OnceLock},
};

use lanyard_model::{
    key::{KeyKind, PublicKey},
    secret::SecretBytes,
};
use lanyard_pki::{
    crypto::software::{SoftwareDecrypter, SoftwareSigner, generate},
    key::Signer,
    pem,
};

/// A private key in every form a test wants.
pub struct Key {
    /// Signs.
    pub signer: SoftwareSigner,
    /// Decrypts, if it is RSA.
    pub decrypter: Option<SoftwareDecrypter>,
    /// PKCS#8, DER.
    pub pkcs8: SecretBytes,
}

impl Key {
    /// Makes a new one.
    #[must_use]
    pub fn generate(kind: KeyKind) -> Self {
        let pkcs8 = generate(kind).unwrap();
        let signer = SoftwareSigner::from_pkcs8(&pkcs8).unwrap();
        let decrypter = kind.is_rsa().then(|| SoftwareDecrypter::from_pkcs8(&pkcs8).unwrap());
        Self { signer, decrypter, pkcs8 }
    }

    /// Public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        self.signer.public_key()
    }

    /// Decrypting half.
    ///
    /// # Panics
    /// When it is not an RSA key.
    #[must_use]
    pub fn decrypter(&self) -> &SoftwareDecrypter {
        self.decrypter.as_ref().expect("an RSA key")
    }

    /// PKCS#8, PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        pem::encode_key(&self.pkcs8).expose().to_owned()
    }
}

type Slot = &'static OnceLock<Key>;

/// The n-th key of a kind, the same in every test of the process.
#[must_use]
pub fn key(kind: KeyKind, n: usize) -> &'static Key {
    static POOL: Mutex<Option<HashMap<(String, usize), Slot>>> = Mutex::new(None);
    let slot: Slot = {
        let mut pool = POOL.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        pool.get_or_insert_default().entry((kind.to_string(), n)).or_insert_with(|| Box::leak(Box::default()))
    };
    slot.get_or_init(|| Key::generate(kind))
}

/// The n-th RSA key of 2048 bits.
#[must_use]
pub fn rsa(n: usize) -> &'static Key {
    key(KeyKind::Rsa(2048), n)
}

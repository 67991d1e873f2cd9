//! The protocol: a JSON object in one line asks, one answers, until the input ends. Binary values are base64.
//!
//! ```text
//! {"op":"create","kind":"rsa:2048","pin":"…"}                  {"ok":{"key":"…","public":"…"}}
//! {"op":"public","key":"…"}                                    {"ok":{"public":"…"}}
//! {"op":"sign","key":"…","pin":"…","digest":"…","hash":"sha256"}  {"ok":{"signature":"…"}}
//! {"op":"decrypt","key":"…","pin":"…","data":"…"}              {"ok":{"plain":"…"}}
//! {"op":"lockout"}                                             {"ok":{"failed":0,"max":32,…}}
//!                                                              {"error":{"code":"pin","text":"…","left":2}}
//! ```

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lanyard_model::{key::KeyKind, secret::SecretText};
use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroizing;

use crate::error::TpmError;

/// Longest line, in octets.
pub const MAX_LINE: u64 = 16 * 1024;
/// Shortest PIN, in octets.
const MIN_PIN: usize = 4;
/// Longest PIN, in octets: an authorisation value is no longer than the digest of the key's name, SHA-256.
const MAX_PIN: usize = 32;

/// What is asked. Unknown operations and fields are refused.
#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Makes a key: `rsa:2048`, which signs and decrypts, or `ec:p256`, which signs.
    Create {
        /// Kind of key.
        kind: KeyKind,
        /// PIN that guards it.
        #[serde(default)]
        pin: Option<Pin>,
    },
    /// Loads a key, which only its own TPM can, and tells its public half.
    Public {
        /// The key as `create` gave it.
        key: Octets,
    },
    /// Signs a digest: RSASSA-PKCS1-v1_5 or ECDSA, by the kind of the key.
    Sign {
        /// The key.
        key: Octets,
        /// Its PIN.
        #[serde(default)]
        pin: Option<Pin>,
        /// The digest.
        digest: Octets,
        /// What it was made with.
        hash: Hash,
    },
    /// Decrypts RSAES-PKCS1-v1_5.
    Decrypt {
        /// The key.
        key: Octets,
        /// Its PIN.
        #[serde(default)]
        pin: Option<Pin>,
        /// What was encrypted to it.
        data: Octets,
    },
    /// Tells how the protection against guessing stands.
    Lockout {},
}

/// Digest algorithms.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    /// Length of the digest in octets.
    pub const fn octets(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// A PIN of 4 to 32 octets without NUL, which a TPM would cut off at the end.
pub struct Pin(SecretText);

impl Pin {
    /// The octets.
    pub fn expose(&self) -> &[u8] {
        self.0.expose().as_bytes()
    }
}

impl<'de> Deserialize<'de> for Pin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = SecretText::new(String::deserialize(deserializer)?);
        let octets = text.expose().as_bytes();
        if !(MIN_PIN..=MAX_PIN).contains(&octets.len()) || octets.contains(&0) {
            return Err(serde::de::Error::custom("a PIN has 4 to 32 octets"));
        }
        Ok(Self(text))
    }
}

/// Octets, base64 in JSON. Wiped: some are secret.
pub struct Octets(pub Zeroizing<Vec<u8>>);

impl Octets {
    /// Takes them over.
    pub fn new(octets: Vec<u8>) -> Self {
        Self(Zeroizing::new(octets))
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        STANDARD.decode(text.as_bytes()).map(Self::new).map_err(|_| serde::de::Error::custom("not base64"))
    }
}

impl Serialize for Octets {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(STANDARD.encode(self.0.as_slice())))
    }
}

/// What is answered.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// It was done.
    Ok(Done),
    /// It was not.
    Error {
        /// Stable code.
        code: &'static str,
        /// For people.
        text: String,
        /// With `pin`: how many more wrong ones it takes until the TPM is locked.
        #[serde(skip_serializing_if = "Option::is_none")]
        left: Option<u32>,
        /// With `locked`: seconds until the next attempt, at most.
        #[serde(skip_serializing_if = "Option::is_none")]
        wait: Option<u64>,
    },
}

/// What was done.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Done {
    /// A key: as it is kept, and its SubjectPublicKeyInfo.
    Created {
        /// TPM key file, DER.
        key: Octets,
        /// SubjectPublicKeyInfo, DER.
        public: Octets,
    },
    /// SubjectPublicKeyInfo, DER.
    Public {
        /// It.
        public: Octets,
    },
    /// A signature as X.509 carries it.
    Signed {
        /// It.
        signature: Octets,
    },
    /// What was encrypted.
    Decrypted {
        /// It.
        plain: Octets,
    },
    /// Protection against guessing.
    Lockout(crate::lockout::Lockout),
}

impl From<TpmError> for Answer {
    fn from(error: TpmError) -> Self {
        let (left, wait) = match error {
            TpmError::WrongPin { left } => (Some(left), None),
            TpmError::Locked { wait } => (None, Some(wait)),
            _ => (None, None),
        };
        Self::Error { code: error.code(), text: error.to_string(), left, wait }
    }
}

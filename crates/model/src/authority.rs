//! Certification authorities and the service certificates they stand behind, as stored.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    id::{AuthorityName, KeyId},
    time::Timestamp,
};

/// What a certificate of the authority itself is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthorityRole {
    /// Root CA.
    Root,
    /// Issuing CA.
    Issuing,
    /// Registration certificate: signs and decrypts SCEP messages.
    Registration,
    /// Server certificate for HTTPS.
    Tls,
}

impl AuthorityRole {
    /// The stored and printed word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Issuing => "issuing",
            Self::Registration => "registration",
            Self::Tls => "tls",
        }
    }

    /// From the stored word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Root, Self::Issuing, Self::Registration, Self::Tls].into_iter().find(|r| r.as_str() == word)
    }
}

impl fmt::Display for AuthorityRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A certificate of the authority itself, with the id of its sealed key. Several of one name and role overlap during renewal;
/// the newest is used, older ones are still understood until they end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityRecord {
    /// Authority it belongs to: the CA's own name, or the name of the CA that issued a service certificate.
    pub name: AuthorityName,
    /// What it is for.
    pub role: AuthorityRole,
    /// Certificate, DER.
    pub certificate: Vec<u8>,
    /// Its private key.
    pub key: KeyId,
    /// First second of validity.
    pub not_before: Timestamp,
    /// Last second of validity.
    pub not_after: Timestamp,
}

/// A private key at rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedKey {
    /// Names the key; part of the sealed associated data.
    pub id: KeyId,
    /// The sealed form, opaque outside `ca::keys`.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A signed CRL as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlRecord {
    /// Issuing authority.
    pub issuer: AuthorityName,
    /// CRLNumber.
    pub number: u64,
    /// thisUpdate.
    pub this_update: Timestamp,
    /// nextUpdate.
    pub next_update: Timestamp,
    /// The CRL, DER.
    pub der: Vec<u8>,
}

/// One entry of a CRL to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlEntry {
    /// Serial number.
    pub serial: crate::serial::SerialNumber,
    /// When and why.
    pub revocation: crate::certificate::Revocation,
}

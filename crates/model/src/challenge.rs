//! Challenges: one-time permissions for one request.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    id::{DeviceId, ProfileName, RequestId, TemplateName, UserName},
    key::KeyKind,
    name::DistinguishedName,
    san::SubjectAltName,
    template::Usages,
    time::Timestamp,
};

/// The public half of a challenge: 16 random octets that find its record. Not the secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChallengeId(pub [u8; 16]);

impl fmt::Display for ChallengeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for ChallengeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Everything a challenge binds. The request must agree field by field, and the certificate is made from this, never from the request.
///
/// STORED: as JSON in the challenge record; its digest is part of the challenge's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Binding {
    /// Audience: the installation's identity, so that a challenge of one installation is nothing at another.
    pub instance: String,
    /// Audience: the registration profile.
    pub profile: ProfileName,
    /// Template and its revision when the challenge was made.
    pub template: TemplateName,
    /// Revision of the template.
    pub template_revision: u32,
    /// Subject of the certificate.
    pub subject: DistinguishedName,
    /// Complete set of subject alternative names; empty means none may be asked for.
    pub san: Vec<SubjectAltName>,
    /// Usages of the certificate.
    pub usages: Usages,
    /// Exact kind and size of the key.
    pub key: KeyKind,
    /// User the certificate is for.
    pub user: Option<UserName>,
    /// Device the certificate is for.
    pub device: Option<DeviceId>,
    /// Who made the challenge, so that nobody approves an own order; absent where nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minted_by: Option<String>,
}

/// A challenge as stored. The secret itself is never stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChallengeRecord {
    /// Finds the record.
    pub id: ChallengeId,
    /// Keyed hash (HMAC-SHA-256) of the whole challenge text.
    pub keyed_hash: [u8; 32],
    /// `Binding` as JSON, the exact bytes that were signed over.
    pub binding: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Timestamp,
    /// Who or what used it, and when.
    pub used: Option<ChallengeUse>,
}

/// The one use of a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChallengeUse {
    /// When it was consumed.
    pub at: Timestamp,
    /// The request that consumed it.
    pub request: RequestId,
    /// SHA-256 of that request's CSR.
    pub csr_digest: [u8; 32],
    /// SHA-256 of the subject public key in that CSR.
    pub key_digest: [u8; 32],
}

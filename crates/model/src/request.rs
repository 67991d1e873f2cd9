//! What the record keeps of a request, so that its story can be told.

use std::{fmt, net::IpAddr};

use serde::{Deserialize, Serialize};

use crate::{
    client::Client,
    enroll::{Protocol, RequestedContent},
    id::{AuthorityName, DeviceId, ProfileName, RequestId, TemplateName, UserName},
    name::DistinguishedName,
    oid::Oid,
    san::SubjectAltName,
    serial::SerialNumber,
    time::Timestamp,
    usage::{ExtendedKeyUsages, KeyUsages},
};

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestState {
    /// Held for a person's decision.
    Pending,
    /// Granted; the certificate is being signed.
    Granted,
    /// Issued.
    Issued,
    /// Refused.
    Denied,
    /// Held too long.
    Expired,
}

impl RequestState {
    /// The stored and printed word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Granted => "granted",
            Self::Issued => "issued",
            Self::Denied => "denied",
            Self::Expired => "expired",
        }
    }

    /// From the stored word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Pending, Self::Granted, Self::Issued, Self::Denied, Self::Expired].into_iter().find(|s| s.as_str() == word)
    }
}

impl fmt::Display for RequestState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Facts about the message that only serve to explain it. All text came from outside and is escaped for printing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct RequestContext {
    /// Address of the peer, for people.
    pub peer: Option<String>,
    /// The client's address, for rules about where a request may come from; known only while it is being answered.
    #[serde(skip)]
    pub address: Option<IpAddr>,
    /// User-Agent field.
    pub user_agent: Option<String>,
    /// GET or POST.
    pub method: Option<String>,
    /// Message type as the protocol calls it.
    pub message_type: Option<String>,
    /// Digest algorithm of the message's signature.
    pub digest_algorithm: Option<String>,
    /// Content encryption algorithm.
    pub content_encryption: Option<String>,
    /// The client as it was recognised.
    pub client: Option<Client>,
    /// What it was recognised by, in words.
    pub recognised_by: Option<String>,
    /// Stable words for what was tolerated or done differently for this client, such as `ber`; each protocol room explains its own.
    pub accommodations: Vec<String>,
    /// What else was asked for besides subject, names and key, so that the request can be judged by other rules later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
    /// When the message says it was signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_at: Option<Timestamp>,
}

/// Claims of a CSR that have no place of their own in the record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Asked {
    /// keyUsage, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_usage: Option<KeyUsages>,
    /// extendedKeyUsage, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extended_key_usage: Option<ExtendedKeyUsages>,
    /// Whether basicConstraints with cA TRUE was asked for.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub wants_ca: bool,
    /// Further extensions that were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_extensions: Vec<Oid>,
}

impl Asked {
    /// Of a CSR.
    #[must_use]
    pub fn of(content: &RequestedContent) -> Self {
        Self {
            key_usage: content.key_usage.clone(),
            extended_key_usage: content.extended_key_usage.clone(),
            wants_ca: content.wants_ca,
            other_extensions: content.other_extensions.clone(),
        }
    }
}

/// A person's approval of a held request, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRecord {
    /// The request.
    pub request: RequestId,
    /// Who approved, as audited.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// A request as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRecord {
    /// Names the request.
    pub id: RequestId,
    /// How it came.
    pub protocol: Protocol,
    /// Profile.
    pub profile: ProfileName,
    /// The client's name for the transaction; empty when the message could not be read that far.
    pub transaction: String,
    /// SHA-256 of the whole message.
    pub message_digest: [u8; 32],
    /// Whether it asked for renewal.
    pub renewal: bool,
    /// SHA-256 of the signer's SubjectPublicKeyInfo; `None` when the message could not be read that far.
    pub signer_key_digest: Option<[u8; 32]>,
    /// SHA-256 of the CSR's SubjectPublicKeyInfo; `None` when there is no readable CSR.
    pub key_digest: Option<[u8; 32]>,
    /// The claims of the CSR (`RequestedContent` as JSON, without the CSR itself, which may hold a challenge); kept until the
    /// certificate is issued, so that a held or interrupted request can be decided again.
    pub claims: Option<Vec<u8>>,
    /// Subject asked for.
    pub subject: Option<DistinguishedName>,
    /// Subject alternative names asked for.
    pub san: Vec<SubjectAltName>,
    /// Key asked for, such as `rsa:2048`.
    pub key: Option<String>,
    /// Template.
    pub template: Option<TemplateName>,
    /// User in the record.
    pub user: Option<UserName>,
    /// Device in the record.
    pub device: Option<DeviceId>,
    /// Where it stands.
    pub state: RequestState,
    /// Stable code of the decision, such as `ra.challenge-expired`.
    pub reason: Option<String>,
    /// The decision in one sentence.
    pub detail: Option<String>,
    /// Issuer and serial number of the certificate.
    pub certificate: Option<(AuthorityName, SerialNumber)>,
    /// Serial number of the certificate that a renewal was signed with.
    pub renews: Option<SerialNumber>,
    /// Hexadecimal id of the challenge.
    pub challenge: Option<String>,
    /// Further facts.
    pub context: RequestContext,
    /// When it arrived.
    pub received_at: Timestamp,
    /// When it was decided.
    pub decided_at: Option<Timestamp>,
    /// Who decided, when a person did.
    pub decided_by: Option<String>,
}

//! What a device asks, independent of the protocol it asks by.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    id::{AuthorityName, ProfileName, RequestId, UserName},
    key::PublicKey,
    name::DistinguishedName,
    oid::Oid,
    san::SubjectAltName,
    secret::SecretText,
    serial::SerialNumber,
    time::Timestamp,
    usage::{ExtendedKeyUsages, KeyUsages},
};

/// Ways in which a certificate can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// RFC 8894.
    Scep,
    /// RFC 7030.
    Est,
    /// RFC 8555.
    Acme,
    /// MS-WSTEP.
    Wstep,
    /// The administrator's interface with a CSR.
    Api,
    /// Key and certificate made by the server, delivered as PKCS#12.
    Pfx,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Scep => "scep",
            Self::Est => "est",
            Self::Acme => "acme",
            Self::Wstep => "wstep",
            Self::Api => "api",
            Self::Pfx => "pfx",
        })
    }
}

/// The claims of a CSR, decoded. Claims are compared with the record, never copied from.
///
/// STORED: as JSON in the record of a request that is not issued yet; new fields must have defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestedContent {
    /// The CSR as received. Never stored: it may hold a challenge.
    #[serde(skip)]
    pub csr: Vec<u8>,
    /// SHA-256 of `csr`.
    #[serde(with = "crate::text::hex_digest")]
    pub csr_digest: [u8; 32],
    /// Subject.
    pub subject: DistinguishedName,
    /// Subject alternative names.
    pub san: Vec<SubjectAltName>,
    /// keyUsage, `None` when not asked for.
    pub key_usage: Option<KeyUsages>,
    /// extendedKeyUsage, `None` when not asked for.
    pub extended_key_usage: Option<ExtendedKeyUsages>,
    /// Whether basicConstraints with cA TRUE was asked for.
    pub wants_ca: bool,
    /// Requested extensions other than the above and subjectKeyIdentifier.
    pub other_extensions: Vec<Oid>,
    /// Public key; the CSR's signature by it has been verified.
    pub key: PublicKey,
}

/// Who signed the message that carried the CSR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestSigner {
    /// A self-signed certificate: authenticates nothing.
    SelfSigned,
    /// A certificate of one of our authorities; its signature by that authority has been verified, its status has not.
    Ours {
        /// The authority.
        issuer: AuthorityName,
        /// Serial number.
        serial: SerialNumber,
        /// SHA-256 of the certificate (DER).
        digest: [u8; 32],
    },
    /// Any other certificate.
    Foreign,
    /// A user who has proved to the server who they are, and whose message says nothing else that counts (MS-WSTEP).
    User(UserName),
    /// An administrator at the administrator's interface.
    Administrator(String),
}

/// One enrolment or renewal request, decoded and verified by its protocol room.
#[derive(Debug, Clone)]
pub struct EnrollRequest {
    /// Names the request everywhere.
    pub id: RequestId,
    /// How it came.
    pub protocol: Protocol,
    /// Profile it was addressed to.
    pub profile: ProfileName,
    /// The client's own name for the transaction (SCEP transactionID).
    pub transaction: String,
    /// SHA-256 of the whole message; names identical retries.
    pub message_digest: [u8; 32],
    /// Whether the protocol calls it a renewal.
    pub renewal: bool,
    /// Whether the message's signature uses SHA-256 or better.
    pub strong_signature: bool,
    /// Claims.
    pub content: RequestedContent,
    /// Challenge, as received.
    pub challenge: Option<SecretText>,
    /// Who signed.
    pub signer: RequestSigner,
    /// SHA-256 of the signer's SubjectPublicKeyInfo.
    pub signer_key_digest: [u8; 32],
    /// When it arrived.
    pub received_at: Timestamp,
}

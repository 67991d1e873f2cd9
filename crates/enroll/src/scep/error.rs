//! What can be wrong with a SCEP message, ordered by fault.

use lanyard_pki::error::PkiError;

use super::attributes::FailInfo;

/// A fault of a SCEP message. `code` is stable and documented in `docs/errors.md`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScepError {
    /// The message is larger than allowed.
    #[error("the message has more than {limit} octets")]
    TooLarge {
        /// The limit in octets.
        limit: usize,
    },
    /// The query cannot be understood.
    #[error("the query {0}")]
    Query(&'static str),
    /// The outer structure cannot be read, so that no answer can be addressed.
    #[error("the message is not a SCEP pkiMessage")]
    Structure(#[source] PkiError),
    /// A required attribute is missing or of the wrong form.
    #[error("the attribute {name} {problem}")]
    Attribute {
        /// Name as in RFC 8894.
        name: &'static str,
        /// What is wrong.
        problem: &'static str,
    },
    /// The messageType is none that may be processed.
    #[error("the message type '{0}' is not accepted")]
    MessageType(String),
    /// An algorithm that the profile does not accept.
    #[error("an algorithm is not accepted")]
    Algorithm(#[source] PkiError),
    /// An algorithm that only a legacy profile accepts.
    #[error("{0} is accepted only in a profile with legacy-algorithms")]
    Legacy(&'static str),
    /// The signer's or requester's key is of a size that is not accepted.
    #[error("the key is not accepted")]
    Key(#[source] PkiError),
    /// The signature, or what is signed, does not hold.
    #[error("the signature of the message does not hold")]
    Signature(#[source] PkiError),
    /// Decryption or what was decrypted does not hold; on the wire the same as [`ScepError::Signature`].
    #[error("the envelope does not hold")]
    Envelope(#[source] PkiError),
    /// The self-signed signer does not hold the key that is to be certified.
    #[error("the message is signed by another key than the one to be certified")]
    SignerKey,
    /// A RenewalReq that no certificate of ours signed.
    #[error("a RenewalReq is not signed by a certificate of this authority")]
    RenewalSigner,
    /// A GetCert or GetCRL that no living certificate of ours signed.
    #[error("only a device with a valid certificate of this authority may ask for certificates or CRLs")]
    Requester,
    /// A GetCert or GetCRL for a certificate that is not on record.
    #[error("there is no such certificate")]
    NoCertificate,
    /// signingTime is outside the profile's window.
    #[error("the signing time is too far from the present")]
    SigningTime,

    /// The server's answer to our own request is not acceptable.
    #[error("the server's answer is not acceptable: {0}")]
    Reply(String),
    /// The CA certificates offered do not match the fingerprint or do not hang together.
    #[error("the CA certificates offered are not acceptable: {0}")]
    CaCertificates(String),
    /// The server does not offer what is the least we do.
    #[error("the server lacks {0}; it may be a downgrade attempt, and nothing weaker is used")]
    Downgrade(&'static str),
    /// Our own key or message could not be made.
    #[error("the message could not be made")]
    Own(#[source] PkiError),
}

impl ScepError {
    /// Stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "scep.too-large",
            Self::Query(_) => "scep.query",
            Self::Structure(_) => "scep.structure",
            Self::Attribute { .. } => "scep.attribute",
            Self::MessageType(_) => "scep.message-type",
            Self::Algorithm(_) => "scep.algorithm",
            Self::Legacy(_) => "scep.legacy-algorithm",
            Self::Key(_) => "scep.key",
            Self::Signature(_) => "scep.signature",
            Self::Envelope(_) => "scep.envelope",
            Self::SignerKey => "scep.signer-key",
            Self::RenewalSigner => "scep.renewal-signer",
            Self::Requester => "scep.requester",
            Self::NoCertificate => "scep.no-certificate",
            Self::SigningTime => "scep.signing-time",
            Self::Reply(_) => "scep.reply",
            Self::CaCertificates(_) => "scep.ca-certificates",
            Self::Downgrade(_) => "scep.downgrade",
            Self::Own(_) => "scep.own-message",
        }
    }

    /// The failInfo that answers it (RFC 8894, section 3.2.1.4).
    #[must_use]
    pub const fn fail_info(&self) -> FailInfo {
        match self {
            Self::Algorithm(_) | Self::Legacy(_) => FailInfo::BadAlg,
            Self::Signature(_) | Self::Envelope(_) | Self::SignerKey | Self::Structure(_) => FailInfo::BadMessageCheck,
            Self::SigningTime => FailInfo::BadTime,
            Self::NoCertificate => FailInfo::BadCertId,
            _ => FailInfo::BadRequest,
        }
    }
}

//! What can be wrong with a message, ordered by fault: the peer's first, then ours.

use lanyard_pki::error::PkiError;

use crate::soap::Subcode;

/// An error of this room. `code` is stable and documented in `docs/errors.md`; `at` is the octet of the document (the character's octet in
/// UTF-8 when it came in UTF-16).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MdmError {
    /// The document is larger than allowed.
    #[error("the document has more than {limit} octets")]
    TooLarge {
        /// The limit in octets.
        limit: usize,
    },
    /// The octets are no text, or another encoding than declared.
    #[error("the document cannot be read: {0}")]
    Encoding(&'static str),
    /// The document is not well-formed.
    #[error("the document is not well-formed at octet {at}: {problem}")]
    Xml {
        /// Where.
        at: usize,
        /// What is wrong.
        problem: String,
    },
    /// The document has something that is never read.
    #[error("the document has {what} at octet {at}, which is never accepted")]
    XmlForbidden {
        /// What.
        what: &'static str,
        /// Where.
        at: usize,
    },
    /// The document has more of something than allowed.
    #[error("the document has more than {limit} {what} at octet {at}")]
    XmlLimit {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// Where.
        at: usize,
    },
    /// A required element or its text is missing.
    #[error("the element {path} is missing or empty (within octet {at})")]
    Missing {
        /// Parent and element.
        path: String,
        /// Where the parent begins.
        at: usize,
    },
    /// An element stands there more often than it may.
    #[error("the element {path} is repeated at octet {at}")]
    Repeated {
        /// Parent and element.
        path: String,
        /// Where the repetition begins.
        at: usize,
    },
    /// The value of an element is not acceptable.
    #[error("the element {path} at octet {at} {problem}")]
    Value {
        /// The element.
        path: String,
        /// What is wrong.
        problem: &'static str,
        /// Where.
        at: usize,
    },
    /// A request or answer with another action than the service has.
    #[error("the action '{0}' is not the one of this service")]
    Action(String),
    /// A header that may not be ignored is not known.
    #[error("the header {0} must be understood and is not known")]
    MustUnderstand(String),
    /// The security header is not acceptable.
    #[error("the security header is not acceptable: {0}")]
    Security(&'static str),
    /// The XML signature does not hold.
    #[error("the signature of the message does not hold: {0}")]
    Signature(&'static str),
    /// A certification request or its signature does not hold.
    #[error("the certification request does not hold")]
    Request(#[source] PkiError),
    /// The PKCS#7 of a renewal cannot be read, or its signature does not hold.
    #[error("the signed renewal does not hold")]
    Renewal(#[source] PkiError),
    /// The answer belongs to another request.
    #[error("the answer belongs to another request")]
    Unrelated,
    /// The provisioning document contradicts itself or lacks what it must have.
    #[error("the provisioning document is not acceptable: {0}")]
    Provisioning(&'static str),
    /// Our own message cannot be written as XML.
    #[error("the message cannot be written: {0}")]
    Unwritable(&'static str),
    /// Our own request could not be signed.
    #[error("the request could not be signed")]
    Own(#[source] PkiError),
}

impl MdmError {
    /// Stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "mdm.too-large",
            Self::Encoding(_) => "mdm.encoding",
            Self::Xml { .. } => "mdm.xml",
            Self::XmlForbidden { .. } => "mdm.xml-forbidden",
            Self::XmlLimit { .. } => "mdm.xml-limit",
            Self::Missing { .. } => "mdm.missing",
            Self::Repeated { .. } => "mdm.repeated",
            Self::Value { .. } => "mdm.value",
            Self::Action(_) => "mdm.action",
            Self::MustUnderstand(_) => "mdm.must-understand",
            Self::Security(_) => "mdm.security",
            Self::Signature(_) => "mdm.signature",
            Self::Request(_) => "mdm.request",
            Self::Renewal(_) => "mdm.renewal",
            Self::Unrelated => "mdm.unrelated",
            Self::Provisioning(_) => "mdm.provisioning",
            Self::Unwritable(_) => "mdm.unwritable",
            Self::Own(_) => "mdm.own-message",
        }
    }

    /// The subcode of the SOAP fault that answers it.
    #[must_use]
    pub const fn subcode(&self) -> Subcode {
        match self {
            Self::Action(_) => Subcode::ActionMismatch,
            Self::Security(_) => Subcode::InvalidSecurity,
            Self::Signature(_) => Subcode::Authentication,
            Self::Request(_) | Self::Renewal(_) => Subcode::CertificateRequest,
            Self::Unwritable(_) | Self::Own(_) => Subcode::InternalServiceFault,
            _ => Subcode::MessageFormat,
        }
    }

    /// The text of that fault: as much as a peer may know.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self.subcode() {
            Subcode::ActionMismatch => "This service has no such action.",
            Subcode::InvalidSecurity => "The security header is not acceptable.",
            Subcode::Authentication => "The message is not authentic.",
            Subcode::CertificateRequest => "The certificate request is not acceptable.",
            Subcode::InternalServiceFault => "The request failed.",
            _ => "The message cannot be read.",
        }
    }
}

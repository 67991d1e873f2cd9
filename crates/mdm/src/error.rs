//! What can be wrong with a message, ordered by fault: the peer's first, then ours.

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
    /// Our own message cannot be written as XML.
    #[error("the message cannot be written: {0}")]
    Unwritable(&'static str),
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
            Self::Unwritable(_) => "mdm.unwritable",
        }
    }
}

//! What can be wrong with a message, a signature or a key.

/// An error of this room. `code` is stable and documented in `docs/errors.md`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PkiError {
    /// The bytes are not the structure they should be.
    #[error("malformed {what} at byte {at}")]
    Malformed {
        /// The structure that was being read.
        what: &'static str,
        /// Offset from the beginning of the message (after BER normalisation, where that applies).
        at: usize,
    },
    /// A limit on size, count or depth was exceeded.
    #[error("{what} exceeds the limit of {limit}")]
    Limit {
        /// What was counted.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// An algorithm, version or kind of key that is not accepted here.
    #[error("{what} {value} is not accepted")]
    Unsupported {
        /// What it is.
        what: &'static str,
        /// Its identifier or size.
        value: String,
    },
    /// A signature does not verify.
    #[error("the signature of the {what} does not verify")]
    BadSignature {
        /// The signed structure.
        what: &'static str,
    },
    /// Decryption failed; deliberately without detail.
    #[error("decryption failed")]
    Decrypt,
    /// Text given by a person is not a name or value of the expected form.
    #[error("{0}")]
    Text(String),
    /// A key cannot be read, made or used.
    #[error("the {what} key cannot be used: {problem}")]
    Key {
        /// Which key.
        what: &'static str,
        /// Why.
        problem: &'static str,
    },
}

impl PkiError {
    /// Stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "pki.malformed",
            Self::Limit { .. } => "pki.limit",
            Self::Unsupported { .. } => "pki.unsupported",
            Self::BadSignature { .. } => "pki.bad-signature",
            Self::Decrypt => "pki.decrypt",
            Self::Text(_) => "pki.text",
            Self::Key { .. } => "pki.key",
        }
    }
}

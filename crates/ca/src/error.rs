//! What can go wrong in the authority.

use lanyard_pki::error::PkiError;

/// An error of the authority. `code` is stable and documented in `docs/errors.md`.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// The grant names another authority.
    #[error("the grant is for the authority '{wanted}', not '{found}'")]
    OtherAuthority {
        /// Authority in the grant.
        wanted: String,
        /// Authority that was asked.
        found: String,
    },
    /// The authority's own certificate does not cover the present.
    #[error("the certificate of the authority '{0}' has ended or has not begun")]
    AuthorityEnded(String),
    /// The prepared bytes are not what was granted. Nothing was signed.
    #[error("the prepared certificate does not hold: {0}")]
    Lint(String),
    /// A stored certificate or key of the authority cannot be used.
    #[error("the {what} of the authority cannot be used")]
    Authority {
        /// Which part.
        what: &'static str,
        /// Cause.
        #[source]
        source: PkiError,
    },
    /// The key that opens the sealed keys is wrong.
    #[error("the sealed keys do not open: wrong passphrase or key file, or the data directory belongs to another installation")]
    WrongUnsealKey,
    /// The key file has not the right contents.
    #[error("the key file does not hold 32 octets in hexadecimal")]
    UnsealFile,
    /// Key derivation failed.
    #[error("the passphrase cannot be turned into a key: {0}")]
    Derivation(String),
    /// Signing or sealing failed.
    #[error("the authority cannot {action}")]
    Crypto {
        /// What was tried.
        action: &'static str,
        /// Cause.
        #[source]
        source: PkiError,
    },
}

impl CaError {
    /// Stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::OtherAuthority { .. } => "ca.other-authority",
            Self::AuthorityEnded(_) => "ca.authority-ended",
            Self::Lint(_) => "ca.lint",
            Self::Authority { .. } => "ca.authority",
            Self::WrongUnsealKey => "ca.wrong-unseal-key",
            Self::UnsealFile => "ca.unseal-file",
            Self::Derivation(_) => "ca.derivation",
            Self::Crypto { .. } => "ca.crypto",
        }
    }
}

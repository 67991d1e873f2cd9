//! What can go wrong, as the agent is told.

use lanyard_pki::error::PkiError;
use tss_esapi::{Error, constants::response_code::Tss2ResponseCodeKind as Kind};

/// An error; its code is stable.
#[derive(Debug, thiserror::Error)]
pub enum TpmError {
    /// The line is not a request.
    #[error("the request cannot be used: {0}")]
    Request(&'static str),
    /// There is no TPM where it should be, or it may not be used.
    #[error("the TPM at {at} cannot be used: {why}")]
    Unavailable {
        /// Where it should be.
        at: String,
        /// What the library says.
        why: String,
    },
    /// The key is not one of this TPM.
    #[error("the key is not one of this TPM, or the TPM was cleared since")]
    NotMine,
    /// The PIN is wrong; the TPM counted it.
    #[error("the PIN is wrong")]
    WrongPin {
        /// How many more wrong ones it takes.
        left: u32,
    },
    /// Too many wrong PINs.
    #[error("the TPM is locked after too many wrong PINs")]
    Locked {
        /// Seconds until the next attempt, at most.
        wait: u64,
    },
    /// The owner hierarchy has a password, which nobody can give here.
    #[error("the owner hierarchy of the TPM has a password")]
    Owner,
    /// The TPM failed otherwise.
    #[error("the TPM failed: {0}")]
    Failed(String),
}

impl TpmError {
    /// Stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Request(_) => "request",
            Self::Unavailable { .. } => "unavailable",
            Self::NotMine => "key",
            Self::WrongPin { .. } => "pin",
            Self::Locked { .. } => "locked",
            Self::Owner => "owner",
            Self::Failed(_) => "failed",
        }
    }
}

impl From<Error> for TpmError {
    fn from(error: Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<PkiError> for TpmError {
    fn from(_: PkiError) -> Self {
        Self::Request("the key is not a TPM key file of this program")
    }
}

/// What kind of answer the TPM gave, where it did.
pub fn kind(error: &Error) -> Option<Kind> {
    match error {
        Error::Tss2Error(code) => code.kind(),
        Error::WrapperError(_) => None,
    }
}

//! What can be wrong with the files of an administrator, with an order for a challenge, or with our own service certificates.

use crate::reason::Reason;

/// An error of this room. `code` is stable and documented in `docs/errors.md`. A request that is refused is no error but a
/// [`crate::decide::Decision::Denied`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RaError {
    /// A template file cannot be used.
    #[error("template file {file}, {key}: {problem}; {fix}")]
    TemplateInvalid {
        /// File name.
        file: String,
        /// Key in the file.
        key: String,
        /// What is wrong.
        problem: String,
        /// What to do.
        fix: String,
    },
    /// A profile file cannot be used.
    #[error("profile file {file}, {key}: {problem}; {fix}")]
    ProfileInvalid {
        /// File name.
        file: String,
        /// Key in the file.
        key: String,
        /// What is wrong.
        problem: String,
        /// What to do.
        fix: String,
    },
    /// The settings that templates and profiles share do not fit together.
    #[error("{key}: {problem}; {fix}")]
    PolicyInvalid {
        /// Setting.
        key: String,
        /// What is wrong.
        problem: String,
        /// What to do.
        fix: String,
    },
    /// A challenge, or a certificate for a CSR, was ordered that policy does not allow.
    #[error("{detail}: {}", .reason.remedy())]
    OrderRefused {
        /// The rule; its code is the code of this error.
        reason: Reason,
        /// What was ordered and why it cannot be had.
        detail: String,
    },
    /// The life of a challenge is out of bounds.
    #[error("a challenge cannot live {asked}: choose from 60s to 30d")]
    OrderLifetime {
        /// What was asked for.
        asked: String,
    },
    /// A service certificate cannot be made from what was given.
    #[error("service certificate, {key}: {problem}; {fix}")]
    ServiceInvalid {
        /// What was given.
        key: String,
        /// What is wrong.
        problem: String,
        /// What to do.
        fix: String,
    },
    /// The present is outside the years that a challenge can express, or a binding cannot be written down.
    #[error("a challenge cannot be made: {problem}")]
    Mint {
        /// What went wrong.
        problem: String,
    },
}

impl RaError {
    /// Stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TemplateInvalid { .. } => "ra.template-invalid",
            Self::ProfileInvalid { .. } => "ra.profile-invalid",
            Self::PolicyInvalid { .. } => "ra.policy-invalid",
            Self::OrderRefused { reason, .. } => reason.code(),
            Self::OrderLifetime { .. } => "ra.order-lifetime",
            Self::ServiceInvalid { .. } => "ra.service-invalid",
            Self::Mint { .. } => "ra.mint",
        }
    }
}

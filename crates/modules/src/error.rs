//! Why a module gave no answer that counts.

/// An error of a module. Every one of them is a refusal for the request at hand (ndes-policy T24).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModuleError {
    /// The module's table in the profile, or a file it names, cannot be used.
    #[error("module {module}, {key}: {problem}; {fix}")]
    Config {
        /// Kind of module.
        module: &'static str,
        /// Key in its table.
        key: &'static str,
        /// What is wrong.
        problem: String,
        /// What to do.
        fix: &'static str,
    },
    /// The service answered, and the answer is no.
    #[error("{said}")]
    Denied {
        /// What it said, safe to print.
        said: String,
    },
    /// The name leads to an address that may not be connected to.
    #[error("{host} is at {address}, which is not allowed")]
    Address {
        /// Host in the URL.
        host: String,
        /// The address it has.
        address: String,
    },
    /// No connection, no TLS, or the connection broke off.
    #[error("{host} cannot be reached: {problem}")]
    Unreachable {
        /// Host in the URL.
        host: String,
        /// What happened, safe to print.
        problem: String,
    },
    /// No complete answer in time.
    #[error("{host} did not answer within {seconds} s")]
    Timeout {
        /// Host in the URL.
        host: String,
        /// Time it had.
        seconds: u64,
    },
    /// The answer is none that is understood.
    #[error("{host} gave an answer that is not understood: {problem}")]
    Answer {
        /// Host in the URL.
        host: String,
        /// What is odd about it, safe to print.
        problem: String,
    },
    /// The module needs the CSR as it was received, which is kept only while a request is being answered.
    #[error("the CSR is no longer at hand")]
    NoCsr,
}

impl ModuleError {
    /// Stable code, documented in `docs/errors.md`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Config { .. } => "modules.config",
            Self::Denied { .. } => "modules.denied",
            Self::Address { .. } => "modules.address",
            Self::Unreachable { .. } => "modules.unreachable",
            Self::Timeout { .. } => "modules.timeout",
            Self::Answer { .. } => "modules.answer",
            Self::NoCsr => "modules.no-csr",
        }
    }
}

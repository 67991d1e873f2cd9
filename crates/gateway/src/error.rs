//! What can keep the gateway from starting or from asking somebody.

/// An error of this room. `code` is stable and documented in `docs/errors.md`. What a request is refused for is a
/// [`Denial`](crate::decide::denial::Denial), not an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// The configuration file cannot be used.
    #[error("{0}")]
    Config(String),
    /// A file named by the configuration cannot be read, or others can read it.
    #[error("{path}: {problem}")]
    File {
        /// Its path.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// A listener cannot be opened.
    #[error("cannot listen at {address}: {problem}")]
    Listen {
        /// Where.
        address: String,
        /// What the system says.
        problem: String,
    },
    /// The directory does not answer, or not clearly.
    #[error("the directory cannot be asked: {0}")]
    Directory(String),
    /// Lanyard's server does not answer, or not clearly.
    #[error("the server cannot be asked: {0}")]
    Server(String),
    /// A back end does not answer.
    #[error("the back end {back_end} cannot be reached: {problem}")]
    BackEnd {
        /// Which.
        back_end: String,
        /// What happened.
        problem: String,
    },
}

impl GatewayError {
    /// Stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Config(_) => "gateway.config",
            Self::File { .. } => "gateway.file",
            Self::Listen { .. } => "gateway.listen",
            Self::Directory(_) => "gateway.directory",
            Self::Server(_) => "gateway.server",
            Self::BackEnd { .. } => "gateway.back-end",
        }
    }
}

//! What can go wrong in the server.

use std::path::PathBuf;

use lanyard_ca::error::CaError;
use lanyard_pki::error::PkiError;
use lanyard_ra::error::RaError;
use lanyard_store::error::StoreError;

/// An error of the server. `code` is stable and documented in `docs/errors.md`.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// What was asked for does not exist.
    #[error("{what} '{name}' does not exist")]
    NotFound {
        /// Kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// What was asked for cannot be done in the present state.
    #[error("{0}")]
    Conflict(String),
    /// The caller's values are wrong.
    #[error("{0}")]
    Invalid(String),
    /// The caller is not known.
    #[error("{0}")]
    Access(&'static str),
    /// The caller may not do that.
    #[error("{0}")]
    Forbidden(&'static str),
    /// The caller calls too often.
    #[error("too many calls; wait a minute")]
    TooOften,
    /// A file or directory of the installation cannot be used.
    #[error("cannot {action} {path}")]
    File {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
    /// A file or directory can be read or written by others than its owner.
    #[error("{path} has mode {mode:04o}; others must not reach it: run chmod {wanted:04o} {path}")]
    Mode {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// The mode it should have.
        wanted: u32,
    },
    /// The configuration does not hold.
    #[error("{path}: {problem}")]
    Config {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A listener cannot be opened.
    #[error("cannot listen on {address}")]
    Listen {
        /// Address.
        address: String,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
    /// TLS cannot be set up.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
    /// A policy module of a profile cannot be set up, or does not allow what was asked for.
    #[error("profile {profile}: {source}")]
    Module {
        /// Profile.
        profile: String,
        /// The module's error.
        source: lanyard_modules::error::ModuleError,
    },
    /// The directory cannot be asked, or answers oddly.
    #[error("the directory: {0}")]
    Directory(String),
    /// The mail server cannot be reached, or refuses a mail.
    #[error("mail: {0}")]
    Mail(String),
    /// Policy.
    #[error(transparent)]
    Policy(#[from] RaError),
    /// Authority.
    #[error(transparent)]
    Authority(#[from] CaError),
    /// Storage.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Encoding or key.
    #[error(transparent)]
    Pki(#[from] PkiError),
}

impl ServerError {
    /// Stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "server.not-found",
            Self::Conflict(_) => "server.conflict",
            Self::Invalid(_) => "server.invalid",
            Self::Access(_) => "server.access",
            Self::Forbidden(_) => "server.forbidden",
            Self::TooOften => "server.too-often",
            Self::File { .. } => "server.file",
            Self::Mode { .. } => "server.mode",
            Self::Config { .. } => "server.config",
            Self::Listen { .. } => "server.listen",
            Self::Tls(_) => "server.tls",
            Self::Module { source, .. } => source.code(),
            Self::Directory(_) => "server.directory",
            Self::Mail(_) => "server.mail",
            Self::Policy(error) => error.code(),
            Self::Authority(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Pki(error) => error.code(),
        }
    }
}

/// The whole chain of causes on one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    lanyard_model::text::printable(&text)
}

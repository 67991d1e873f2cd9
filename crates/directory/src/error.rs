//! What can go wrong.

/// An error of this room.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// What was configured cannot be used.
    #[error("{0}")]
    Settings(String),
    /// The directory does not answer, or refuses the reading account.
    #[error("{0}")]
    Unavailable(String),
}

impl DirectoryError {
    /// Stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Settings(_) => "directory.settings",
            Self::Unavailable(_) => "directory.unavailable",
        }
    }
}

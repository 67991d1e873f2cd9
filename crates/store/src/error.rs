//! What can go wrong in storage.

/// A storage error. The operation did not happen, unless the variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be opened.
    #[error("cannot open the database {path}")]
    Open {
        /// File or address, without credentials.
        path: String,
        /// Cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The SQLite library is too old to be trusted with a write-ahead log.
    #[error("SQLite {found} is linked, at least {needed} is needed")]
    TooOld {
        /// Version found.
        found: String,
        /// Version needed.
        needed: &'static str,
    },
    /// The database was written by a newer program, or a migration was changed after it was applied.
    #[error("cannot bring the database schema up to date")]
    Migrate {
        /// Cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A stored value cannot be read.
    #[error("the stored {what} cannot be read: {problem}")]
    Corrupt {
        /// Table and column.
        what: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The engine refused or failed.
    #[error("the database failed while trying to {action}")]
    Engine {
        /// What was tried.
        action: &'static str,
        /// Cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another node has taken over the work that this write belongs to.
    #[error("another node has taken over the work of '{name}'")]
    LeaseLost {
        /// The lease.
        name: String,
    },
    /// A commit or sync failed: whether earlier writes are on disk is unknown, so nothing more is written.
    #[error("writing stopped after a failed commit; restart the server once the disk is sound")]
    Stopped,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Stable code, documented in `docs/errors.md`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Open { .. } => "store.open",
            Self::TooOld { .. } => "store.sqlite-too-old",
            Self::Migrate { .. } => "store.migrate",
            Self::Corrupt { .. } => "store.corrupt",
            Self::Engine { .. } => "store.engine",
            Self::LeaseLost { .. } => "store.lease-lost",
            Self::Stopped => "store.stopped",
            Self::Closed => "store.closed",
        }
    }
}

//! How far a failure of the engine reaches.

use crate::error::StoreError;

/// What a failed statement means for the work around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// This statement alone, such as a violated constraint: its job is undone, its neighbours stay.
    Statement,
    /// The whole batch is undone for certain; the next one may fare better.
    Batch,
    /// Nobody knows whether the batch was committed.
    Unknown,
    /// The database can no longer be relied on: nothing may be written any more.
    Fatal,
}

/// A failure of the engine.
#[derive(Debug)]
pub(crate) struct Fault {
    /// How far it reaches.
    pub(crate) reach: Reach,
    /// What the engine says.
    pub(crate) source: Box<dyn std::error::Error + Send + Sync>,
}

impl Fault {
    /// A failure with this reach.
    pub(crate) fn new(reach: Reach, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { reach, source: source.into() }
    }

    /// The error of whoever tried to do `action`.
    pub(crate) fn during(self, action: &'static str) -> StoreError {
        StoreError::Engine { action, source: self.source }
    }
}

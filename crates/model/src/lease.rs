//! Leases: who does the work that only one node may do.

/// A lease as stored. It carries no time: clocks of several nodes differ, so a holder gives signs of life, and whoever saw none for
/// long enough on a clock of its own takes over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRecord {
    /// What it is for.
    pub name: String,
    /// The node that holds it; empty when it was given back.
    pub holder: String,
    /// Rises with every new holder. A write that names an older one is refused.
    pub fence: u64,
    /// Rises with every sign of life.
    pub beat: u64,
}

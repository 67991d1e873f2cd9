//! The nodes that share a database.

use std::collections::BTreeMap;

use crate::time::Timestamp;

/// A node as it said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRecord {
    /// Its name, which no other process ever has.
    pub name: String,
    /// What it loaded: each file (`templates/wifi.toml`) with the SHA-256 of its text, in hexadecimal.
    pub files: BTreeMap<String, String>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it last said so.
    pub seen_at: Timestamp,
}

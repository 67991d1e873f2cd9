//! The audit chain: what each hash covers.

use lanyard_model::audit::AuditEvent;
use sha2::{Digest, Sha256};

use crate::{error::StoreError, ports::Result};

/// Keeps these hashes apart from every other use of SHA-256, and names the form of what is hashed.
const DOMAIN: &[u8] = b"lanyard-audit-v1";

/// The last record of the chain: its place and hash; zeros before the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tip {
    /// Place, from 1; 0 while the chain is empty.
    pub(crate) sequence: u64,
    /// Hash of that record.
    pub(crate) hash: [u8; 32],
}

impl Tip {
    /// The tip after a further record with these event bytes.
    pub(crate) fn extended(self, event: &[u8]) -> Self {
        Self { sequence: self.sequence.saturating_add(1), hash: link(&self.hash, event) }
    }
}

/// Hash of a record: over the domain, the hash before and the stored bytes of the event. The two before the event have a
/// fixed length, so nothing can be moved from one part into the next.
pub(crate) fn link(before: &[u8; 32], event: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(DOMAIN).chain_update(before).chain_update(event).finalize().into()
}

/// The bytes that are stored and hashed.
pub(crate) fn event_bytes(event: &AuditEvent) -> Result<Vec<u8>> {
    serde_json::to_vec(event)
        .map_err(|source| StoreError::Engine { action: "write an audit event as JSON", source: Box::new(source) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_record_changes_its_hash() {
        let first = Tip::default().extended(b"one");
        assert_eq!(first.sequence, 1);
        assert_ne!(first.hash, Tip::default().extended(b"two").hash);
        assert_ne!(first.extended(b"one").hash, first.hash);
        assert_eq!(first, Tip::default().extended(b"one"));
    }
}

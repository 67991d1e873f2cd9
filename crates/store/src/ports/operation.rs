//! What nodes tell each other and the record of what happened: leases, notices, nodes, audit.

use async_trait::async_trait;
use lanyard_model::{
    audit::{AuditEvent, AuditHead, AuditRecord, ChainVerdict},
    id::RequestId,
    lease::LeaseRecord,
    node::NodeRecord,
    notice::NoticeRecord,
    time::Timestamp,
};

use super::Result;

/// Work that only one node may do.
#[async_trait]
pub trait LeaseStore: Send + Sync {
    /// The lease as it is now.
    async fn load_lease(&self, name: &str) -> Result<Option<LeaseRecord>>;
    /// Takes the lease if it is still exactly as it was seen (`None`: it did not exist); `None` if somebody was faster or it lives.
    async fn take_lease(&self, name: &str, holder: &str, seen: Option<&LeaseRecord>) -> Result<Option<LeaseRecord>>;
    /// A sign of life; `false` when the lease is lost.
    async fn keep_lease(&self, held: &LeaseRecord) -> Result<bool>;
    /// Gives it back, so that nobody has to wait; `false` when it was lost before.
    async fn release_lease(&self, held: &LeaseRecord) -> Result<bool>;
}

/// Outcomes that policy modules are still to be told. Most are saved with the outcome itself.
#[async_trait]
pub trait NoticeStore: Send + Sync {
    /// Saves notices of an outcome that is not stored.
    async fn save_notices(&self, notices: Vec<NoticeRecord>) -> Result<()>;
    /// Notices to be tried now, the longest due first.
    async fn due_notices(&self, now: Timestamp, limit: u32) -> Result<Vec<NoticeRecord>>;
    /// Counts a try in vain and says when the next one is.
    async fn postpone_notice(&self, id: &str, due_at: Timestamp) -> Result<()>;
    /// Removes a notice that was taken, or, with the event, one that is given up; `false`, and no event, if it was gone before.
    async fn end_notice(&self, id: &str, given_up: Option<AuditEvent>) -> Result<bool>;
}

/// The nodes that share the database, as they say of themselves.
#[async_trait]
pub trait NodeStore: Send + Sync {
    /// Saves what a node says of itself.
    async fn save_node(&self, node: NodeRecord) -> Result<()>;
    /// All of them, the longest running first.
    async fn list_nodes(&self) -> Result<Vec<NodeRecord>>;
    /// Removes one that stops.
    async fn remove_node(&self, name: &str) -> Result<()>;
    /// Forgets those that were not seen since.
    async fn forget_nodes(&self, seen_before: Timestamp) -> Result<()>;
}

/// The audit log.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Appends an event that belongs to no other write.
    async fn append_audit(&self, event: AuditEvent) -> Result<()>;
    /// Records after a place in the chain, oldest first.
    async fn list_audit(&self, after: u64, limit: u32) -> Result<Vec<AuditRecord>>;
    /// Records of one request, oldest first.
    async fn audit_of_request(&self, request: RequestId) -> Result<Vec<AuditRecord>>;
    /// Follows the whole chain, in bounded memory.
    async fn verify_audit(&self) -> Result<ChainVerdict>;
    /// The last record's place and hash; zeros when there is none.
    async fn audit_tip(&self) -> Result<(u64, [u8; 32])>;
    /// Saves a signed head.
    async fn save_audit_head(&self, head: AuditHead) -> Result<()>;
    /// The signed head saved last.
    async fn newest_audit_head(&self) -> Result<Option<AuditHead>>;
    /// All signed heads, oldest first, with the hash that the chain holds at that place now (`None` when the record is missing).
    async fn list_audit_heads(&self) -> Result<Vec<(AuditHead, Option<[u8; 32]>)>>;
}

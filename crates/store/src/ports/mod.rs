//! The ports through which the rest of the program reaches storage, each named by its use.
//!
//! Every write that belongs together is one method, one transaction and one audit event; nothing is reported before it is durable.

mod certificates;
mod fleet;
mod issuance;
mod operation;
mod people;
mod requests;

use async_trait::async_trait;

use crate::{callers::Callers, error::StoreError};

pub use certificates::{
    AuthorityStore, CertificateCounts, CertificateFilter, CertificateSearch, CertificateStore, CertificatesFound, CrlStart,
    CrlStore,
};
pub use fleet::{EnrollmentChange, EnrollmentFilter, FleetStore, SessionStep};
pub use issuance::{Begun, Durability, Intent, IssuanceStore, Opening, RenewalClaim, Signed, Withdrawal};
pub use operation::{AuditStore, LeaseStore, NodeStore, NoticeStore};
pub use people::{ArchiveStore, CountStore, DirectoryStore, InvitationStore, PeopleStore, Raise};
pub use requests::{ChallengeClaim, ChallengeStore, RequestFilter, RequestStore};

/// Result of a storage call.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Everything a storage engine offers.
#[async_trait]
pub trait Store:
    ChallengeStore
    + RequestStore
    + IssuanceStore
    + CertificateStore
    + CrlStore
    + LeaseStore
    + AuthorityStore
    + DirectoryStore
    + PeopleStore
    + FleetStore
    + NodeStore
    + NoticeStore
    + CountStore
    + ArchiveStore
    + InvitationStore
    + AuditStore
{
    /// Where work that will end in writes makes itself known, so that writes of several callers are committed together.
    fn callers(&self) -> &Callers;
    /// Finishes the waiting writes and closes the database; later calls fail.
    async fn close(&self);
    /// A trivial read and a durable write, for the health check.
    async fn check(&self) -> Result<()>;
    /// Stores this many made-up certificates with their requests, for measuring what a full database costs. No audit record tells of
    /// them, and nobody holds their keys.
    async fn fill(&self, certificates: u64) -> Result<()>;
}

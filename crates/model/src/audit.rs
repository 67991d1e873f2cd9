//! Audit events and the chain that makes edits visible.

use serde::{Deserialize, Serialize};

use crate::{id::RequestId, time::Timestamp};

/// One audited event. Field order is the order of the hashed form.
///
/// STORED: as JSON, the exact bytes that the chain hashes; new fields must have defaults and be skipped when empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AuditEvent {
    /// When.
    pub at: Timestamp,
    /// What happened: a stable word such as `request-denied`.
    pub kind: AuditKind,
    /// Who: `scep`, `admin:root`, `job:crl`.
    pub actor: String,
    /// The request it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// Stable code of the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it was done to: a serial number, a template, a device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// One sentence; text from outside is escaped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Kinds of audited events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditKind {
    /// The installation was created.
    Initialized,
    /// The server started.
    Started,
    /// The server stopped in an orderly way.
    Stopped,
    /// A challenge was made.
    ChallengeCreated,
    /// A request was granted: challenge consumed, serial reserved, intent stored.
    RequestGranted,
    /// A request was held for a person.
    RequestHeld,
    /// A person approved a held request.
    RequestApproved,
    /// A request was refused.
    RequestDenied,
    /// Something that ought not to happen to an honest device, such as a second key with a used challenge.
    Incident,
    /// A certificate was signed and stored.
    CertificateIssued,
    /// A certificate was revoked.
    CertificateRevoked,
    /// A CRL was signed.
    CrlIssued,
    /// The issuing CA that is to follow the one in use was made.
    SuccessorPrepared,
    /// It took the place of the one in use.
    SuccessorTookOver,
    /// A service certificate (registration, TLS) was renewed.
    ServiceCertificateRenewed,
    /// A policy module could not be told of an outcome, and is not tried any more.
    NoticeGivenUp,
    /// A user or device record was changed.
    DirectoryChanged,
    /// A profile or template was changed.
    PolicyChanged,
    /// An API token was made.
    TokenCreated,
    /// An API token was revoked.
    TokenRevoked,
    /// A known API token was used for something it does not permit, or after its end.
    AccessRefused,
    /// A person approved a held request that needs another person too.
    RequestApprovedInPart,
    /// A device was enrolled for management.
    DeviceEnrolled,
    /// A managed device renewed its identity.
    DeviceRenewed,
    /// Somebody who asked to enrol, renew or hold a session was refused.
    DeviceRefused,
    /// A managed device was blocked, unblocked, or is to be unenrolled.
    DeviceChanged,
    /// An enrolment ended.
    DeviceUnenrolled,
    /// Something was queued for a managed device, or taken back.
    JobQueued,
    /// A managed device has done, or finally failed to do, what was queued.
    JobEnded,
    /// A managed device has not renewed its identity although it had two tries.
    DeviceOverdue,
    /// Somebody signed in at the portal.
    SignedIn,
    /// Somebody was not let into the portal.
    SignInRefused,
    /// A person reported a device or a certificate lost.
    ReportedLost,
    /// A private key that the server made was sealed and kept.
    KeyArchived,
    /// Somebody wants archived keys.
    RecoveryAsked,
    /// Another person agreed.
    RecoveryApproved,
    /// Archived keys were given out.
    KeysRecovered,
    /// Somebody was invited to fetch a certificate.
    Invited,
    /// An invitation was withdrawn before it was used.
    InvitationWithdrawn,
    /// A mail was handed to the mail server.
    MailSent,
    /// A policy was exported for a device.
    ProfileExported,
}

/// The stored word, such as `request-denied`.
impl std::fmt::Display for AuditKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.serialize(f)
    }
}

/// An event in its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Place in the chain, from 1.
    pub sequence: u64,
    /// The event.
    pub event: AuditEvent,
    /// SHA-256 over the hash before and the stored bytes of this event.
    pub hash: [u8; 32],
}

/// A signed statement of how far the chain had come, so that cutting off its end or rewriting all of it is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditHead {
    /// Last record covered.
    pub sequence: u64,
    /// Hash of that record.
    pub hash: [u8; 32],
    /// When it was signed.
    pub at: Timestamp,
    /// Signature over sequence, hash and time.
    pub signature: Vec<u8>,
}

/// What checking the chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainVerdict {
    /// Every record follows from the one before.
    Intact {
        /// Number of records.
        records: u64,
        /// Hash of the last one.
        head: [u8; 32],
    },
    /// The first record that does not.
    Broken {
        /// Its place.
        sequence: u64,
        /// What is wrong with it, in one sentence.
        problem: String,
    },
}

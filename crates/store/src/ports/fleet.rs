//! Devices under management.

use async_trait::async_trait;
use lanyard_model::{
    audit::AuditEvent,
    fleet::{Enrollment, JobRecord},
    id::{DeviceId, EnrollmentId, JobId, UserName},
    time::Timestamp,
};

use super::Result;

/// Which enrolments to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnrollmentFilter {
    /// Only of this user, and not ended.
    pub user: Option<UserName>,
    /// Only of this device.
    pub device: Option<DeviceId>,
    /// Only active ones whose renewal was due before; those that are due longest come first, and `after` is not used.
    pub due_before: Option<Timestamp>,
    /// Only after this one, in order of id.
    pub after: Option<EnrollmentId>,
    /// At most so many; 0 is 1,000.
    pub limit: u32,
}

/// A change to an enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrollmentChange {
    /// The enrolment as it shall be. Its identities prove it from now on.
    pub enrollment: Enrollment,
    /// The version that was seen; `None`: it is new.
    pub seen: Option<u64>,
}

/// What a message of a management session changes, all at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionStep {
    /// The enrolment that has the session.
    pub enrollment: EnrollmentId,
    /// The version of the session that was seen; `None`: there was none.
    pub seen: Option<u64>,
    /// The state of the session, sealed.
    pub session: Vec<u8>,
    /// Jobs whose state changed.
    pub jobs: Vec<JobRecord>,
    /// The enrolment, if it changed.
    pub change: Option<EnrollmentChange>,
    /// What the device has, if it told: JSON.
    pub inventory: Option<(Timestamp, String)>,
    /// Audit events.
    pub audit: Vec<AuditEvent>,
    /// Whether somebody relies on it. If not, a power cut may take it back until something that is relied on is saved after it, and the device
    /// tells it again; a process that is killed never does.
    pub lasting: bool,
}

/// Managed devices.
#[async_trait]
pub trait FleetStore: Send + Sync {
    /// Saves enrolments, all or none; `false` when one of them has changed since it was seen.
    async fn save_enrollments(&self, changes: Vec<EnrollmentChange>, audit: Vec<AuditEvent>) -> Result<bool>;
    /// Finds an enrolment, with its version.
    async fn load_enrollment(&self, id: EnrollmentId) -> Result<Option<(Enrollment, u64)>>;
    /// Finds the enrolment that a certificate (SHA-256) proves.
    async fn find_enrollment_by_certificate(&self, fingerprint: [u8; 32]) -> Result<Option<(Enrollment, u64)>>;
    /// Enrolments of a client by its own name, newest first, ten at most.
    async fn find_enrollments_by_client(&self, client: &str) -> Result<Vec<(Enrollment, u64)>>;
    /// Lists enrolments in order of id.
    async fn list_enrollments(&self, filter: EnrollmentFilter) -> Result<Vec<(Enrollment, u64)>>;
    /// The session at hand: its version and sealed state.
    async fn load_session(&self, enrollment: EnrollmentId) -> Result<Option<(u64, Vec<u8>)>>;
    /// Saves what a message changes; `false` when the session or the enrolment has changed since it was seen.
    async fn save_session_step(&self, step: SessionStep) -> Result<bool>;
    /// Saves (adds or replaces) jobs.
    async fn save_jobs(&self, jobs: Vec<JobRecord>, audit: Vec<AuditEvent>) -> Result<()>;
    /// Finds a job.
    async fn load_job(&self, id: JobId) -> Result<Option<JobRecord>>;
    /// Jobs of an enrolment in order of their making; only those that are not over, or all (the newest 500).
    async fn list_jobs(&self, enrollment: EnrollmentId, only_open: bool) -> Result<Vec<JobRecord>>;
    /// What a device had at its last inventory: JSON, and when.
    async fn load_inventory(&self, enrollment: EnrollmentId) -> Result<Option<(Timestamp, String)>>;
    /// Saves the hash of a local user's password.
    async fn save_password(&self, user: &UserName, hash: String, at: Timestamp, audit: AuditEvent) -> Result<()>;
    /// The hash of a local user's password.
    async fn load_password(&self, user: &UserName) -> Result<Option<String>>;
}

//! A job of a device as it is stored: what the session needs, and what it was made for.

use lanyard_mdm::{
    csp::Scope,
    profile::job::{Job, JobId as QueueId},
    session::server::{JobState as QueueState, QueueItem},
};
use lanyard_model::{
    fleet::{JobRecord, JobState},
    id::{EnrollmentId, JobId, ProfileName, TemplateName},
    key::KeyKind,
    text::printable,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::sealed::RecordKey;
use crate::error::ServerError;

/// A job with its place in the queue. Stored sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StoredJob {
    /// What is to be done.
    pub job: Job,
    /// How far it is.
    pub state: QueueState,
    /// How often it was sent.
    pub attempts: u32,
    /// What it is for, beyond its commands.
    pub what: What,
    /// Entry of the ledger it belongs to; absent for what an administrator pushed.
    #[serde(default)]
    pub key: Option<String>,
    /// Entries of the ledger that must be done before.
    #[serde(default)]
    pub after: Vec<String>,
    /// Ids of the challenges that were made for it, newest last.
    #[serde(default)]
    pub challenges: Vec<String>,
}

/// What a job is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A setting, or a question.
    Setting,
    /// A certificate fetched by SCEP.
    Scep(ScepOrder),
    /// Which certificates there are in a tree.
    Inventory(Scope),
    /// What a device shows after it renewed its identity.
    ReAssociation,
    /// The end.
    Unenroll,
}

/// What is ordered when the challenge is made, and what it must then bind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ScepOrder {
    /// Profile.
    pub profile: ProfileName,
    /// Template.
    pub template: TemplateName,
    /// Key.
    pub key: KeyKind,
    /// Subject, as text.
    pub subject: String,
    /// Alternative names, as text.
    pub san: Vec<String>,
}

impl StoredJob {
    /// A job at its beginning.
    #[must_use]
    pub const fn new(job: Job, what: What) -> Self {
        Self { job, state: QueueState::Queued, attempts: 0, what, key: None, after: Vec::new(), challenges: Vec::new() }
    }

    /// As the session wants it; what it waits for is given as ids.
    #[must_use]
    pub fn queue_item(&self, id: JobId, waits_for: Vec<QueueId>) -> QueueItem {
        let job = Job { after: waits_for, ..self.job.clone() };
        QueueItem { id: QueueId(id.to_string()), job, state: self.state.clone(), attempts: self.attempts }
    }

    /// The record of a new job.
    ///
    /// # Errors
    /// [`ServerError::Pki`] when it cannot be sealed.
    pub fn record(
        &self,
        key: &RecordKey,
        enrollment: EnrollmentId,
        purpose: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<JobRecord, ServerError> {
        let id = JobId::generate(now);
        Ok(JobRecord {
            id,
            enrollment,
            purpose: printable(purpose),
            state: JobState::Queued,
            created_at: now,
            changed_at: now,
            by: by.to_owned(),
            body: key.seal(&name(id), self)?,
            result: None,
        })
    }

    /// Reads the body of a record.
    ///
    /// # Errors
    /// [`ServerError::Pki`], [`ServerError::Conflict`] when it cannot be read.
    pub fn open(key: &RecordKey, record: &JobRecord) -> Result<Self, ServerError> {
        key.open(&name(record.id), &record.body)
    }

    /// Writes what changed into a record. A job that is over keeps no commands.
    ///
    /// # Errors
    /// [`ServerError::Pki`] when it cannot be sealed.
    pub fn write(&self, key: &RecordKey, record: &mut JobRecord, now: Timestamp) -> Result<(), ServerError> {
        record.state = word(&self.state);
        record.changed_at = now;
        record.body = if record.state.is_over() { Vec::new() } else { key.seal(&name(record.id), self)? };
        Ok(())
    }
}

fn name(id: JobId) -> String {
    format!("job-{id}")
}

/// The stored word of a session's state.
#[must_use]
pub const fn word(state: &QueueState) -> JobState {
    match state {
        QueueState::Queued => JobState::Queued,
        QueueState::Sent => JobState::Sent,
        QueueState::Acknowledged { .. } => JobState::Acknowledged,
        QueueState::Verified => JobState::Verified,
        QueueState::Failed { .. } => JobState::Failed,
    }
}

//! What the caller knows when a message comes.

use lanyard_model::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::profile::job::{Job, JobId};

/// What the caller knows. All of it is about the device that the TLS client certificate is bound to.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The `DevId` on record for the certificate; nothing when the connection showed none that is bound to a device.
    pub bound_device: Option<&'a str>,
    /// Credentials wanted besides the certificate.
    pub credentials: Option<&'a Credentials>,
    /// URL of the management server, as the account has it.
    pub server_url: &'a str,
    /// The device's queue in order, finished jobs included as far as others wait for them.
    pub queue: &'a [QueueItem],
    /// Sizes.
    pub limits: Limits,
    /// SHA-256 of the message as it came, to know it again when the device repeats it.
    pub digest: [u8; 32],
    /// 16 random octets that were never used before; the next nonce.
    pub fresh_nonce: [u8; 16],
    /// The present.
    pub now: Timestamp,
}

/// Credentials of the account, as the server keeps them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// User name.
    pub user: String,
    /// [`crate::syncml::cred::inner`] of the secret.
    pub inner: String,
    /// MD5 is accepted, and asked for.
    pub md5: bool,
    /// Basic is accepted; it is asked for only where MD5 is not.
    pub basic: bool,
    /// The nonce handed out with the last 212, or the one of the bootstrap.
    pub nonce: Option<Vec<u8>>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .field("md5", &self.md5)
            .field("basic", &self.basic)
            .finish_non_exhaustive()
    }
}

/// Sizes, in octets.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// `MaxMsgSize` announced to the device.
    pub announced: u64,
    /// Commands are added to a message until it is about this large; a single command may be larger.
    pub preferred: usize,
    /// No message is larger, whatever the device says it takes.
    pub largest: usize,
}

impl Default for Limits {
    /// 512 KiB announced and at most, 60 kB preferred: Windows is known to be well below 64 kB.
    fn default() -> Self {
        Self { announced: 524_288, preferred: 60_000, largest: 524_288 }
    }
}

/// A job in the device's queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueItem {
    /// Its id.
    pub id: JobId,
    /// What is to be done.
    pub job: Job,
    /// How far it is.
    pub state: JobState,
    /// How often it was sent.
    pub attempts: u32,
}

impl QueueItem {
    /// A new job.
    #[must_use]
    pub fn new(id: &str, job: Job) -> Self {
        Self { id: JobId::from(id), job, state: JobState::Queued, attempts: 0 }
    }
}

/// How far a job is. Only [`JobState::Verified`] is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum JobState {
    /// Not sent yet, or to be sent again.
    Queued,
    /// Sent, and no status yet. After a session that was cut off the device is asked before anything else.
    Sent,
    /// The device says it did it; the proof is not there yet.
    Acknowledged {
        /// Its status.
        status: u16,
    },
    /// A Get has shown it.
    Verified,
    /// It was not done.
    Failed {
        /// What kind of failure.
        why: Failure,
        /// The status; 0 when there was none.
        code: u16,
        /// Node it is about, and `msft:originalerror`, where they are known; or what the proof showed.
        detail: String,
    },
}

/// Kinds of failure of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// The device answered a command with an error.
    Refused,
    /// The device says it did it, and a Get shows otherwise.
    NotShown,
    /// The device never answered.
    Unanswered,
    /// A command is larger than the device's messages.
    TooLarge,
    /// A command cannot be written as XML.
    Unwritable,
}

impl Failure {
    /// Stable code, documented in `docs/errors.md`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Refused => "mdm.job-refused",
            Self::NotShown => "mdm.job-not-shown",
            Self::Unanswered => "mdm.job-unanswered",
            Self::TooLarge => "mdm.job-too-large",
            Self::Unwritable => "mdm.job-unwritable",
        }
    }
}

impl JobState {
    /// Whether nothing more happens to it.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self, Self::Verified | Self::Failed { .. })
    }
}

//! What is kept of a device between two messages: its session, and what it was given so far.

use std::collections::BTreeMap;

use lanyard_mdm::{profile::job::Job, session::server::SessionState};
use lanyard_model::{
    id::{AuthorityName, JobId},
    serial::SerialNumber,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::sealed::RecordKey;
use crate::error::ServerError;

/// What is kept of a device between two messages. Stored sealed, and only ever changed together with what it says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Kept {
    /// The session.
    pub session: Option<SessionState>,
    /// What it was given.
    pub ledger: Ledger,
}

impl Kept {
    /// Seals it.
    ///
    /// # Errors
    /// [`ServerError::Pki`].
    pub fn seal(&self, key: &RecordKey) -> Result<Vec<u8>, ServerError> {
        key.seal(NAME, self)
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`ServerError::Pki`], [`ServerError::Conflict`].
    pub fn open(key: &RecordKey, sealed: &[u8]) -> Result<Self, ServerError> {
        key.open(NAME, sealed)
    }
}

/// Under which it is sealed.
const NAME: &str = "session";

/// What a device was given, by key: what it is and its name, such as `scep/client` and `wifi/Office`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Ledger {
    /// The entries.
    pub entries: BTreeMap<String, Entry>,
    /// The device does not answer `?list=StructData`: its certificates are asked for store by store.
    pub plain_listing: bool,
    /// Serial number of the retired identity after which the device was asked for its proof of having had it (`SignedEntDMID`).
    pub asked_after: Option<SerialNumber>,
}

/// One thing that a device was given, or is to be given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Entry {
    /// Names what it is to be, so that a change is seen.
    pub digest: String,
    /// The job at work, or the last one.
    pub job: JobId,
    /// How far it has come.
    pub progress: Progress,
    /// Since when.
    pub at: Timestamp,
    /// How often it failed since it was done last.
    #[serde(default)]
    pub failures: u32,
    /// How it is taken back.
    #[serde(default)]
    pub undo: Option<Job>,
    /// For SCEP: which node on the device it is, counted from 1.
    #[serde(default)]
    pub generation: u32,
    /// For SCEP: jobs that remove earlier nodes, once this one is done.
    #[serde(default)]
    pub replaced: Vec<Job>,
    /// For SCEP: the certificate that the device fetched.
    #[serde(default)]
    pub certificate: Option<Fetched>,
    /// Certificates before it that may still live.
    #[serde(default)]
    pub former: Vec<Fetched>,
    /// An administrator wants it anew.
    #[serde(default)]
    pub again: bool,
}

/// How far an entry has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// Its job is in the queue.
    Open,
    /// A Get has shown it.
    Done,
    /// Its job failed; another one is made later.
    Failed,
    /// An administrator took its job back; nothing more until it changes.
    TakenBack,
}

/// A certificate that a device fetched by SCEP, or that it was given with its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Fetched {
    /// Issuer.
    pub issuer: AuthorityName,
    /// Serial number.
    pub serial: SerialNumber,
    /// End.
    pub not_after: Timestamp,
}

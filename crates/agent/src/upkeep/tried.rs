//! What is remembered of attempts to renew, so that another process can tell and a restart goes on where it was.

use std::collections::BTreeMap;

use lanyard_model::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    error::AgentError,
    store::{DeviceStore, LocalId, files},
};

const FILE: &str = "upkeep.json";
/// Pause after the first attempt that the network or the server's load spoilt, in seconds; doubled each time.
const SHORT: i64 = 60;
/// The longest of these.
const SHORT_AT_MOST: i64 = 3600;
/// Between two questions after a request that the server holds.
const HELD: Span = Span::from_secs(3600);
/// Pause after anything else.
const REST: Span = Span::from_days(1);
/// The shortest of these: near the end the device asks more often.
const REST_AT_LEAST: i64 = 3600;

/// How an attempt ended, where it did not end in a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The server was not there, or too busy.
    Absent,
    /// The server holds the request for a decision.
    Held,
    /// The server refused.
    Refused,
    /// Only a person can go on: a PIN, or a key that is lost.
    NeedsPerson,
    /// Something else failed.
    Failed,
}

/// The attempts so far since the last success.
///
/// STORED: in `upkeep.json`; new fields must have defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// When it was last tried.
    pub at: Timestamp,
    /// How that ended.
    pub outcome: Outcome,
    /// How often it ended so, one after another.
    pub count: u32,
    /// In plain words.
    pub told: String,
    /// What a person can do about it.
    pub fix: String,
}

impl Tried {
    /// When it is tried again. The nearer the end, the sooner.
    #[must_use]
    pub fn again_at(&self, not_after: Option<Timestamp>) -> Timestamp {
        let pause = match self.outcome {
            Outcome::Absent => Span::from_secs((SHORT << self.count.saturating_sub(1).min(10)).min(SHORT_AT_MOST)),
            Outcome::Held => HELD,
            Outcome::Refused | Outcome::NeedsPerson | Outcome::Failed => {
                let left = not_after.map_or(REST, |end| Span::from_secs(end.since(self.at).secs() / 4));
                Span::from_secs(left.secs().clamp(REST_AT_LEAST, REST.secs()))
            }
        };
        self.at + pause
    }

    /// Whether it may be tried now. A clock that was set back must not keep the device waiting.
    pub(super) fn has_rested(&self, not_after: Option<Timestamp>, now: Timestamp) -> bool {
        now < self.at || now >= self.again_at(not_after)
    }
}

/// Attempts, by identity or request.
pub(super) type Attempts = BTreeMap<LocalId, Tried>;

/// What is remembered. A file that cannot be read is worth nothing and costs at most an attempt.
pub(super) fn load(store: &DeviceStore) -> Attempts {
    let octets = files::read_optional(&store.path().join(FILE)).ok().flatten();
    octets.and_then(|octets| serde_json::from_slice(&octets).ok()).unwrap_or_default()
}

pub(super) fn save(store: &DeviceStore, attempts: &Attempts) -> Result<(), AgentError> {
    let path = store.path().join(FILE);
    let text = serde_json::to_vec_pretty(attempts).map_err(|error| AgentError::damaged(&path, error))?;
    files::replace(&path, &text)
}

//! A job: what is to become of one device, as commands and as the question whether it did.

use serde::{Deserialize, Serialize};

use crate::{
    csp::{LocUri, Scope},
    syncml::{Command, Group, Item, Request, Verb},
};

/// Id of a job in a device's queue; unique there. The server chooses it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub String);

impl From<&str> for JobId {
    fn from(id: &str) -> Self {
        Self(id.to_owned())
    }
}

/// One job. It is sent as a whole or command by command, as the size of messages allows, and in one scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Whose tree it changes. Jobs for the user wait until the user is logged on.
    pub scope: Scope,
    /// The commands, not numbered.
    pub commands: Vec<Command>,
    /// What to do when a node is there already, or not.
    pub on_conflict: OnConflict,
    /// Which items get their data only when they are sent.
    pub fill: Vec<Fill>,
    /// How to know that it was done.
    pub proof: Proof,
    /// Jobs that must be verified before this one is sent.
    pub after: Vec<JobId>,
}

/// What to do with 418 for an Add and 404 for a Replace outside of Atomic. A Delete of what is not there is always good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnConflict {
    /// The job has failed.
    Fail,
    /// What is there stays; the proof decides.
    Keep,
    /// Add becomes Replace and Replace becomes Add, once.
    Switch,
}

/// An item whose data is made when it is sent, such as a challenge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// `LocURI` of the item's target, as written in the command.
    pub uri: String,
    /// What is wanted.
    pub what: Filling,
}

/// What is put into an item when it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filling {
    /// A challenge for a SCEP enrolment, bound to this job's names. Its text is given; the session encodes it in base64 as the node wants it.
    ScepChallenge,
    /// The secret of the management account, as it is.
    AccountSecret,
}

/// How to know that a job was done. The device's word alone never is enough for a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// The commands are Gets, and their results are the job's whole point.
    Results,
    /// A Get of these nodes afterwards.
    Get(Vec<Expectation>),
    /// The device says goodbye; it does not answer the command itself.
    Unenrolment,
}

/// What a Get must show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expectation {
    /// `LocURI` of the node.
    pub uri: String,
    /// What it must show.
    pub expect: Expect,
}

/// What a node must show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    /// It is there.
    Present,
    /// It is not there.
    Absent,
    /// It has this value; white space around it does not count.
    Value(String),
    /// It has these octets in base64, white space in it does not count.
    Base64(String),
    /// It is one of the first: done. One of the second: not yet, it is asked again in the next session. Anything else: failed.
    Progress {
        /// Values that mean done.
        done: Vec<String>,
        /// Values that mean not yet.
        pending: Vec<String>,
    },
    /// It has another value than this one; while it has this, it is asked again in the next session.
    Other(String),
    /// Whatever it shows is reported.
    Report,
}

/// How an expectation came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// As expected.
    Met,
    /// Not yet.
    Pending,
    /// Otherwise.
    Unmet,
}

impl Expect {
    /// Judges a value; nothing for a node that is not there.
    #[must_use]
    pub fn judge(&self, value: Option<&str>) -> Finding {
        let met = |yes: bool| if yes { Finding::Met } else { Finding::Unmet };
        match (self, value) {
            (Self::Report, _) | (Self::Present, Some(_)) | (Self::Absent, None) => Finding::Met,
            (Self::Value(want), Some(value)) => met(value.trim() == want.trim()),
            (Self::Base64(want), Some(value)) => met(same_base64(want, value)),
            (Self::Progress { done, pending }, Some(value)) => {
                let is = |list: &[String]| list.iter().any(|one| one == value.trim());
                if is(done) {
                    Finding::Met
                } else if is(pending) {
                    Finding::Pending
                } else {
                    Finding::Unmet
                }
            }
            (Self::Other(old), Some(value)) if value.trim().eq_ignore_ascii_case(old) => Finding::Pending,
            (Self::Other(_), Some(_)) => Finding::Met,
            (Self::Absent, Some(_)) => Finding::Unmet,
            (Self::Other(_) | Self::Present | Self::Value(_) | Self::Base64(_) | Self::Progress { .. }, None) => Finding::Unmet,
        }
    }
}

fn same_base64(a: &str, b: &str) -> bool {
    let octets = |text: &'_ str| text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect::<Vec<u8>>();
    octets(a) == octets(b)
}

impl Job {
    /// A change with its proof.
    #[must_use]
    pub const fn change(scope: Scope, commands: Vec<Command>, proof: Vec<Expectation>) -> Self {
        Self { scope, commands, on_conflict: OnConflict::Fail, fill: Vec::new(), proof: Proof::Get(proof), after: Vec::new() }
    }

    /// A question.
    #[must_use]
    pub const fn query(scope: Scope, commands: Vec<Command>) -> Self {
        Self { scope, commands, on_conflict: OnConflict::Fail, fill: Vec::new(), proof: Proof::Results, after: Vec::new() }
    }

    /// With another answer to conflicts.
    #[must_use]
    pub const fn on_conflict(mut self, on_conflict: OnConflict) -> Self {
        self.on_conflict = on_conflict;
        self
    }

    /// To be sent after these jobs were verified.
    #[must_use]
    pub fn after(mut self, jobs: impl IntoIterator<Item = JobId>) -> Self {
        self.after.extend(jobs);
        self
    }
}

/// Add of one node.
#[must_use]
pub fn add(item: Item) -> Command {
    Command::Request(Request::new(Verb::Add, vec![item]))
}

/// Replace of one node.
#[must_use]
pub fn replace(item: Item) -> Command {
    Command::Request(Request::new(Verb::Replace, vec![item]))
}

/// Delete of one subtree.
#[must_use]
pub fn delete(uri: &LocUri) -> Command {
    Command::Request(Request::new(Verb::Delete, vec![Item::target(uri)]))
}

/// Exec of one node.
#[must_use]
pub fn exec(item: Item) -> Command {
    Command::Request(Request::new(Verb::Exec, vec![item]))
}

/// Get of nodes, in one command.
#[must_use]
pub fn get<'a>(uris: impl IntoIterator<Item = &'a LocUri>) -> Command {
    Command::Request(Request::new(Verb::Get, uris.into_iter().map(Item::target).collect()))
}

/// All or nothing.
#[must_use]
pub const fn atomic(commands: Vec<Command>) -> Command {
    Command::Atomic(Group::new(commands))
}

/// An expectation.
#[must_use]
pub fn expect(uri: &LocUri, expect: Expect) -> Expectation {
    Expectation { uri: uri.to_string(), expect }
}

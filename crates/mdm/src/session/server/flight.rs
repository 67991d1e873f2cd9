//! One job on its way in a session: what was sent, what came back, and what follows from it.

use serde::{Deserialize, Serialize};

use super::facts::{Failure, JobState, QueueItem};
use crate::{
    csp::LocUri,
    profile::job::{Expect, Expectation, Finding, JobId, OnConflict, Proof},
    syncml::{Command, Item, Request, Status, StatusCode, Verb},
};

/// A job is sent so often at most when the device never answers.
pub(super) const MAX_ATTEMPTS: u32 = 5;

/// What a job is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    /// Its commands are sent and answered.
    Commands,
    /// They were done, as the device says; a Get is to show it.
    Proof,
    /// They were sent in a session or message that was cut off; a Get is to show whether they arrived.
    Check,
}

/// A command that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sent {
    msg: u32,
    cmd: u32,
    /// Place among the job's commands; nothing for one within a group.
    place: Option<usize>,
    verb: Option<Verb>,
    uri: String,
    status: Option<u16>,
    /// Statuses of single items.
    by_item: Vec<(String, u16)>,
    error: Option<String>,
}

/// A job at work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Flight {
    pub(super) job: JobId,
    pub(super) phase: Phase,
    /// Commands of the job that were sent.
    next: usize,
    /// Places of commands to be sent again as their counterpart, Add for Replace and the other way round.
    again: Vec<usize>,
    /// Places of commands that were sent as their counterpart.
    switched: Vec<usize>,
    sent: Vec<Sent>,
    results: Vec<Item>,
    /// The highest status of a command that was done.
    status: u16,
}

/// What follows when the device's package is complete.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// There is more to send.
    Continue,
    /// The commands were done; the proof is to be asked for.
    Acknowledged(u16),
    /// Over, or back to an earlier state; the flight ends.
    Land(JobState),
    /// Nothing more in this session, the job stays as it is; the flight ends.
    Park(Option<JobState>),
}

impl Flight {
    /// A job in this state begins to be at work.
    pub(super) fn new(item: &QueueItem, state: &JobState) -> Self {
        let phase = match state {
            JobState::Acknowledged { .. } => Phase::Proof,
            JobState::Sent if can_check(item) => Phase::Check,
            _ => Phase::Commands,
        };
        Self {
            job: item.id.clone(),
            phase,
            next: 0,
            again: Vec::new(),
            switched: Vec::new(),
            sent: Vec::new(),
            results: Vec::new(),
            status: 0,
        }
    }

    /// Whether it waits for an answer.
    pub(super) fn is_waiting(&self) -> bool {
        !self.sent.is_empty()
    }

    /// Whether its first command is still to be sent.
    pub(super) fn is_untouched(&self) -> bool {
        self.phase == Phase::Commands && self.next == 0 && self.sent.is_empty()
    }

    /// The next command to send with its place; nothing when it has to wait for answers.
    pub(super) fn next_command(&self, item: &QueueItem) -> Option<(Option<usize>, Command)> {
        match self.phase {
            Phase::Commands => {
                if let Some(&place) = self.again.first() {
                    return item.job.commands.get(place).map(|command| (Some(place), counterpart(command)));
                }
                item.job.commands.get(self.next).map(|command| (Some(self.next), command.clone()))
            }
            Phase::Proof | Phase::Check if self.is_waiting() => None,
            Phase::Proof | Phase::Check => {
                let Proof::Get(expectations) = &item.job.proof else { return None };
                let items = expectations.iter().map(|one| Item::target(&one.uri)).collect();
                Some((None, Command::Request(Request::new(Verb::Get, items))))
            }
        }
    }

    /// Notes that a command was sent; it has its number.
    pub(super) fn note(&mut self, place: Option<usize>, command: &Command, msg: u32) {
        if let Some(place) = place {
            if self.again.first() == Some(&place) {
                self.again.remove(0);
                self.switched.push(place);
                self.sent.retain(|sent| sent.place != Some(place));
            } else {
                self.next = place + 1;
            }
        }
        let mut top = place;
        let is_top = command.cmd_id();
        command.visit(&mut |one| {
            let (verb, uri) = match one {
                Command::Request(request) => {
                    (Some(request.verb), request.items.first().and_then(Item::target_uri).unwrap_or_default().to_owned())
                }
                _ => (None, String::new()),
            };
            if one.cmd_id() != is_top {
                top = None;
            }
            self.sent.push(Sent {
                msg,
                cmd: one.cmd_id(),
                place: top,
                verb,
                uri,
                status: None,
                by_item: Vec::new(),
                error: None,
            });
        });
    }

    /// Numbers of the commands that were sent in this message.
    pub(super) fn numbers(&self, msg: u32) -> Vec<u32> {
        self.sent.iter().filter(|sent| sent.msg == msg).map(|sent| sent.cmd).collect()
    }

    /// Takes a status if it is for one of its commands.
    pub(super) fn take_status(&mut self, status: &Status) -> bool {
        let Some(sent) = self.sent.iter_mut().find(|sent| sent.msg == status.msg_ref && sent.cmd == status.cmd_ref) else {
            return false;
        };
        let code = status.code.get();
        if status.target_refs.is_empty() {
            sent.status = Some(code);
        } else {
            sent.by_item.extend(status.target_refs.iter().map(|uri| (uri.clone(), code)));
        }
        if status.original_error.is_some() {
            sent.error.clone_from(&status.original_error);
        }
        true
    }

    /// Whether this is one of its commands.
    pub(super) fn has(&self, msg: u32, cmd: u32) -> bool {
        self.sent.iter().any(|sent| sent.msg == msg && sent.cmd == cmd)
    }

    pub(super) fn take_result(&mut self, item: Item) {
        self.results.push(item);
    }

    /// What was found since the last time.
    pub(super) fn take_results(&mut self) -> Vec<Item> {
        std::mem::take(&mut self.results)
    }

    /// Draws the conclusion from a complete package.
    pub(super) fn conclude(&mut self, item: &QueueItem) -> Verdict {
        if !self.is_waiting() {
            return Verdict::Continue;
        }
        match self.phase {
            Phase::Commands => self.conclude_commands(item),
            Phase::Proof | Phase::Check => self.conclude_get(item),
        }
    }

    fn conclude_commands(&mut self, item: &QueueItem) -> Verdict {
        if self.sent.iter().any(|sent| sent.place.is_some() && sent.code().is_none()) {
            return self.unanswered(item);
        }
        let mut again = Vec::new();
        for sent in &self.sent {
            let (Some(place), Some(code)) = (sent.place, sent.code()) else { continue };
            let code = StatusCode::new(code).unwrap_or(StatusCode::COMMAND_FAILED);
            if code.is_success() {
                self.status = self.status.max(code.get());
                continue;
            }
            let conflict = match sent.verb {
                Some(Verb::Add) => code == StatusCode::ALREADY_EXISTS,
                Some(Verb::Replace) => code == StatusCode::NOT_FOUND,
                _ => false,
            };
            // What is asked for may not be there: the answer to a question, and as good as deleted.
            let missing = code == StatusCode::NOT_FOUND && matches!(sent.verb, Some(Verb::Delete | Verb::Get));
            match item.job.on_conflict {
                _ if missing => self.status = self.status.max(200),
                _ if sent.verb == Some(Verb::Get) && item.job.proof == Proof::Results => self.status = self.status.max(200),
                OnConflict::Keep if conflict => self.status = self.status.max(200),
                OnConflict::Switch if conflict && !self.switched.contains(&place) => again.push(place),
                _ => return Verdict::Land(self.failure(sent)),
            }
        }
        self.sent.retain(|sent| sent.place.is_some_and(|place| again.contains(&place)));
        self.again = again;
        if !self.again.is_empty() || self.next < item.job.commands.len() {
            // What is sent again stays noted until it is.
            return Verdict::Continue;
        }
        match item.job.proof {
            _ if !can_be_shown(item) => {
                let detail = "the job names no node that could show it".to_owned();
                Verdict::Land(JobState::Failed { why: Failure::NotShown, code: self.status, detail })
            }
            Proof::Results => Verdict::Land(JobState::Verified),
            Proof::Unenrolment => Verdict::Park(Some(JobState::Acknowledged { status: self.status })),
            Proof::Get(_) => {
                self.phase = Phase::Proof;
                self.sent.clear();
                Verdict::Acknowledged(self.status)
            }
        }
    }

    /// A command was not answered although the package is complete.
    fn unanswered(&mut self, item: &QueueItem) -> Verdict {
        self.sent.clear();
        match item.job.proof {
            // The device drops the session instead of answering.
            Proof::Unenrolment => Verdict::Park(None),
            Proof::Get(_) if can_check(item) => {
                self.phase = Phase::Check;
                Verdict::Continue
            }
            _ => Verdict::Land(again_or_failed(item)),
        }
    }

    fn conclude_get(&mut self, item: &QueueItem) -> Verdict {
        let Proof::Get(expectations) = &item.job.proof else { return Verdict::Park(None) };
        let Some(sent) = self.sent.first() else { return Verdict::Continue };
        if sent.code().is_none() && self.results.is_empty() {
            return Verdict::Park(None);
        }
        let mut pending = false;
        for one in expectations {
            match self.judge(one, sent) {
                Finding::Met => {}
                Finding::Pending => pending = true,
                Finding::Unmet if self.phase == Phase::Check => return Verdict::Land(again_or_failed(item)),
                Finding::Unmet => {
                    let shown = self.value(one).map_or("is not there", |_| "shows another value");
                    let code = sent.code().filter(|code| *code >= 300).unwrap_or_default();
                    return Verdict::Land(JobState::Failed {
                        why: Failure::NotShown,
                        code,
                        detail: format!("{} {shown}", one.uri),
                    });
                }
            }
        }
        if !pending {
            return Verdict::Land(JobState::Verified);
        }
        match self.phase {
            Phase::Check => Verdict::Park(Some(JobState::Acknowledged { status: 200 })),
            _ => Verdict::Park(None),
        }
    }

    fn judge(&self, one: &Expectation, sent: &Sent) -> Finding {
        let value = self.value(one);
        if value.is_none() && one.expect == Expect::Absent {
            // Only 404 says that it is not there; anything else says that nobody knows.
            let code = sent.by_item.iter().find(|(uri, _)| same(uri, &one.uri)).map(|(_, code)| *code).or(sent.status);
            return if code == Some(404) || code == Some(200) { Finding::Met } else { Finding::Unmet };
        }
        // Right after its commands a device may not have the nodes yet that tell how they go on.
        if value.is_none()
            && self.phase == Phase::Proof
            && self.next > 0
            && matches!(one.expect, Expect::Progress { .. } | Expect::Other(_))
        {
            return Finding::Pending;
        }
        one.expect.judge(value)
    }

    fn value(&self, one: &Expectation) -> Option<&str> {
        let found = self.results.iter().find(|item| item.source_uri().is_some_and(|uri| same(uri, &one.uri)));
        found.map(|item| item.data.as_deref().unwrap_or_default())
    }

    /// The failure of a command, told by the command in it that failed.
    fn failure(&self, top: &Sent) -> JobState {
        let inner = self.sent.iter().filter(|sent| sent.msg == top.msg && sent.cmd > top.cmd && sent.place.is_none());
        let culprit = inner
            .filter(|sent| {
                let code = sent.code().and_then(StatusCode::new);
                code.is_some_and(|code| !code.is_success() && !matches!(code.get(), 215 | 216))
            })
            .find(|_| top.verb.is_none());
        let sent = culprit.unwrap_or(top);
        let error = sent.error.as_ref().or(top.error.as_ref()).map(|error| format!(" ({error})")).unwrap_or_default();
        JobState::Failed { why: Failure::Refused, code: sent.code().unwrap_or_default(), detail: format!("{}{error}", sent.uri) }
    }
}

impl Sent {
    /// Its status; the worst of its items' when they fared differently.
    fn code(&self) -> Option<u16> {
        self.status.or_else(|| self.by_item.iter().map(|(_, code)| *code).max())
    }
}

/// Whether a Get can tell that the commands of a job arrived. It cannot when they replace what is there by the same.
fn can_check(item: &QueueItem) -> bool {
    let replaces = item.job.commands.len() > 1
        && matches!(item.job.commands.first(), Some(Command::Request(request)) if request.verb == Verb::Delete);
    matches!(item.job.proof, Proof::Get(_)) && !replaces
}

/// Whether a job names what would show that it was done: a change needs nodes to read, only questions are their own proof.
fn can_be_shown(item: &QueueItem) -> bool {
    let is_get = |command: &Command| matches!(command, Command::Request(request) if request.verb == Verb::Get);
    match &item.job.proof {
        Proof::Results => item.job.commands.iter().all(is_get),
        Proof::Get(expectations) => !expectations.is_empty(),
        Proof::Unenrolment => true,
    }
}

fn again_or_failed(item: &QueueItem) -> JobState {
    if item.attempts < MAX_ATTEMPTS { JobState::Queued } else { unanswered() }
}

/// The state of a job that was sent too often without an answer.
pub(super) fn unanswered() -> JobState {
    JobState::Failed { why: Failure::Unanswered, code: 0, detail: String::new() }
}

/// The command with Add for Replace and Replace for Add.
fn counterpart(command: &Command) -> Command {
    let mut command = command.clone();
    if let Command::Request(request) = &mut command {
        request.verb = match request.verb {
            Verb::Add => Verb::Replace,
            Verb::Replace => Verb::Add,
            other => other,
        };
    }
    command
}

/// Whether two texts are addresses of the same node.
pub(super) fn same(a: &str, b: &str) -> bool {
    match (LocUri::parse(a), LocUri::parse(b)) {
        (Ok(a), Ok(b)) => a.same_node(&b),
        _ => a == b,
    }
}

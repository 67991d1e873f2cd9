//! One message: what is done with it, in order.

use super::{
    answer::{Outcome, Wanted},
    authenticate::{Verdict, authenticate},
    event::Event,
    facts::{Facts, JobState},
    state::{Sequence, SessionState},
};
use crate::{
    profile::job::JobId,
    syncml::{Alert, Command, Status, StatusCode, SyncBody, SyncHdr, SyncMl, alert::AlertCode},
};

/// A session has so many messages of ours at most.
const MAX_MESSAGES: u32 = 200;

/// What is being made of one message.
pub(super) struct Work<'a> {
    pub(super) facts: &'a Facts<'a>,
    pub(super) message: &'a SyncMl,
    pub(super) state: SessionState,
    pub(super) events: Vec<Event>,
    pub(super) wanted: Vec<Wanted>,
    pub(super) commands: Vec<Command>,
    /// States that changed with this message.
    pub(super) changed: Vec<(JobId, JobState)>,
}

/// Takes a message of a device and gives the answer.
///
/// `previous` is what the last step for this device gave, whatever session it was in. The queue in `facts` must have the states that earlier
/// events told. What the caller has to do: fill in what the outcome wants, store its events and state, then send its text; when storing
/// fails, send nothing, and the device repeats its message.
///
/// Messages are answered as section 2.3 of the OMA DM protocol wants: the status of the header, one status for each command in order, then
/// our commands. When there are none, the session is over.
#[must_use]
pub fn step(previous: Option<SessionState>, message: &SyncMl, facts: &Facts<'_>) -> Outcome {
    let mut resumed = false;
    let mut kept = None;
    if let Some(mut state) = previous {
        match state.sequence(message, &facts.digest, facts.now) {
            Sequence::Repeated => {
                state.last_at = facts.now;
                return Outcome { events: Vec::new(), wanted: Vec::new(), state, reply: None };
            }
            Sequence::Next => kept = Some(state),
            Sequence::First => resumed = !state.over,
        }
    }
    let is_first = kept.is_none();
    let state = kept.unwrap_or_else(|| SessionState::begin(message, facts.now));
    let mut work =
        Work { facts, message, state, events: Vec::new(), wanted: Vec::new(), commands: Vec::new(), changed: Vec::new() };
    work.state.last_at = facts.now;
    work.state.last_msg = message.header.msg_id;
    work.state.last_digest = facts.digest.to_vec();
    work.state.own_msg = work.state.own_msg.saturating_add(1);
    if message.header.meta.max_msg_size.is_some() {
        work.state.max_msg_size = message.header.meta.max_msg_size;
    }
    if is_first {
        work.events.push(Event::Started {
            session_id: message.header.session_id.clone(),
            server_initiated: has_alert(message, AlertCode::SERVER_INITIATED),
            resumed,
        });
    }
    work.run();
    work.finish()
}

fn has_alert(message: &SyncMl, code: AlertCode) -> bool {
    message.body.commands.iter().any(|command| matches!(command, Command::Alert(alert) if alert.code == code))
}

impl Work<'_> {
    fn run(&mut self) {
        if let Some(claimed) = self.stranger() {
            self.events.push(Event::NotThisDevice { claimed });
            self.answer_all(&Verdict { code: StatusCode::FORBIDDEN, chal: None, next_nonce: None, end: true });
            self.end(true);
            return;
        }
        let verdict = authenticate(&mut self.state, &self.message.header, self.facts);
        self.answer_all(&verdict);
        if !verdict.is_accepted() {
            self.events.push(Event::CredentialsRefused { failures: self.state.failures, ended: verdict.end });
            if verdict.end {
                self.end(true);
            }
            return;
        }
        if verdict.code == StatusCode::AUTHENTICATED {
            self.events.push(Event::CredentialsAccepted);
        }
        self.events.extend(verdict.next_nonce.map(Event::NextNonce));
        let is_complete = self.read();
        if self.state.over {
            return;
        }
        if !is_complete {
            self.commands.push(Command::Alert(Alert::plain(AlertCode::NEXT_MESSAGE)));
            return;
        }
        if self.state.own_msg > MAX_MESSAGES {
            self.end(true);
            return;
        }
        self.conclude();
        self.send();
        if self.commands.iter().all(Command::is_answer) {
            self.end(false);
        }
    }

    /// What the sender says it is, when that is not the device of the certificate.
    fn stranger(&self) -> Option<String> {
        let source = &self.message.header.source.loc_uri;
        let Some(bound) = self.facts.bound_device else { return Some(source.clone()) };
        if source != bound {
            return Some(source.clone());
        }
        self.dev_info().into_iter().find(|(node, value)| node == "./DevInfo/DevId" && value != bound).map(|(_, value)| value)
    }

    /// Status of the header and of each command.
    fn answer_all(&mut self, verdict: &Verdict) {
        let msg = self.message.header.msg_id;
        let mut header = Status::new(msg, 0, "SyncHdr", verdict.code);
        header.chal = verdict.chal.clone().map(Box::new);
        self.commands.push(Command::Status(header));
        if self.message.header.no_resp {
            return;
        }
        for command in &self.message.body.commands {
            let no_resp = match command {
                Command::Status(_) | Command::Results(_) => true,
                Command::Alert(alert) => alert.no_resp,
                Command::Request(request) => request.no_resp,
                Command::Atomic(group) | Command::Sequence(group) => group.no_resp,
                Command::Other { .. } => false,
            };
            if no_resp {
                continue;
            }
            let code = if verdict.is_accepted() { status_of(command) } else { verdict.code };
            self.commands.push(Command::Status(Status::new(msg, command.cmd_id(), command.name(), code)));
        }
    }

    pub(super) fn end(&mut self, aborted: bool) {
        self.state.over = true;
        self.events.push(Event::Ended { aborted });
    }

    /// Notes a job's new state.
    pub(super) fn set(&mut self, id: &JobId, state: JobState, sent: bool) {
        self.changed.retain(|(other, _)| other != id);
        self.changed.push((id.clone(), state.clone()));
        self.events.push(Event::Job { id: id.clone(), state, sent });
    }

    fn finish(mut self) -> Outcome {
        let header = &self.message.header;
        let mut reply = SyncHdr::new(&header.session_id, self.state.own_msg, &header.source.loc_uri, self.facts.server_url);
        reply.meta.max_msg_size = Some(self.facts.limits.announced);
        let mut next = 1;
        // Our own commands got their numbers when they were sent, behind those of the statuses.
        for command in &mut self.commands {
            if command.cmd_id() == 0 {
                command.number(&mut next);
            }
        }
        let asks_more = self.commands.iter().any(|command| matches!(command, Command::Alert(_)));
        let body = SyncBody { commands: self.commands, is_final: !asks_more };
        Outcome { events: self.events, wanted: self.wanted, state: self.state, reply: Some(SyncMl { header: reply, body }) }
    }
}

/// What a command of the device is answered: it may alert and tell about itself, nothing else.
fn status_of(command: &Command) -> StatusCode {
    use crate::syncml::Verb;
    match command {
        Command::Alert(_) => StatusCode::OK,
        Command::Request(request) if request.verb == Verb::Replace => StatusCode::OK,
        _ => StatusCode::OPTIONAL_FEATURE_NOT_SUPPORTED,
    }
}

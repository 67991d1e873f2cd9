//! What the device says: about itself, and about our commands.

use super::{event::Event, facts::JobState, flight::Verdict, step::Work};
use crate::{
    csp::Scope,
    profile::job::Proof,
    syncml::{
        Alert, Command, Item, Results, Status, StatusCode, Verb,
        alert::{self, AlertCode, LoginStatus},
    },
};

/// The largest object taken in parts, in octets.
const MAX_OBJECT: usize = 4 * 1024 * 1024;

impl Work<'_> {
    /// Reads the commands; says whether the package is complete.
    pub(super) fn read(&mut self) -> bool {
        let message = self.message;
        for command in &message.body.commands {
            match command {
                Command::Alert(alert) => self.read_alert(alert),
                Command::Status(status) => self.read_status(status),
                Command::Results(results) => self.read_results(results),
                Command::Request(_) | Command::Atomic(_) | Command::Sequence(_) | Command::Other { .. } => {}
            }
        }
        let info = self.dev_info();
        if !info.is_empty() {
            self.events.push(Event::DevInfo(info));
        }
        message.body.is_final && self.state.partial.is_none()
    }

    /// Node and value of each Replace.
    pub(super) fn dev_info(&self) -> Vec<(String, String)> {
        let requests = self.message.body.commands.iter().filter_map(|command| match command {
            Command::Request(request) if request.verb == Verb::Replace => Some(request),
            _ => None,
        });
        let items = requests.flat_map(|request| &request.items);
        items.filter_map(|item| Some((item.source_uri().or(item.target_uri())?.to_owned(), item.trimmed().to_owned()))).collect()
    }

    fn read_alert(&mut self, alert: &Alert) {
        if alert.code == AlertCode::SESSION_ABORT {
            self.end(true);
            return;
        }
        for item in &alert.items {
            let kind = item.meta.kind.as_deref().unwrap_or_default();
            let source = item.source_uri().map(str::to_owned);
            let data = item.trimmed().to_owned();
            match kind {
                alert::LOGIN_STATUS => {
                    if let Some(login) = LoginStatus::parse(&data) {
                        self.state.login = Some(login);
                        self.events.push(Event::Login(login));
                    }
                }
                alert::SYNC_TYPE => {
                    self.state.only = match data.as_str() {
                        "user" => Some(Scope::User),
                        "device" => Some(Scope::Device),
                        _ => None,
                    };
                }
                // A secret, for which there is no use here.
                alert::AAD_USER_TOKEN => {}
                alert::UNENROLLMENT => self.unenrolled(),
                alert::SCEP_RESULT => self.events.push(Event::ScepResult { node: source, data }),
                _ => self.events.push(Event::Alert { code: alert.code.0, kind: kind.to_owned(), source, data }),
            }
        }
    }

    /// The device has left; a job that told it to is done.
    fn unenrolled(&mut self) {
        let told = |state: &JobState| matches!(state, JobState::Sent | JobState::Acknowledged { .. });
        let jobs: Vec<_> = self
            .facts
            .queue
            .iter()
            .filter(|item| item.job.proof == Proof::Unenrolment && told(&item.state))
            .map(|item| item.id.clone())
            .collect();
        for id in &jobs {
            self.set(id, JobState::Verified, false);
        }
        self.events.push(Event::Unenrolled { by_server: !jobs.is_empty() });
        self.end(false);
    }

    fn read_status(&mut self, status: &Status) {
        if status.cmd_ref == 0 {
            // MsgRef 0 says that our last message was not understood; its commands then have no status and are asked for.
            if matches!(status.code, StatusCode::INVALID_CREDENTIALS | StatusCode::MISSING_CREDENTIALS | StatusCode::FORBIDDEN) {
                self.events.push(Event::Refused { code: status.code.get() });
                self.end(true);
            } else if !status.code.is_success() {
                self.events.push(Event::Refused { code: status.code.get() });
            }
            return;
        }
        // A status that belongs to nothing we sent is passed over.
        for flight in &mut self.state.flights {
            if flight.take_status(status) {
                return;
            }
        }
    }

    fn read_results(&mut self, results: &Results) {
        // Missing means 1; our last message goes before that when only it has such a command.
        let given = results.msg_ref.unwrap_or(1);
        let last = self.state.own_msg.saturating_sub(1);
        let flights = &self.state.flights;
        let place = flights.iter().position(|flight| flight.has(given, results.cmd_ref)).or_else(|| {
            let known = results.msg_ref.is_none();
            flights.iter().position(|flight| known && flight.has(last, results.cmd_ref))
        });
        for item in &results.items {
            let Some(whole) = self.assemble(item) else { continue };
            if let Some(flight) = place.and_then(|place| self.state.flights.get_mut(place)) {
                flight.take_result(whole);
            }
        }
    }

    /// Puts the parts of a large object together; nothing while some are missing.
    fn assemble(&mut self, item: &Item) -> Option<Item> {
        let mut whole = match self.state.partial.take() {
            Some(mut partial) if partial.source == item.source || item.source.is_none() => {
                let more = item.data.as_deref().unwrap_or_default();
                partial.data.get_or_insert_default().push_str(more);
                partial
            }
            // The rest of the other object never came.
            _ => item.clone(),
        };
        whole.more_data = false;
        if item.more_data && whole.data.as_ref().is_some_and(|data| data.len() <= MAX_OBJECT) {
            self.state.partial = Some(whole);
            return None;
        }
        (!item.more_data).then_some(whole)
    }

    /// Draws the conclusions for every job at work.
    pub(super) fn conclude(&mut self) {
        let flights = std::mem::take(&mut self.state.flights);
        for mut flight in flights {
            // A job that was taken out of the queue meanwhile is of no interest any more.
            let Some(item) = self.facts.queue.iter().find(|item| item.id == flight.job) else { continue };
            let verdict = flight.conclude(item);
            let results = if flight.is_waiting() && verdict == Verdict::Continue { Vec::new() } else { flight.take_results() };
            if !results.is_empty() {
                self.events.push(Event::Results { id: flight.job.clone(), items: results });
            }
            match verdict {
                Verdict::Continue => self.state.flights.push(flight),
                Verdict::Acknowledged(status) => {
                    self.set(&item.id, JobState::Acknowledged { status }, false);
                    self.state.flights.push(flight);
                }
                Verdict::Land(state) => self.set(&item.id, state, false),
                Verdict::Park(state) => {
                    self.state.parked.push(item.id.clone());
                    if let Some(state) = state {
                        self.set(&item.id, state, false);
                    }
                }
            }
        }
    }
}

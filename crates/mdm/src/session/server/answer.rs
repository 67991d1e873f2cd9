//! What comes out of a step: the answer, to be completed and written.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{event::Event, state::SessionState};
use crate::{
    error::MdmError,
    profile::job::{Filling, JobId},
    syncml::{self, Command, SyncMl, Verb},
};

/// Something that is made only now that it is sent, for example a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// For which job.
    pub job: JobId,
    /// What.
    pub what: Filling,
    /// Into which node.
    pub uri: String,
}

/// The outcome of one message: store what the events say, fill in what is wanted, then [`Outcome::encode`].
#[derive(Debug)]
pub struct Outcome {
    /// What happened.
    pub events: Vec<Event>,
    /// What must be filled in with [`Outcome::fill`], or withdrawn.
    pub wanted: Vec<Wanted>,
    pub(super) state: SessionState,
    /// Nothing for a repetition: the stored answer goes out once more.
    pub(super) reply: Option<SyncMl>,
}

/// What goes to the device, and what is kept.
#[derive(Debug)]
pub struct Answer {
    /// The message, of type [`syncml::CONTENT_TYPE`], in UTF-8.
    pub text: String,
    /// The state for the next message; kept also when the session is over, for repetitions.
    pub state: SessionState,
    /// What happened; to be stored before the text is sent.
    pub events: Vec<Event>,
}

impl Outcome {
    /// The reply as far as it is; nothing for a repetition.
    #[must_use]
    pub const fn reply(&self) -> Option<&SyncMl> {
        self.reply.as_ref()
    }

    /// The state as it will be.
    #[must_use]
    pub const fn state(&self) -> &SessionState {
        &self.state
    }

    /// Fills in what is wanted. A challenge is given as it is; the node's base64 is made here.
    pub fn fill(&mut self, wanted: &Wanted, text: &str) {
        let data = match wanted.what {
            Filling::ScepChallenge => STANDARD.encode(text),
            Filling::AccountSecret => text.to_owned(),
        };
        for command in self.reply.iter_mut().flat_map(|reply| &mut reply.body.commands) {
            fill(command, &wanted.uri, &data);
        }
        self.wanted.retain(|other| other != wanted);
    }

    /// Takes a job out of the reply, because what it wants cannot be had. It stays as it was and is not tried again in this session.
    pub fn withdraw(&mut self, job: &JobId) {
        self.wanted.retain(|wanted| wanted.job != *job);
        let Some(reply) = &mut self.reply else { return };
        let Some(place) = self.state.flights.iter().position(|flight| flight.job == *job) else { return };
        let flight = self.state.flights.remove(place);
        let numbers = flight.numbers(self.state.own_msg);
        reply.body.commands.retain(|command| command.is_answer() || !numbers.contains(&command.cmd_id()));
        self.state.parked.push(job.clone());
        self.events.retain(|event| !matches!(event, Event::Job { id, sent: true, .. } if id == job));
        if reply.body.commands.iter().all(Command::is_answer) && !self.state.over {
            self.state.over = true;
            self.events.push(Event::Ended { aborted: false });
        }
    }

    /// Writes the reply.
    ///
    /// # Errors
    /// [`MdmError::Unwritable`] when something wanted was not filled in, or a text cannot be written as XML.
    pub fn encode(mut self) -> Result<Answer, MdmError> {
        if !self.wanted.is_empty() {
            return Err(MdmError::Unwritable("something that is made when it is sent is missing"));
        }
        if let Some(reply) = &self.reply {
            self.state.last_answer = syncml::encode(reply)?;
        }
        Ok(Answer { text: self.state.last_answer.clone(), state: self.state, events: self.events })
    }
}

fn fill(command: &mut Command, uri: &str, data: &str) {
    match command {
        Command::Request(request) if matches!(request.verb, Verb::Add | Verb::Replace) => {
            for item in request.items.iter_mut().filter(|item| item.target_uri() == Some(uri)) {
                item.data = Some(data.to_owned());
            }
        }
        Command::Atomic(group) | Command::Sequence(group) => group.commands.iter_mut().for_each(|inner| fill(inner, uri, data)),
        _ => {}
    }
}

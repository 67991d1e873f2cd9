//! What goes into our message: commands of the jobs at work, then of those that wait, until the message is full.

use super::{
    answer::Wanted,
    facts::{Failure, JobState, QueueItem},
    flight::{Flight, MAX_ATTEMPTS, Phase, unanswered},
    step::Work,
};
use crate::{
    csp::Scope,
    profile::job::{JobId, Proof},
    syncml::{Command, StatusCode, alert::LoginStatus, size_of},
};

/// What header and body take besides the commands, with room for a challenge that is filled in.
const OVERHEAD: usize = 1500;

/// How full a message is.
struct Room {
    used: usize,
    preferred: usize,
    largest: usize,
    next: u32,
    scope: Option<Scope>,
    has_commands: bool,
    full: bool,
}

impl Work<'_> {
    pub(super) fn send(&mut self) {
        let device = self.state.max_msg_size.map_or(usize::MAX, |size| usize::try_from(size).unwrap_or(usize::MAX));
        let statuses: usize = self.commands.iter().map(|command| size_of(command).unwrap_or_default()).sum();
        let mut room = Room {
            used: OVERHEAD + statuses,
            preferred: self.facts.limits.preferred.min(device),
            largest: self.facts.limits.largest.min(device),
            next: u32::try_from(self.commands.len()).unwrap_or(u32::MAX).saturating_add(1),
            scope: None,
            has_commands: false,
            full: false,
        };
        let mut flights = std::mem::take(&mut self.state.flights);
        flights.retain_mut(|flight| self.send_flight(flight, &mut room));
        for item in self.facts.queue {
            if room.full {
                break;
            }
            let at_work = flights.iter().any(|flight| flight.job == item.id);
            if at_work || self.state.parked.contains(&item.id) || !self.is_ready(item) {
                continue;
            }
            let mut flight = Flight::new(item, self.state_of(item));
            if self.send_flight(&mut flight, &mut room) && flight.is_waiting() {
                flights.push(flight);
            }
        }
        self.state.flights = flights;
    }

    /// How far a job is now.
    fn state_of<'s>(&'s self, item: &'s QueueItem) -> &'s JobState {
        self.changed.iter().find(|(id, _)| *id == item.id).map_or(&item.state, |(_, state)| state)
    }

    fn is_ready(&self, item: &QueueItem) -> bool {
        let state = self.state_of(item);
        if state.is_over() || (item.job.proof == Proof::Unenrolment && matches!(state, JobState::Acknowledged { .. })) {
            return false;
        }
        if self.state.only.is_some_and(|only| only != item.job.scope) {
            return false;
        }
        if item.job.scope == Scope::User && self.state.login != Some(LoginStatus::User) {
            return false;
        }
        let is_verified = |id: &JobId| {
            let other = self.facts.queue.iter().find(|other| other.id == *id);
            other.is_some_and(|other| *self.state_of(other) == JobState::Verified)
        };
        *state != JobState::Queued || item.job.after.iter().all(is_verified)
    }

    /// Sends what a job has to send and what fits; says whether it is still at work.
    fn send_flight(&mut self, flight: &mut Flight, room: &mut Room) -> bool {
        let Some(item) = self.facts.queue.iter().find(|item| item.id == flight.job) else { return false };
        let alone = item.job.proof == Proof::Unenrolment;
        if room.full || (alone && room.has_commands) || room.scope.is_some_and(|scope| scope != item.job.scope) {
            // QUIRK(Windows 10 1511): certificates for device and user in one message all end up with the user. Another message, then.
            return true;
        }
        let first_time = flight.is_untouched();
        if first_time && item.attempts >= MAX_ATTEMPTS {
            self.set(&item.id, unanswered(), false);
            return false;
        }
        while let Some((place, mut command)) = flight.next_command(item) {
            let Ok(size) = size_of(&command) else {
                self.set(&item.id, JobState::Failed { why: Failure::Unwritable, code: 0, detail: String::new() }, false);
                return false;
            };
            if OVERHEAD.saturating_add(size) > room.largest {
                self.set(
                    &item.id,
                    JobState::Failed { why: Failure::TooLarge, code: StatusCode::TOO_LARGE.get(), detail: String::new() },
                    false,
                );
                return false;
            }
            if room.has_commands && room.used.saturating_add(size) > room.preferred {
                room.full = true;
                break;
            }
            command.number(&mut room.next);
            flight.note(place, &command, self.state.own_msg);
            room.used = room.used.saturating_add(size);
            room.has_commands = true;
            room.scope = Some(item.job.scope);
            self.want(item, &command);
            self.commands.push(command);
        }
        if first_time && flight.is_waiting() && flight.phase == Phase::Commands {
            self.set(&item.id, JobState::Sent, true);
        }
        room.full |= alone;
        true
    }

    /// Notes what has to be filled in.
    fn want(&mut self, item: &QueueItem, command: &Command) {
        for fill in &item.job.fill {
            let mut is_in = false;
            command.visit(&mut |one| {
                if let Command::Request(request) = one {
                    is_in |= request.items.iter().any(|item| item.target_uri() == Some(fill.uri.as_str()));
                }
            });
            let wanted = Wanted { job: item.id.clone(), what: fill.what, uri: fill.uri.clone() };
            if is_in && !self.wanted.contains(&wanted) {
                self.wanted.push(wanted);
            }
        }
    }
}

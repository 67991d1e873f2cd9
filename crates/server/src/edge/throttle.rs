//! Slowing down whoever guesses challenges, without locking anybody out.
//!
//! Wrong challenges are counted by source address and by profile; the counts sink evenly with time. Once a source is over its budget, or the
//! profile over that of all sources together, wrong challenges are answered with 429 and a time to come back, and the messages of one source
//! are worked on one after the other. A right challenge is served all the same: devices behind one address with an attacker are slowed
//! down, not shut out, and an attacker learns nothing but that he was wrong.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use lanyard_model::id::ProfileName;
use lanyard_ra::reason::Reason;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::Limits;

/// Sources that are remembered; the ones beyond share one count.
const MAX_SOURCES: usize = 10_000;
/// How long a message of a throttled source may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(2);

/// Refusals that a guess ends in.
const GUESSES: [Reason; 3] = [Reason::ChallengeMalformed, Reason::ChallengeUnknown, Reason::ChallengeSignature];

/// Whether a refusal with this code is a wrong challenge.
#[must_use]
pub fn is_guess(code: &str) -> bool {
    GUESSES.iter().any(|reason| reason.code() == code)
}

/// Counts of wrong challenges.
pub struct Throttle {
    per_source: f64,
    per_profile: f64,
    window: f64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sources: HashMap<IpAddr, Source>,
    profiles: HashMap<ProfileName, Count>,
}

/// A count that sinks with time.
#[derive(Clone, Copy)]
struct Count {
    value: f64,
    at: Instant,
}

struct Source {
    count: Count,
    turn: Arc<Semaphore>,
}

/// What a message may do.
pub enum Admission {
    /// Be worked on; a throttled source holds its turn meanwhile.
    Now(Option<OwnedSemaphorePermit>),
    /// Come back after this time: too many others of its source are waiting.
    Later(Duration),
}

impl Count {
    const fn new(at: Instant) -> Self {
        Self { value: 0.0, at }
    }

    /// Lets it sink: a whole budget within a window.
    fn sink(&mut self, budget: f64, window: f64, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.value = (self.value - passed * budget / window).max(0.0);
        self.at = now;
    }

    /// How long until it is one below the budget.
    fn until_below(&self, budget: f64, window: f64) -> Duration {
        Duration::from_secs_f64(((self.value - budget + 1.0).max(0.0) * window / budget).min(window))
    }
}

impl Throttle {
    /// With nothing counted yet.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        // Spans and budgets are checked to be above zero, and far below where a float is not exact.
        #[allow(clippy::cast_precision_loss)]
        let window = limits.wrong_challenge_window.secs() as f64;
        Self {
            per_source: f64::from(limits.wrong_challenges),
            per_profile: f64::from(limits.wrong_challenges_per_profile),
            window,
            state: Mutex::default(),
        }
    }

    /// Lets a message in; one of a throttled source waits for its turn.
    pub async fn admit(&self, source: IpAddr, profile: &ProfileName) -> Admission {
        let Some(turn) = self.turn(source, profile, Instant::now()) else { return Admission::Now(None) };
        match tokio::time::timeout(PATIENCE, turn.acquire_owned()).await {
            Ok(Ok(permit)) => Admission::Now(Some(permit)),
            _ => Admission::Later(PATIENCE),
        }
    }

    /// Counts a wrong challenge. When that is over a budget, the time after which another may be tried.
    pub fn wrong(&self, source: IpAddr, profile: &ProfileName) -> Option<Duration> {
        self.count(source, profile, Instant::now())
    }

    fn count(&self, source: IpAddr, profile: &ProfileName, now: Instant) -> Option<Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let total = state.profiles.entry(profile.clone()).or_insert(Count::new(now));
        total.sink(self.per_profile, self.window, now);
        total.value += 1.0;
        let of_profile = total.until_below(self.per_profile, self.window);
        let key = self.key(&mut state, source, now);
        let one =
            state.sources.entry(key).or_insert_with(|| Source { count: Count::new(now), turn: Arc::new(Semaphore::new(1)) });
        one.count.sink(self.per_source, self.window, now);
        one.count.value += 1.0;
        let of_source = one.count.until_below(self.per_source, self.window);
        // The count must not grow without end, or an attacker would stay throttled long after he went.
        one.count.value = one.count.value.min(2.0 * self.per_source);
        Some(of_profile.max(of_source)).filter(|wait| *wait > Duration::ZERO)
    }

    /// The turnstile of a throttled source.
    fn turn(&self, source: IpAddr, profile: &ProfileName, now: Instant) -> Option<Arc<Semaphore>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let crowded = state.profiles.get_mut(profile).is_some_and(|total| {
            total.sink(self.per_profile, self.window, now);
            total.value >= self.per_profile
        });
        let source = state.sources.get_mut(&network_of(source))?;
        source.count.sink(self.per_source, self.window, now);
        // When everybody together guesses too much, whoever guessed at all is slowed down.
        (source.count.value >= self.per_source || (crowded && source.count.value >= 1.0)).then(|| Arc::clone(&source.turn))
    }

    /// The key of a source; those that have nothing against them make room.
    fn key(&self, state: &mut State, source: IpAddr, now: Instant) -> IpAddr {
        let key = network_of(source);
        if state.sources.len() < MAX_SOURCES || state.sources.contains_key(&key) {
            return key;
        }
        state.sources.retain(|_, source| {
            source.count.sink(self.per_source, self.window, now);
            source.count.value >= 1.0
        });
        if state.sources.len() < MAX_SOURCES { key } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) }
    }
}

/// One customer of an IPv6 provider has at least a /64, so that counts as one source.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttle() -> Throttle {
        Throttle::new(&Limits { wrong_challenges: 10, wrong_challenges_per_profile: 30, ..Limits::default() })
    }

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_source_over_its_budget_is_told_when_to_come_back_and_others_are_not() {
        let (throttle, now, profile) = (throttle(), Instant::now(), crate::config::default_profile());
        for _ in 0..9 {
            assert_eq!(throttle.count(at("192.0.2.1"), &profile, now), None);
        }
        let wait = throttle.count(at("192.0.2.1"), &profile, now).unwrap();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(300), "{wait:?}");
        assert!(throttle.turn(at("192.0.2.1"), &profile, now).is_some());
        assert!(throttle.turn(at("192.0.2.2"), &profile, now).is_none());
        assert_eq!(throttle.count(at("192.0.2.2"), &profile, now), None);
        // Time heals.
        let later = now + Duration::from_secs(600);
        assert!(throttle.turn(at("192.0.2.1"), &profile, later).is_none());
    }

    #[test]
    fn many_sources_together_are_over_the_budget_of_the_profile_and_the_innocent_go_on() {
        let (throttle, now, profile) = (throttle(), Instant::now(), crate::config::default_profile());
        for n in 0..40 {
            throttle.count(at(&format!("192.0.2.{n}")), &profile, now);
        }
        assert!(throttle.turn(at("192.0.2.7"), &profile, now).is_some());
        assert!(throttle.turn(at("203.0.113.1"), &profile, now).is_none());
        assert!(throttle.turn(at("192.0.2.7"), &"other".parse().unwrap(), now).is_none());
    }

    #[test]
    fn a_whole_network_of_ipv6_is_one_source_and_memory_is_bounded() {
        assert_eq!(network_of(at("2001:db8::1")), network_of(at("2001:db8::2:3")));
        assert_ne!(network_of(at("2001:db8::1")), network_of(at("2001:db8:0:1::1")));
        let (throttle, now, profile) = (throttle(), Instant::now(), crate::config::default_profile());
        for n in 0..u32::try_from(2 * MAX_SOURCES).unwrap() {
            throttle.count(IpAddr::V4(n.into()), &profile, now);
        }
        assert!(throttle.state.lock().unwrap().sources.len() <= MAX_SOURCES + 1);
    }
}

//! Counting wrong passwords, so that nobody tries them all.
//!
//! Counts are per account and source together, per source, and per account from everywhere; each sinks evenly, a whole budget in ten
//! minutes. The budget of an account from everywhere is the largest, because whoever exhausts it keeps its owner out as well.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use lanyard_model::id::UserName;

/// Time in which a count sinks from a whole budget to nothing.
const WINDOW: Duration = Duration::from_secs(600);
/// Counts that are remembered; while there are as many, new ones share one.
const MOST: usize = 10_000;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Pair(UserName, Option<IpAddr>),
    Source(Option<IpAddr>),
    Account(UserName),
    Rest,
}

/// The counts.
pub struct Attempts {
    budget: f64,
    counts: Mutex<HashMap<Key, (f64, Instant)>>,
}

impl Attempts {
    /// With a budget of so many wrong passwords of one account from one source.
    #[must_use]
    pub fn new(budget: u32) -> Self {
        Self { budget: f64::from(budget), counts: Mutex::default() }
    }

    /// Whether another password may be tried.
    #[must_use]
    pub fn may_try(&self, account: &UserName, source: Option<IpAddr>) -> bool {
        self.may_try_at(account, source, Instant::now())
    }

    fn may_try_at(&self, account: &UserName, source: Option<IpAddr>, now: Instant) -> bool {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        self.budgets(account, source).into_iter().all(|(key, budget)| {
            let found = counts.get(&key).or_else(|| counts.get(&Key::Rest).filter(|_| counts.len() >= MOST));
            found.is_none_or(|(value, at)| sunk(*value, *at, budget, now) + 1.0 <= budget)
        })
    }

    /// Counts a wrong one.
    pub fn wrong(&self, account: &UserName, source: Option<IpAddr>) {
        self.wrong_at(account, source, Instant::now());
    }

    fn wrong_at(&self, account: &UserName, source: Option<IpAddr>, now: Instant) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() + 3 >= MOST {
            counts.retain(|_, (_, at)| now.saturating_duration_since(*at) < WINDOW);
        }
        for (key, budget) in self.budgets(account, source) {
            let key = if counts.len() < MOST || counts.contains_key(&key) { key } else { Key::Rest };
            let (value, at) = counts.entry(key).or_insert((0.0, now));
            *value = (sunk(*value, *at, budget, now) + 1.0).min(2.0 * budget);
            *at = now;
        }
    }

    fn budgets(&self, account: &UserName, source: Option<IpAddr>) -> [(Key, f64); 3] {
        [
            (Key::Pair(account.clone(), source), self.budget),
            // Many people may share an address.
            (Key::Source(source), 10.0 * self.budget),
            (Key::Account(account.clone()), 10.0 * self.budget),
        ]
    }
}

fn sunk(value: f64, at: Instant, budget: f64, now: Instant) -> f64 {
    let passed = now.saturating_duration_since(at).as_secs_f64();
    (value - passed * budget / WINDOW.as_secs_f64()).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_waits_from_one_source_and_not_from_another() {
        let (attempts, now) = (Attempts::new(3), Instant::now());
        let (user, other): (UserName, UserName) = ("user1".parse().unwrap(), "user2".parse().unwrap());
        let (here, there) = ("192.0.2.1".parse().ok(), "192.0.2.2".parse().ok());
        for _ in 0..3 {
            assert!(attempts.may_try_at(&user, here, now));
            attempts.wrong_at(&user, here, now);
        }
        assert!(!attempts.may_try_at(&user, here, now));
        assert!(attempts.may_try_at(&user, there, now) && attempts.may_try_at(&other, here, now));
        assert!(attempts.may_try_at(&user, here, now + Duration::from_secs(300)));
        for _ in 0..30 {
            attempts.wrong_at(&other, here, now);
        }
        assert!(!attempts.may_try_at(&user, here, now + Duration::from_secs(1)));
    }
}

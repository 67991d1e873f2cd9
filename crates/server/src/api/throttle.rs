//! How often something may happen in a minute.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

const MINUTE: Duration = Duration::from_secs(60);
/// Most keys that are remembered; beyond that, those whose minute is over are forgotten, and then all.
const MOST: usize = 10_000;

/// Counts by key in minutes that begin with the first event.
#[derive(Debug)]
pub struct Throttle<K>(Mutex<HashMap<K, (Instant, u32)>>);

impl<K> Default for Throttle<K> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Hash + Eq> Throttle<K> {
    /// Whether fewer than `most` events of this key were counted in its minute.
    pub fn has_room(&self, key: &K, most: u32) -> bool {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(key).is_none_or(|(began, count)| began.elapsed() >= MINUTE || *count < most)
    }

    /// Counts an event; `false` if there were `most` in this minute already.
    pub fn count(&self, key: K, most: u32) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MOST && !counts.contains_key(&key) {
            counts.retain(|_, (began, _)| began.elapsed() < MINUTE);
            if counts.len() >= MOST {
                counts.clear();
            }
        }
        let entry = counts.entry(key).or_insert_with(|| (Instant::now(), 0));
        if entry.0.elapsed() >= MINUTE {
            *entry = (Instant::now(), 0);
        }
        entry.1 = entry.1.saturating_add(1);
        entry.1 <= most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_so_many_places() {
        let throttle = Throttle::default();
        assert!((0..3).all(|_| throttle.count("a", 3)));
        assert!(!throttle.count("a", 3) && !throttle.has_room(&"a", 3));
        assert!(throttle.count("b", 3) && throttle.has_room(&"b", 3));
    }
}

//! How many callers are about to write.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Counts pieces of work that will end in writes. The writer commits for several of them together, and waits for nobody when there is
/// only one.
#[derive(Debug, Clone, Default)]
pub struct Callers(Arc<AtomicUsize>);

/// One piece of work, until it is dropped.
#[derive(Debug)]
pub struct AtWork(Arc<AtomicUsize>);

impl Callers {
    /// Counts a piece of work that begins.
    #[must_use]
    pub fn enter(&self) -> AtWork {
        self.0.fetch_add(1, Ordering::Relaxed);
        AtWork(Arc::clone(&self.0))
    }

    pub(crate) fn at_work(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

//! The present, which tests turn.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use lanyard_model::time::{Span, Timestamp};

/// The machine's clock with an offset, which is zero outside tests.
#[derive(Debug, Clone, Default)]
pub struct Clock(Arc<AtomicI64>);

impl Clock {
    /// The present.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX).saturating_add(self.0.load(Ordering::Relaxed)))
    }

    /// Lets time pass, or go back.
    pub fn advance(&self, span: Span) {
        self.0.fetch_add(span.secs().saturating_mul(1000), Ordering::Relaxed);
    }
}

//! Who does the work that only one node may do: CRLs, service certificates, heads of the audit log, expiry.
//!
//! A node that shares its database holds a lease and gives signs of life. Another takes over when it saw none for [`SILENCE`] on its own
//! monotonic clock: clocks that differ or jump cannot make two leaders. A leader that was merely asleep is stopped by the fence: its
//! writes name a lease that is no longer held.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use lanyard_model::lease::LeaseRecord;
use lanyard_store::ports::Store;

use crate::error::ServerError;

/// Name of the lease.
pub const LEADER: &str = "leader";

/// How long a holder must have been silent before its work is taken over. Signs of life come every [`crate::jobs::runner::TICK`].
pub const SILENCE: Duration = Duration::from_secs(12);

/// What this node knows about the lease.
#[derive(Debug)]
pub struct Leadership {
    /// This process.
    node: String,
    /// Whether other nodes may share the database.
    shared: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    held: Option<LeaseRecord>,
    /// The last sign of life of another node, and when it was seen first.
    seen: Option<(LeaseRecord, Instant)>,
}

impl Leadership {
    /// Of a process that is about to start; `node` names it for people and is not used twice.
    #[must_use]
    pub fn new(node: String, shared: bool) -> Self {
        Self { node, shared, state: Mutex::default() }
    }

    /// Name of this process.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Whether other nodes may share the database.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        self.shared
    }

    /// Whether this node does the work.
    #[must_use]
    pub fn leads(&self) -> bool {
        !self.shared || self.lock().held.is_some()
    }

    /// The lease that the work's writes must name; `None` where nobody else can be there.
    #[must_use]
    pub fn lease(&self) -> Option<LeaseRecord> {
        self.lock().held.clone()
    }

    /// Gives a sign of life, or takes the lease if it is free or its holder was silent for too long.
    ///
    /// # Errors
    /// Storage errors. Then this node no longer leads: it cannot know whether another one does.
    pub async fn step(&self, store: &dyn Store) -> Result<(), ServerError> {
        if !self.shared {
            return Ok(());
        }
        let held = self.lease();
        let stepped = match held {
            Some(held) => self.keep(store, held).await,
            None => self.take(store).await,
        };
        if stepped.is_err() {
            self.lock().held = None;
        }
        stepped
    }

    async fn keep(&self, store: &dyn Store, held: LeaseRecord) -> Result<(), ServerError> {
        if !store.keep_lease(&held).await? {
            tracing::warn!(node = %self.node, "another node has taken over the periodic work");
            self.lock().held = None;
        }
        Ok(())
    }

    async fn take(&self, store: &dyn Store) -> Result<(), ServerError> {
        let found = store.load_lease(LEADER).await?;
        if !self.is_free(found.as_ref()) {
            return Ok(());
        }
        if let Some(lease) = store.take_lease(LEADER, &self.node, found.as_ref()).await? {
            tracing::info!(node = %self.node, fence = lease.fence, "this node does the periodic work now");
            *self.lock() = State { held: Some(lease), seen: None };
        }
        Ok(())
    }

    fn is_free(&self, found: Option<&LeaseRecord>) -> bool {
        let Some(found) = found.filter(|lease| !lease.holder.is_empty()) else { return true };
        let mut state = self.lock();
        match &state.seen {
            Some((seen, since)) if seen == found => since.elapsed() >= SILENCE,
            _ => {
                state.seen = Some((found.clone(), Instant::now()));
                false
            }
        }
    }

    /// Gives the lease back, so that no other node has to wait for silence.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn release(&self, store: &dyn Store) -> Result<(), ServerError> {
        let held = self.lock().held.take();
        if let Some(held) = held {
            store.release_lease(&held).await?;
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

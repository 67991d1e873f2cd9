//! Connections to the directory: a few, used again while they are fresh, and never more than [`MOST`] at a time.
//!
//! One that was used before may have been closed by the directory, or lost on the way without a word. It therefore gets half of the time
//! there is; when it fails, the search goes over a new one.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task::JoinHandle,
};

/// Connections at a time; further searches wait their turn within their time.
const MOST: usize = 8;
/// How old a connection may become: an account that was taken back is let in no longer than that.
const LIFE: Duration = Duration::from_secs(300);
/// How long a connection may lie idle: shorter than what firewalls on the way forget.
const IDLE: Duration = Duration::from_secs(60);

/// A connection; closed when it is dropped.
pub(crate) struct Connection {
    pub(crate) ldap: ldap3::Ldap,
    driver: JoinHandle<()>,
    since: Instant,
    used: Instant,
}

impl Connection {
    pub(crate) fn new(ldap: ldap3::Ldap, driver: JoinHandle<()>) -> Self {
        let now = Instant::now();
        Self { ldap, driver, since: now, used: now }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// The connections that are let in as the reading account and wait for work.
pub(crate) struct Pool {
    idle: Mutex<Vec<Connection>>,
    turns: Semaphore,
}

impl Default for Pool {
    fn default() -> Self {
        Self { idle: Mutex::default(), turns: Semaphore::new(MOST) }
    }
}

impl Pool {
    /// A turn; held while a connection is in use.
    pub(crate) async fn turn(&self) -> Result<SemaphorePermit<'_>, String> {
        self.turns.acquire().await.map_err(|e| e.to_string())
    }

    /// The connection used last, if there is a fresh one.
    pub(crate) fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain_mut(|c| c.since.elapsed() < LIFE && c.used.elapsed() < IDLE && !c.ldap.is_closed());
        idle.pop()
    }

    /// Keeps a connection that answered.
    pub(crate) fn keep(&self, mut connection: Connection) {
        connection.used = Instant::now();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}

//! Connections to the directory: a few, used again while they are fresh, and never more than [`MOST`] at a time.
//!
//! One that was used before may have been closed by the directory, or lost on the way without a word. It therefore gets half of the time
//! there is; when it fails, the look-up goes over a new one.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use ldap3::{LdapConnAsync, LdapConnSettings};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task::JoinHandle,
};

use super::lookup::Ldap;

/// Connections at a time; further look-ups wait their turn within their time.
const MOST: usize = 8;
/// How old a connection may become: an account that was taken back is let in no longer than that.
const LIFE: Duration = Duration::from_secs(300);
/// How long a connection may lie idle: shorter than what firewalls on the way forget.
const IDLE: Duration = Duration::from_secs(60);

/// A connection; closed when it is dropped.
pub(super) struct Connection {
    pub(super) ldap: ldap3::Ldap,
    driver: JoinHandle<()>,
    since: Instant,
    used: Instant,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// The connections that are let in as the reading account and wait for work.
pub(super) struct Pool {
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
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>, String> {
        self.turns.acquire().await.map_err(|e| e.to_string())
    }

    /// The connection used last, if there is a fresh one.
    pub(super) fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain_mut(|c| c.since.elapsed() < LIFE && c.used.elapsed() < IDLE && !c.ldap.is_closed());
        idle.pop()
    }

    /// Keeps a connection that answered.
    pub(super) fn keep(&self, mut connection: Connection) {
        connection.used = Instant::now();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}

impl Ldap {
    /// A new connection, let in as nobody yet.
    pub(super) async fn connect(&self) -> Result<Connection, String> {
        let mut settings = LdapConnSettings::new().set_starttls(self.settings.start_tls);
        if let Some(tls) = &self.tls {
            settings = settings.set_config(Arc::clone(tls));
        }
        let (connection, ldap) = LdapConnAsync::with_settings(settings, &self.settings.url).await.map_err(|e| e.to_string())?;
        let driving = async move {
            if let Err(error) = connection.drive().await {
                tracing::debug!(%error, "a connection to the directory ended");
            }
        };
        let now = Instant::now();
        Ok(Connection { ldap, driver: tokio::spawn(driving), since: now, used: now })
    }
}

//! The handle that the rest of the program holds, and how a read or write leaves it.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use futures_util::{FutureExt, future::BoxFuture};
use tokio::sync::{mpsc, oneshot};

use super::{
    connection::{Connection, Flush},
    turns::Turns,
    tx::{Applied, Tx},
    value::{Row, Value, args},
    writer::{self, Job, Object, QUEUE, Writer},
};
use crate::{
    callers::Callers,
    error::StoreError,
    ports::{Result, Store},
    postgres, sqlite,
};

/// An open database. Clones share it; the last one dropped lets the writer finish what is queued and end.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

struct Inner {
    readers: Readers,
    writing: Writing,
    commits: Arc<AtomicU64>,
    callers: Callers,
    /// Held while a CRL gets its number and its list, so that a higher number never comes with an older list.
    crl: tokio::sync::Mutex<()>,
}

/// How a write reaches the writer.
enum Writing {
    /// Its callers run it: a file.
    Turns(Arc<Turns>),
    /// A task runs it: a server, whose answers it awaits.
    Task {
        /// Gone once the store is closed.
        queue: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
        /// Told when the writer has ended.
        ended: tokio::sync::Mutex<Option<oneshot::Receiver<()>>>,
    },
}

/// Connections for reading.
pub(crate) enum Readers {
    Sqlite(sqlite::readers::Readers),
    Postgres(Box<postgres::readers::Readers>),
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("commits", &self.commits()).finish_non_exhaustive()
    }
}

impl Database {
    /// Puts an open database together.
    ///
    /// Must be called inside a tokio runtime.
    pub(crate) fn start(connection: Connection, readers: Readers) -> Self {
        let commits = Arc::new(AtomicU64::new(0));
        let callers = Callers::default();
        let on_server = connection.is_remote();
        let writer = Writer::new(connection, Arc::clone(&commits), callers.clone());
        let writing = if on_server {
            let (sender, queue) = mpsc::channel(QUEUE);
            let (ending, ended) = oneshot::channel();
            tokio::spawn(async move {
                writer.run(queue).await;
                let _ = ending.send(());
            });
            Writing::Task { queue: Mutex::new(Some(sender)), ended: tokio::sync::Mutex::new(Some(ended)) }
        } else {
            Writing::Turns(Turns::new(writer, callers.clone()))
        };
        Self(Arc::new(Inner { readers, writing, commits, callers, crl: tokio::sync::Mutex::new(()) }))
    }

    /// How many batches were committed since the database was opened; for metrics.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.0.commits.load(Ordering::Relaxed)
    }

    /// Rows of a quick read: one that finds what it needs by an index. `action` completes "failed while trying to".
    pub(crate) async fn fetch(&self, action: &'static str, sql: &'static str, args: Vec<Value>) -> Result<Vec<Row>> {
        if let Writing::Turns(turns) = &self.0.writing
            && let Some(rows) = turns.read(sql, &args)
        {
            return rows.map_err(|fault| fault.during(action));
        }
        let rows = match &self.0.readers {
            Readers::Sqlite(readers) => readers.fetch(sql, args).await,
            Readers::Postgres(readers) => readers.fetch(sql, args).await,
        };
        rows.map_err(|fault| fault.map_or(StoreError::Closed, |fault| fault.during(action)))
    }

    /// The first row of a quick read.
    pub(crate) async fn optional(&self, action: &'static str, sql: &'static str, args: Vec<Value>) -> Result<Option<Row>> {
        Ok(self.fetch(action, sql, args).await?.into_iter().next())
    }

    /// Rows of a read that may go through many: it keeps no other task from running.
    pub(crate) async fn fetch_long(&self, action: &'static str, sql: &'static str, args: Vec<Value>) -> Result<Vec<Row>> {
        let rows = match &self.0.readers {
            Readers::Sqlite(readers) => readers.fetch_long(sql, args).await,
            Readers::Postgres(readers) => readers.fetch(sql, args).await,
        };
        rows.map_err(|fault| fault.map_or(StoreError::Closed, |fault| fault.during(action)))
    }

    async fn close_readers(&self) {
        match &self.0.readers {
            Readers::Sqlite(readers) => readers.close().await,
            Readers::Postgres(readers) => readers.close(),
        }
    }

    /// Keeps other CRLs of this process waiting.
    pub(crate) async fn crl_turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.0.crl.lock().await
    }

    /// Queues a write and waits until it is durable. Once queued it happens even if the caller stops waiting. `work` may run more
    /// than once, but takes effect once.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<Applied<T>>> + Send + Sync + 'static,
        T: Send + 'static,
    {
        self.write_on(Object::default(), work).await
    }

    /// [`Self::write`] on an object (a challenge's id, a serial number) that other nodes may be writing at this moment.
    pub(crate) async fn write_on<T, F>(&self, object: Object, work: F) -> Result<T>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<Applied<T>>> + Send + Sync + 'static,
        T: Send + 'static,
    {
        self.write_until(object, Flush::Now, work).await
    }

    /// [`Self::write_on`], returning when everybody sees what was written, and it is durable as far as `flush` says.
    pub(crate) async fn write_until<T, F>(&self, object: Object, flush: Flush, work: F) -> Result<T>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<Applied<T>>> + Send + Sync + 'static,
        T: Send + 'static,
    {
        let (job, answer) = writer::job(object, flush, work);
        match &self.0.writing {
            Writing::Turns(turns) => turns.write(job, answer).await,
            Writing::Task { queue, .. } => {
                let queue = queue.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(StoreError::Closed)?;
                queue.send(job).await.map_err(|_| StoreError::Closed)?;
                // Only a writer that is gone leaves a caller without an answer; then it is unknown what is on the disk.
                answer.await.unwrap_or(Err(StoreError::Stopped))
            }
        }
    }
}

const READ: &str = "SELECT beats FROM heartbeat WHERE id = 1";
const BEAT: &str = "UPDATE heartbeat SET beats = beats + 1 WHERE id = 1";

#[async_trait]
impl Store for Database {
    fn callers(&self) -> &Callers {
        &self.0.callers
    }

    async fn close(&self) {
        // Readers first: the writer's last checkpoint is complete only when nobody reads the log.
        match &self.0.writing {
            Writing::Turns(turns) => {
                turns.refuse();
                self.close_readers().await;
                turns.close().await;
            }
            Writing::Task { queue, ended } => {
                drop(queue.lock().unwrap_or_else(PoisonError::into_inner).take());
                self.close_readers().await;
                let ended = ended.lock().await.take();
                if let Some(ended) = ended
                    && ended.await.is_err()
                {
                    tracing::error!("the writer of the database ended badly");
                }
            }
        }
    }

    async fn check(&self) -> Result<()> {
        self.fetch("read for the health check", READ, args![]).await?;
        self.write(|tx| beat(tx).boxed()).await
    }

    async fn fill(&self, certificates: u64) -> Result<()> {
        let certificates = i64::try_from(certificates).unwrap_or(i64::MAX);
        self.write(move |tx| fill(tx, certificates).boxed()).await
    }
}

async fn fill(tx: &mut Tx, certificates: i64) -> Result<Applied<()>> {
    for sql in tx.connection.fill_statements() {
        tx.execute("fill the database", sql, args![certificates]).await?;
    }
    Ok(Applied::Kept(()))
}

async fn beat(tx: &mut Tx) -> Result<Applied<()>> {
    tx.execute("write for the health check", BEAT, args![]).await?;
    Ok(Applied::Kept(()))
}

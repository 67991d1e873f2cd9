//! The handle that the rest of the program holds, and how a read or write leaves it.

use std::{
    fmt,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use futures_util::{FutureExt, future::BoxFuture};
use sqlx::SqlitePool;
use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    open,
    row::engine,
    tx::{Applied, Tx},
    writer::{self, Job, QUEUE, Writer},
};
use crate::{
    error::StoreError,
    ports::{Result, Store},
};

/// An open SQLite database. Clones share it; the last one dropped lets the writer finish what is queued and end.
#[derive(Clone)]
pub struct Sqlite(Arc<Inner>);

struct Inner {
    readers: SqlitePool,
    /// Gone once the store is closed.
    queue: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    writer: tokio::sync::Mutex<Option<JoinHandle<()>>>,
    commits: Arc<AtomicU64>,
    /// Held while a CRL gets its number and its list, so that a higher number never comes with an older list.
    crl: tokio::sync::Mutex<()>,
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("commits", &self.commits()).finish_non_exhaustive()
    }
}

impl Sqlite {
    /// Opens the database at `path`, creating it (mode 0600) if it is absent, and brings its schema up to date.
    ///
    /// Must be called inside a tokio runtime, which then runs the writer.
    pub async fn open(path: &Path) -> Result<Self> {
        let opened = open::open(path).await?;
        let commits = Arc::new(AtomicU64::new(0));
        let (sender, queue) = mpsc::channel(QUEUE);
        let writer = tokio::spawn(Writer::new(opened.writer, Arc::clone(&commits)).run(queue));
        Ok(Self(Arc::new(Inner {
            readers: opened.readers,
            queue: Mutex::new(Some(sender)),
            writer: tokio::sync::Mutex::new(Some(writer)),
            commits,
            crl: tokio::sync::Mutex::new(()),
        })))
    }

    /// How many batches were committed since the database was opened; for metrics.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.0.commits.load(Ordering::Relaxed)
    }

    /// The connections for reading.
    pub(super) fn readers(&self) -> &SqlitePool {
        &self.0.readers
    }

    /// Keeps other CRLs of this process waiting.
    pub(super) async fn crl_turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.0.crl.lock().await
    }

    /// Queues a write and waits until it is durable. Once queued it happens even if the caller stops waiting.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<Applied<T>>> + Send + 'static,
        T: Send + 'static,
    {
        let queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(StoreError::Closed)?;
        let (job, answer) = writer::job(work);
        queue.send(job).await.map_err(|_| StoreError::Closed)?;
        // Only a writer that is gone leaves a caller without an answer; then it is unknown what is on the disk.
        answer.await.unwrap_or(Err(StoreError::Stopped))
    }
}

const READ: &str = "SELECT beats FROM heartbeat WHERE id = 1";
const BEAT: &str = "UPDATE heartbeat SET beats = beats + 1 WHERE id = 1";

#[async_trait]
impl Store for Sqlite {
    async fn close(&self) {
        let queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(queue);
        // Readers first: the writer's last checkpoint is complete only when nobody reads the log.
        self.0.readers.close().await;
        let writer = self.0.writer.lock().await.take();
        if let Some(writer) = writer
            && let Err(error) = writer.await
        {
            tracing::error!(%error, "the writer of the database ended badly");
        }
    }

    async fn check(&self) -> Result<()> {
        sqlx::query(READ).fetch_one(self.readers()).await.map_err(engine("read for the health check"))?;
        self.write(|tx| beat(tx).boxed()).await
    }
}

async fn beat(tx: &mut Tx) -> Result<Applied<()>> {
    sqlx::query(BEAT).execute(&mut tx.connection).await.map_err(engine("write for the health check"))?;
    Ok(Applied::Kept(()))
}

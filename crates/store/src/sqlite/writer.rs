//! The one writer: takes waiting jobs together, runs each in a savepoint, commits once, and only then answers.
//!
//! A job that fails or decides to do nothing is undone alone. When the engine fails under the whole batch, all of it is undone
//! and every caller hears so. A failed commit or sync is final (after one, nobody knows what is on the disk; trying again
//! reports success for pages the kernel has thrown away): the task keeps running only to refuse.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use futures_util::{FutureExt, future::BoxFuture};
use sqlx::SqliteConnection;
use tokio::sync::{mpsc, oneshot};

use super::{
    open,
    tx::{Applied, Tx},
};
use crate::{chain::Tip, error::StoreError, ports::Result};

/// Jobs that may wait; beyond that, callers wait to queue.
pub(super) const QUEUE: usize = 4096;

/// Jobs in one commit.
const BATCH: usize = 256;

/// Jobs after which the write-ahead log is moved into the database file.
const CHECKPOINT_AFTER: usize = 1000;

const SQLITE_FULL: i32 = 13;
/// Input or output error, damaged file, no database: writing on would make things worse.
const UNTRUSTED: [i32; 3] = [10, 11, 26];

/// How a batch ended.
pub(super) enum Fate {
    /// It is durable.
    Committed,
    /// None of it happened; the next batch may fare better.
    Undone(String),
    /// Nothing may be written any more.
    Stopped,
}

/// A queued write. It must await nothing but the connection: everybody else in the batch waits with it.
#[async_trait]
pub(super) trait Job: Send {
    /// Runs inside a savepoint.
    async fn run(&mut self, tx: &mut Tx) -> Ran;
    /// Tells the caller.
    fn answer(self: Box<Self>, fate: &Fate);
}

/// What to do with the savepoint of a job.
pub(super) enum Ran {
    Keep,
    Undo,
    /// The engine cannot be trusted any more.
    Stop,
}

/// A job with its caller.
struct Task<F, T> {
    work: Option<F>,
    outcome: Option<Result<T>>,
    caller: oneshot::Sender<Result<T>>,
}

/// A job that does `work`, and where its caller waits.
pub(super) fn job<F, T>(work: F) -> (Box<dyn Job>, oneshot::Receiver<Result<T>>)
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<Applied<T>>> + Send + 'static,
    T: Send + 'static,
{
    let (caller, answer) = oneshot::channel();
    (Box::new(Task { work: Some(work), outcome: None, caller }), answer)
}

#[async_trait]
impl<F, T> Job for Task<F, T>
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<Applied<T>>> + Send,
    T: Send,
{
    async fn run(&mut self, tx: &mut Tx) -> Ran {
        let Some(work) = self.work.take() else { return Ran::Undo };
        // A panic ends one request, not everybody's storage.
        let applied = AssertUnwindSafe(async { work(tx).await }).catch_unwind().await;
        let (outcome, ran) = match applied {
            Ok(Ok(Applied::Kept(answer))) => (Ok(answer), Ran::Keep),
            Ok(Ok(Applied::Nothing(answer))) => (Ok(answer), Ran::Undo),
            Ok(Err(error)) => {
                let ran = if untrusted(&error) { Ran::Stop } else { Ran::Undo };
                (Err(error), ran)
            }
            Err(_) => (Err(StoreError::Engine { action: "run a write", source: "it panicked".into() }), Ran::Undo),
        };
        self.outcome = Some(outcome);
        ran
    }

    fn answer(self: Box<Self>, fate: &Fate) {
        let answer = match (fate, self.outcome) {
            (Fate::Committed, Some(outcome)) => outcome,
            (Fate::Undone(problem), _) => Err(StoreError::Engine { action: "commit", source: problem.as_str().into() }),
            (Fate::Stopped, _) | (Fate::Committed, None) => Err(StoreError::Stopped),
        };
        // The caller may have gone away; what is committed stays.
        let _ = self.caller.send(answer);
    }
}

/// The engine failed under the batch.
struct Failure {
    error: sqlx::Error,
    last: bool,
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let last = code(&error).is_some_and(|c| UNTRUSTED.contains(&c)) || code(&error).is_none();
        Self { error, last }
    }
}

/// The writer task.
pub(super) struct Writer {
    tx: Tx,
    commits: Arc<AtomicU64>,
    stopped: bool,
    since_checkpoint: usize,
}

impl Writer {
    /// A writer on its own connection; `commits` counts.
    pub(super) fn new(connection: SqliteConnection, commits: Arc<AtomicU64>) -> Self {
        Self { tx: Tx { connection, tip: Tip::default() }, commits, stopped: false, since_checkpoint: 0 }
    }

    /// Runs until every sender is gone and every job answered.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Box<dyn Job>>) {
        let mut jobs = Vec::with_capacity(BATCH);
        while queue.recv_many(&mut jobs, BATCH).await > 0 {
            let fate = self.batch(&mut jobs).await;
            self.since_checkpoint += jobs.len();
            for job in jobs.drain(..) {
                job.answer(&fate);
            }
            if self.since_checkpoint >= CHECKPOINT_AFTER && !self.stopped {
                self.checkpoint().await;
            }
        }
        if self.stopped {
            return;
        }
        if let Err(error) = open::finish(self.tx.connection).await {
            tracing::warn!(%error, "the write-ahead log could not be moved into the database; the next start does it");
        }
    }

    async fn batch(&mut self, jobs: &mut [Box<dyn Job>]) -> Fate {
        if self.stopped {
            return Fate::Stopped;
        }
        let Err(failure) = self.transaction(jobs).await else {
            self.commits.fetch_add(1, Ordering::Relaxed);
            return Fate::Committed;
        };
        if failure.last {
            self.stop(&failure.error);
            return Fate::Stopped;
        }
        tracing::error!(error = %failure.error, jobs = jobs.len(), "a batch of writes was undone");
        // The engine may have rolled back by itself; then this fails, and that is as good.
        let _ = self.execute("ROLLBACK").await;
        Fate::Undone(failure.error.to_string())
    }

    async fn transaction(&mut self, jobs: &mut [Box<dyn Job>]) -> std::result::Result<(), Failure> {
        self.execute("BEGIN IMMEDIATE").await?;
        self.tx.load_tip().await.map_err(|e| Failure { last: untrusted(&e), error: sqlx::Error::Protocol(e.to_string()) })?;
        for job in jobs {
            self.savepoint(job.as_mut()).await?;
        }
        // Where the disk is full, the log ends in frames without a commit mark: certainly not committed, and worth trying again
        // when there is space. After anything else it is unknown.
        self.execute("COMMIT").await.map_err(|error| Failure { last: code(&error) != Some(SQLITE_FULL), error })
    }

    async fn savepoint(&mut self, job: &mut dyn Job) -> std::result::Result<(), Failure> {
        self.execute("SAVEPOINT job").await?;
        let before = self.tx.tip;
        match job.run(&mut self.tx).await {
            Ran::Keep => {}
            Ran::Undo => {
                self.tx.tip = before;
                // Fails when the engine has rolled back everything, savepoint and batch; then the batch ends here, before
                // a later job could commit on its own.
                self.execute("ROLLBACK TO job").await?;
            }
            Ran::Stop => {
                let error = sqlx::Error::Protocol("the database can no longer be read or written".to_owned());
                return Err(Failure { error, last: true });
            }
        }
        self.execute("RELEASE job").await?;
        Ok(())
    }

    /// Moves the log into the database file as far as readers allow. Callers have their answers already.
    async fn checkpoint(&mut self) {
        self.since_checkpoint = 0;
        if let Err(error) = self.execute("PRAGMA wal_checkpoint(PASSIVE)").await {
            if Failure::from(error).last {
                self.stop(&sqlx::Error::Protocol("the checkpoint failed".to_owned()));
            } else {
                tracing::warn!("the write-ahead log could not be moved into the database for now");
            }
        }
    }

    fn stop(&mut self, error: &sqlx::Error) {
        tracing::error!(%error, "writing to the database stopped for good; restart once the disk is sound");
        self.stopped = true;
    }

    async fn execute(&mut self, sql: &'static str) -> std::result::Result<(), sqlx::Error> {
        sqlx::query(sql).execute(&mut self.tx.connection).await.map(drop)
    }
}

/// SQLite's primary result code.
fn code(error: &sqlx::Error) -> Option<i32> {
    let extended: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}

/// Whether a job failed in a way that says the file cannot be relied on.
fn untrusted(error: &StoreError) -> bool {
    match error {
        StoreError::Engine { source, .. } => {
            source.downcast_ref::<sqlx::Error>().and_then(code).is_some_and(|c| UNTRUSTED.contains(&c))
        }
        _ => false,
    }
}

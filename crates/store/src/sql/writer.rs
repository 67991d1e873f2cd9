//! The one writer of a process: takes waiting jobs together, runs them in one transaction, commits once, and only then answers.
//!
//! A job that fails or decides to do nothing is undone alone. That is rare once it has written something, and a savepoint for each
//! job is dear on both engines: a batch is run without them first, and again with them when something must be undone. When the engine fails under the whole batch, all of it is undone
//! and every caller hears so, unless a second try is worth it. A failed commit or sync of a file is final (after one, nobody
//! knows what is on the disk; trying again reports success for pages the kernel has thrown away): the writer keeps running only
//! to refuse. On a server the outcome of a commit can be asked for, and is.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{FutureExt, future::BoxFuture};
use lanyard_model::time::{Span, Timestamp};
use tokio::sync::{mpsc, oneshot};

use super::{
    connection::{Connection, Done, Flush, Head},
    fault::{Fault, Reach},
    tx::{Applied, Ending, Tx, Undoing},
    value::{Row, Value},
};
use crate::{callers::Callers, error::StoreError, ports::Result};

/// Jobs that may wait; beyond that, callers wait to queue.
pub(crate) const QUEUE: usize = 4096;

/// How often a batch is tried where trying again can help.
const TRIES: usize = 5;

/// How long a batch waits for further jobs while several callers are at work.
const PATIENCE: Duration = Duration::from_millis(1);

/// How far the clock may lie behind the highest time signed.
pub(crate) const CLOCK_TOLERANCE: Span = Span::from_secs(300);

/// How a batch ended.
pub(crate) enum Fate {
    /// It is durable.
    Committed,
    /// None of it happened; the next batch may fare better.
    Undone(String),
    /// Nothing may be written any more.
    Stopped,
}

/// What several nodes may contend for. Batches take these in one order, so that two never wait for each other.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Object {
    /// What is changed: a challenge's id, a serial number.
    pub(crate) id: Vec<u8>,
    /// Number of the transaction into which nobody else may put a request meanwhile.
    pub(crate) transaction: Option<i64>,
}

impl From<Vec<u8>> for Object {
    fn from(id: Vec<u8>) -> Self {
        Self { id, transaction: None }
    }
}

/// A queued write. It must await nothing but the connection: everybody else in the batch waits with it.
#[async_trait]
pub(crate) trait Job: Send {
    /// Runs inside the transaction; again if the batch is tried again.
    async fn run(&mut self, tx: &mut Tx) -> Ran;
    /// Tells the caller.
    fn answer(self: Box<Self>, fate: &Fate);
    /// What several nodes may contend for.
    fn object(&self) -> &Object;
    /// When the caller needs it on the disk.
    fn flush(&self) -> Flush;
}

/// What a transaction came to that the engine did not refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// It is as it should be.
    Committed,
    /// A job wrote something that must not stay, and there is no savepoint to go back to.
    MustUndo,
}

/// What to do with what a job wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ran {
    Keep,
    Undo,
}

/// A job with its caller.
struct Task<F, T> {
    object: Object,
    flush: Flush,
    work: F,
    outcome: Option<Result<T>>,
    caller: oneshot::Sender<Result<T>>,
}

/// A job that does `work` on `object`, and where its caller waits.
pub(crate) fn job<F, T>(object: Object, flush: Flush, work: F) -> (Box<dyn Job>, oneshot::Receiver<Result<T>>)
where
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<Applied<T>>> + Send + Sync + 'static,
    T: Send + 'static,
{
    let (caller, answer) = oneshot::channel();
    (Box::new(Task { object, flush, work, outcome: None, caller }), answer)
}

#[async_trait]
impl<F, T> Job for Task<F, T>
where
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<Applied<T>>> + Send + Sync,
    T: Send,
{
    async fn run(&mut self, tx: &mut Tx) -> Ran {
        // A panic ends one request, not everybody's storage.
        let work = &self.work;
        let applied = AssertUnwindSafe(async { work(tx).await }).catch_unwind().await;
        let (outcome, ran) = match applied {
            Ok(Ok(Applied::Kept(answer))) => (Ok(answer), Ran::Keep),
            Ok(Ok(Applied::Nothing(answer))) => (Ok(answer), Ran::Undo),
            Ok(Err(error)) => (Err(error), Ran::Undo),
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

    fn object(&self) -> &Object {
        &self.object
    }

    fn flush(&self) -> Flush {
        self.flush
    }
}

/// The order in which a batch takes its jobs.
#[allow(clippy::borrowed_box)] // the type of the elements is what sorting asks for
fn by_object(a: &Box<dyn Job>, b: &Box<dyn Job>) -> std::cmp::Ordering {
    a.object().cmp(b.object())
}

/// The writer.
pub(crate) struct Writer {
    tx: Tx,
    commits: Arc<AtomicU64>,
    callers: Callers,
    /// Jobs since the last housekeeping.
    rested_for: usize,
    stopped: bool,
}

impl Writer {
    /// A writer on its own connection; `commits` counts.
    pub(crate) fn new(connection: Connection, commits: Arc<AtomicU64>, callers: Callers) -> Self {
        Self { tx: Tx::new(connection), commits, callers, rested_for: 0, stopped: false }
    }

    /// Jobs in one transaction at most.
    pub(crate) const fn batch_size(&self) -> usize {
        self.tx.connection.batch()
    }

    /// Runs until every sender is gone and every job answered.
    pub(crate) async fn run(mut self, mut queue: mpsc::Receiver<Box<dyn Job>>) {
        let size = self.batch_size();
        let mut jobs = Vec::with_capacity(size);
        while queue.recv_many(&mut jobs, size).await > 0 {
            self.gather(&mut queue, &mut jobs, size).await;
            self.serve(&mut jobs).await;
            if self.wants_rest() {
                self.rest().await;
            }
        }
        self.finish().await;
    }

    /// Runs these jobs as one batch and answers them.
    pub(crate) async fn serve(&mut self, jobs: &mut Vec<Box<dyn Job>>) {
        jobs.sort_by(by_object);
        let fate = self.batch(jobs).await;
        self.rested_for = self.rested_for.saturating_add(jobs.len());
        for job in jobs.drain(..) {
            job.answer(&fate);
        }
    }

    /// Rows of a read between two batches; `None` where reads have connections of their own that are as good.
    pub(crate) fn read(&mut self, sql: &'static str, args: &[Value]) -> Option<Done<Vec<Row>>> {
        if self.stopped { None } else { self.tx.connection.read(sql, args) }
    }

    /// Whether housekeeping is due.
    pub(crate) fn wants_rest(&self) -> bool {
        !self.stopped && self.tx.connection.rests_after().is_some_and(|jobs| self.rested_for >= jobs)
    }

    /// Does the housekeeping.
    pub(crate) async fn rest(&mut self) {
        self.rested_for = 0;
        if let Err(fault) = self.tx.connection.rest().await {
            if fault.reach >= Reach::Unknown {
                self.stop(&fault);
            } else {
                tracing::warn!(error = %fault.source, "the write-ahead log could not be moved into the database for now");
            }
        }
    }

    /// Leaves the database tidy.
    pub(crate) async fn finish(self) {
        if !self.stopped
            && let Err(fault) = self.tx.connection.finish().await
        {
            tracing::warn!(error = %fault.source, "the database could not be left tidy; the next start does it");
        }
    }

    /// Waits a moment for further jobs when the last batch shows that several callers are at work: one commit for all of them costs
    /// hardly more than for one. A caller alone never waits.
    async fn gather(&mut self, queue: &mut mpsc::Receiver<Box<dyn Job>>, jobs: &mut Vec<Box<dyn Job>>, size: usize) {
        let expected = self.callers.at_work().min(size);
        // Half of them are busy with what comes between their writes.
        if expected > 2 && jobs.len() < expected / 2 {
            let deadline = tokio::time::Instant::now() + PATIENCE;
            while jobs.len() < expected / 2 {
                match tokio::time::timeout_at(deadline, queue.recv_many(jobs, size - jobs.len())).await {
                    Ok(more) if more > 0 => {}
                    _ => break,
                }
            }
        }
    }

    async fn batch(&mut self, jobs: &mut [Box<dyn Job>]) -> Fate {
        if self.stopped {
            return Fate::Stopped;
        }
        let mut tries = if self.tx.connection.retries() { TRIES } else { 1 };
        let mut undoing = Undoing::Whole;
        loop {
            tries -= 1;
            let mut fault = match self.transaction(jobs, undoing).await {
                Ok(Ended::Committed) => return self.committed(),
                Ok(Ended::MustUndo) => {
                    self.tx.connection.rollback().await;
                    undoing = Undoing::Single;
                    tries += 1;
                    continue;
                }
                Err(fault) => fault,
            };
            self.tx.connection.rollback().await;
            if fault.reach == Reach::Unknown {
                match self.tx.connection.resolve().await {
                    Ok(true) => return self.committed(),
                    Ok(false) => fault.reach = Reach::Batch,
                    Err(unresolved) => fault = unresolved,
                }
            }
            if fault.reach >= Reach::Unknown {
                self.stop(&fault);
                return Fate::Stopped;
            }
            if tries == 0 {
                tracing::error!(error = %fault.source, jobs = jobs.len(), "a batch of writes was undone");
                return Fate::Undone(fault.source.to_string());
            }
            tracing::debug!(error = %fault.source, jobs = jobs.len(), "a batch of writes is tried again");
        }
    }

    fn committed(&self) -> Fate {
        self.commits.fetch_add(1, Ordering::Relaxed);
        Fate::Committed
    }

    async fn transaction(&mut self, jobs: &mut [Box<dyn Job>], undoing: Undoing) -> Done<Ended> {
        self.tx.ending = Ending::default();
        self.tx.undoing = undoing;
        let mut transactions: Vec<i64> = jobs.iter().filter_map(|job| job.object().transaction).collect();
        transactions.sort_unstable();
        transactions.dedup();
        let flush = jobs.iter().map(|job| job.flush()).max().unwrap_or(Flush::Now);
        self.tx.highest = self.tx.connection.begin(&transactions, flush).await?.highest;
        for job in jobs {
            if self.single(job.as_mut()).await? == Ended::MustUndo {
                return Ok(Ended::MustUndo);
            }
        }
        let ending = std::mem::take(&mut self.tx.ending);
        if ending.entries.is_empty() && ending.signs_at.is_none() && ending.revocations == 0 {
            return self.tx.connection.commit_quietly().await.map(|()| Ended::Committed);
        }
        let head = self.tx.connection.lock_head().await?;
        if ending.earliest.is_some_and(|now| now < head.highest - CLOCK_TOLERANCE) {
            return Err(Fault::new(Reach::Batch, "another node signed something later meanwhile"));
        }
        let (records, tip) = head.chain(ending.entries)?;
        let highest = head.highest.max(ending.signs_at.unwrap_or(Timestamp(0)));
        let revocations = head.revocations.saturating_add(ending.revocations);
        self.tx.connection.commit(records, Head { tip, highest, revocations }).await.map(|()| Ended::Committed)
    }

    /// Runs one job, and undoes what it wrote if that must not stay.
    async fn single(&mut self, job: &mut dyn Job) -> Done<Ended> {
        if self.tx.undoing == Undoing::Single {
            self.tx.connection.savepoint().await?;
        }
        let entries = self.tx.ending.entries.len();
        let before = Ending { entries: Vec::new(), ..self.tx.ending };
        if self.run_job(job).await? == Ran::Keep {
            return Ok(Ended::Committed);
        }
        let mut kept = std::mem::take(&mut self.tx.ending.entries);
        kept.truncate(entries);
        self.tx.ending = Ending { entries: kept, ..before };
        match self.tx.undoing {
            Undoing::Whole if self.tx.wrote => return Ok(Ended::MustUndo),
            Undoing::Whole => {}
            // Fails when the engine has rolled back everything, savepoint and batch; then the batch ends here, before a later job
            // could commit on its own.
            Undoing::Single => self.tx.connection.undo().await?,
        }
        Ok(Ended::Committed)
    }

    async fn run_job(&mut self, job: &mut dyn Job) -> Done<Ran> {
        (self.tx.failed, self.tx.wrote) = (None, false);
        let ran = job.run(&mut self.tx).await;
        match self.tx.failed {
            Some(reach) if reach > Reach::Statement => Err(Fault::new(reach, "the database failed under a write")),
            _ => Ok(ran),
        }
    }

    fn stop(&mut self, fault: &Fault) {
        tracing::error!(error = %fault.source, "writing to the database stopped for good; restart once the database is sound");
        self.stopped = true;
    }
}

//! Who runs the writer where no statement waits: the callers take turns.
//!
//! A caller that finds nobody writing leads: it runs a batch of everything that waits, on its own thread, tells the others, and hands
//! the lead to one who came meanwhile. Nobody changes threads for a write, which for a caller alone costs more than the write itself.
//! The lead is a value: whoever drops it, by ending or by being cancelled, passes it on.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{Either, select},
};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot},
    time::{Instant, timeout_at},
};

use super::{
    connection::Done,
    value::{Row, Value},
    writer::{Fate, Job, QUEUE, Writer},
};
use crate::{callers::Callers, error::StoreError, ports::Result};

/// How long a leader waits for further jobs, for each caller that is at work, and at most.
const PATIENCE: Duration = Duration::from_micros(100);
const MOST_PATIENCE: Duration = Duration::from_millis(5);

/// The writer and those who wait for it.
pub(crate) struct Turns {
    state: Mutex<State>,
    /// Absent while somebody leads, after a panic, and once closed.
    writer: Mutex<Option<Writer>>,
    callers: Callers,
    /// Places for jobs that wait; beyond that, callers wait to queue.
    places: Arc<Semaphore>,
    /// Told when as many jobs wait as the leader wants.
    enough: Notify,
    /// Told when nobody leads any more.
    idle: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    led: bool,
    closed: bool,
    /// How many jobs the leader waits for.
    wanted: Option<usize>,
}

struct Waiting {
    job: Box<dyn Job>,
    /// How its caller is made the leader; gone once used.
    lead: Option<oneshot::Sender<Lead>>,
    _place: OwnedSemaphorePermit,
}

/// The right to run the writer.
struct Lead(Option<Arc<Turns>>);

impl Turns {
    /// Puts a writer whose statements never wait at the callers' disposal.
    pub(crate) fn new(writer: Writer, callers: Callers) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            writer: Mutex::new(Some(writer)),
            callers,
            places: Arc::new(Semaphore::new(QUEUE)),
            enough: Notify::new(),
            idle: Notify::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a job and returns its answer when it is durable. Once queued it happens even if the caller stops waiting.
    pub(crate) async fn write<T>(self: &Arc<Self>, job: Box<dyn Job>, mut answer: oneshot::Receiver<Result<T>>) -> Result<T> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let (lead, led) = oneshot::channel();
        let first = {
            let mut state = self.state();
            if state.closed {
                return Err(StoreError::Closed);
            }
            state.waiting.push_back(Waiting { job, lead: Some(lead), _place: place });
            if state.wanted.is_some_and(|wanted| state.waiting.len() >= wanted) {
                self.enough.notify_one();
            }
            !std::mem::replace(&mut state.led, true)
        };
        if first {
            Lead(Some(Arc::clone(self))).run().await;
        } else {
            match select(&mut answer, led).await {
                Either::Left((answer, _)) => return answer.unwrap_or(Err(StoreError::Stopped)),
                Either::Right((Ok(lead), _)) => lead.run().await,
                // The job is part of a batch that runs.
                Either::Right((Err(_), _)) => {}
            }
        }
        // Only a writer that is gone leaves a caller without an answer; then it is unknown what is on the disk.
        answer.await.unwrap_or(Err(StoreError::Stopped))
    }

    /// Rows of a quick read on the writer's connection; `None` while that is in use. A connection that only reads forgets all it has in memory
    /// after every commit of another.
    pub(crate) fn read(&self, sql: &'static str, args: &[Value]) -> Option<Done<Vec<Row>>> {
        let mut writer = match self.writer.try_lock() {
            Ok(writer) => writer,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        writer.as_mut().and_then(|writer| writer.read(sql, args))
    }

    /// Waits a moment for further jobs when several callers are at work: one commit for all of them costs hardly more than for one. A
    /// caller alone never waits.
    async fn gather(&self) {
        let at_work = self.callers.at_work();
        if at_work != 1 {
            // Who else is ready to run may be about to write, too.
            tokio::task::yield_now().await;
        }
        if at_work <= 2 {
            return;
        }
        let patience = PATIENCE.saturating_mul(u32::try_from(at_work).unwrap_or(u32::MAX)).min(MOST_PATIENCE);
        // Half of them are busy with what comes between their writes.
        let enough = self.until(at_work / 2);
        let _ = timeout_at(Instant::now() + patience, enough).await;
        self.state().wanted = None;
    }

    /// Returns when so many jobs wait.
    async fn until(&self, wanted: usize) {
        loop {
            {
                let mut state = self.state();
                state.wanted = (state.waiting.len() < wanted).then_some(wanted);
                if state.wanted.is_none() {
                    return;
                }
            }
            self.enough.notified().await;
        }
    }

    /// Runs one batch of what waits and answers it. Returns whether the writer would like to rest.
    fn lead_once(&self) -> bool {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let size = writer.as_ref().map_or(usize::MAX, Writer::batch_size);
        let (mut jobs, leads): (Vec<_>, Vec<_>) = {
            let mut state = self.state();
            let size = size.min(state.waiting.len());
            state.waiting.drain(..size).map(|waiting| (waiting.job, waiting.lead)).unzip()
        };
        let done = writer.as_mut().and_then(|writer| writer.serve(&mut jobs).now_or_never()).is_some();
        if !done {
            jobs.into_iter().for_each(|job| job.answer(&Fate::Stopped));
        }
        // Dropped only now: it would wake the callers, who have their answers by the time they look.
        drop(leads);
        let rest = writer.as_ref().is_some_and(Writer::wants_rest);
        *self.writer.lock().unwrap_or_else(PoisonError::into_inner) = writer.filter(|_| done);
        rest
    }

    fn rest(&self) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = writer.as_mut() {
            let _ = writer.rest().now_or_never();
        }
    }

    /// Makes the next caller that still waits the leader, runs what callers left behind who wait no more, or lets the lead rest.
    fn pass(self: Arc<Self>) {
        loop {
            let next = {
                let mut state = self.state();
                if state.waiting.is_empty() {
                    (state.led, state.wanted) = (false, None);
                    self.idle.notify_one();
                    return;
                }
                state.waiting.iter_mut().find_map(|waiting| waiting.lead.take())
            };
            match next.map(|next| next.send(Lead(Some(Arc::clone(&self))))) {
                Some(Ok(())) => return,
                Some(Err(mut gone)) => drop(gone.0.take()),
                None => {
                    if self.lead_once() {
                        self.rest();
                    }
                }
            }
        }
    }

    /// Refuses further jobs.
    pub(crate) fn refuse(&self) {
        self.state().closed = true;
    }

    /// Refuses further jobs, waits for the queued ones, and ends the writer.
    pub(crate) async fn close(&self) {
        self.refuse();
        loop {
            if !self.state().led {
                break;
            }
            self.idle.notified().await;
        }
        self.finish();
    }

    fn finish(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            let _ = writer.finish().now_or_never();
        }
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Lead {
    async fn run(mut self) {
        let Some(turns) = self.0.clone() else { return };
        turns.gather().await;
        if turns.lead_once() {
            // Moving the log takes long, and the callers have their answers: not here.
            let turns = self.0.take();
            tokio::task::spawn_blocking(move || {
                let lead = Self(turns);
                if let Some(turns) = &lead.0 {
                    turns.rest();
                }
            });
        }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        if let Some(turns) = self.0.take() {
            turns.pass();
        }
    }
}

//! What a job sees of the writer's transaction.

use lanyard_model::{audit::AuditEvent, time::Timestamp};

use super::{
    connection::{Connection, Entry},
    fault::{Fault, Reach},
    value::{Row, Value},
};
use crate::{chain::event_bytes, error::StoreError, ports::Result, rows};

/// What a job did.
#[derive(Debug)]
pub(crate) enum Applied<T> {
    /// Changes, to be kept.
    Kept(T),
    /// The facts had changed: whatever the job wrote is undone, and this is the answer.
    Nothing(T),
}

/// What the jobs of a transaction leave for its end, when the head of the audit chain is locked.
#[derive(Debug, Default, Clone)]
pub(crate) struct Ending {
    /// Audit records, oldest first.
    pub(crate) entries: Vec<Entry>,
    /// Highest time that the transaction puts into something signed.
    pub(crate) signs_at: Option<Timestamp>,
    /// Revocations, which the newest CRLs do not list.
    pub(crate) revocations: u64,
    /// The earliest present that an issuance of the transaction relied on.
    pub(crate) earliest: Option<Timestamp>,
}

/// How what a job wrote is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undoing {
    /// With everything else in the batch, which is then run again with savepoints.
    Whole,
    /// Alone, by the savepoint of the job.
    Single,
}

/// The writer's transaction.
pub(crate) struct Tx {
    pub(crate) connection: Connection,
    /// Highest time signed when the transaction began.
    pub(crate) highest: Timestamp,
    pub(crate) ending: Ending,
    /// The widest failure that a statement of the current job met.
    pub(crate) failed: Option<Reach>,
    /// How the current job can be undone.
    pub(crate) undoing: Undoing,
    /// Whether the current job may have left something to undo.
    pub(crate) wrote: bool,
}

impl Tx {
    /// A transaction to be opened on this connection.
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection, highest: Timestamp(0), ending: Ending::default(), failed: None, undoing: Undoing::Whole, wrote: false }
    }

    /// Runs a statement and returns how many rows it changed; `action` completes "failed while trying to".
    pub(crate) async fn execute(&mut self, action: &'static str, sql: &'static str, args: Vec<Value>) -> Result<u64> {
        let done = self.connection.execute(sql, args).await;
        self.wrote |= !matches!(done, Ok(0));
        done.map_err(|fault| self.note(fault, action))
    }

    /// Runs a statement and returns its rows.
    pub(crate) async fn fetch(&mut self, action: &'static str, sql: &'static str, args: Vec<Value>) -> Result<Vec<Row>> {
        let rows = self.connection.fetch(sql, args).await;
        self.wrote |= match &rows {
            Ok(rows) => !sql.starts_with("SELECT") && !rows.is_empty(),
            Err(_) => true,
        };
        rows.map_err(|fault| self.note(fault, action))
    }

    /// Runs a statement and returns its first row.
    pub(crate) async fn optional(&mut self, action: &'static str, sql: &'static str, args: Vec<Value>) -> Result<Option<Row>> {
        Ok(self.fetch(action, sql, args).await?.into_iter().next())
    }

    /// Runs a statement that takes several steps at once and tells in `done` how many it took, and in `wrote` whether any wrote. If they
    /// are not `all`, nothing of it stays.
    ///
    /// # Errors
    /// [`StoreError::Engine`] when the statement failed, or when only running the whole batch again can undo its part.
    pub(crate) async fn at_once(&mut self, action: &'static str, sql: &'static str, args: Vec<Value>, all: i64) -> Result<bool> {
        let before = self.wrote;
        let row = self.optional(action, sql, args).await?;
        let row = row.ok_or_else(|| rows::corrupt("statement.done", "there is no row"))?;
        if rows::integer(&row, "statement.done")? == all {
            return Ok(true);
        }
        self.wrote = before || rows::integer(&row, "statement.wrote")? != 0;
        match self.undoing {
            Undoing::Whole if self.wrote => Err(StoreError::Engine { action, source: "the batch is run again".into() }),
            Undoing::Whole => Ok(false),
            Undoing::Single => {
                let undone = self.connection.undo().await;
                undone.map(|()| false).map_err(|fault| self.note(fault, action))
            }
        }
    }

    /// Appends an event to the audit chain when the transaction ends.
    pub(crate) fn audit(&mut self, event: &AuditEvent) -> Result<()> {
        let entry = Entry { event: event_bytes(event)?, request: event.request.map(|id| id.to_string()) };
        self.ending.entries.push(entry);
        Ok(())
    }

    /// The highest time signed, as far as this transaction sees.
    pub(crate) fn highest(&self) -> Timestamp {
        self.ending.signs_at.map_or(self.highest, |at| at.max(self.highest))
    }

    /// Remembers a time that is about to stand in something signed.
    pub(crate) fn signs_at(&mut self, now: Timestamp) {
        self.ending.signs_at = Some(self.ending.signs_at.map_or(now, |at| at.max(now)));
    }

    /// Remembers that an issuance took `now` for the present: checked again when the head is locked.
    pub(crate) fn relies_on(&mut self, now: Timestamp) {
        self.ending.earliest = Some(self.ending.earliest.map_or(now, |at| at.min(now)));
    }

    /// Remembers that the newest CRLs are no longer complete.
    pub(crate) fn revoked(&mut self) {
        self.ending.revocations = self.ending.revocations.saturating_add(1);
    }

    fn note(&mut self, fault: Fault, action: &'static str) -> StoreError {
        self.failed = self.failed.max(Some(fault.reach));
        fault.during(action)
    }
}

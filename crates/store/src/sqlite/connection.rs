//! The writer's connection to the file.

use rusqlite::ErrorCode;

use super::statement::{self, Names, fault};
use crate::{
    chain::Tip,
    rows,
    sql::{
        connection::{Done, Entry, Head},
        fault::{Fault, Reach},
        value::{Row, Value, args},
    },
};
use lanyard_model::time::Timestamp;

/// Jobs after which the write-ahead log is moved into the database file.
const CHECKPOINT_AFTER: usize = 1000;

const HEAD: &str = "SELECT seq, hash, highest, revocations FROM head WHERE id = 1";
const MOVE_HEAD: &str = "UPDATE head SET seq = $1, hash = $2, highest = $3, revocations = $4 WHERE id = 1";
const ADD_AUDIT: &str = "INSERT INTO audit (seq, event, request, prev, hash) VALUES ($1, $2, $3, $4, $5)";

/// A connection with the write lock's turn.
pub(crate) struct Connection {
    inner: rusqlite::Connection,
    names: Names,
    /// Whether a savepoint is open that the next one or the commit must release.
    in_savepoint: bool,
    /// The head, read when the transaction began.
    head: Option<Head>,
    since_checkpoint: usize,
}

impl Connection {
    /// Takes an open connection over.
    pub(super) fn new(inner: rusqlite::Connection) -> Self {
        Self { inner, names: Names::default(), in_savepoint: false, head: None, since_checkpoint: 0 }
    }

    fn run(&self, sql: &'static str) -> Done<()> {
        statement::execute(&self.inner, sql, &[]).map(drop)
    }

    /// A failure outside a job takes the whole batch along.
    fn whole(fault: Fault) -> Fault {
        Fault { reach: fault.reach.max(Reach::Batch), ..fault }
    }

    pub(crate) fn begin(&mut self) -> Done<Head> {
        self.in_savepoint = false;
        self.head = None;
        self.run("BEGIN IMMEDIATE").map_err(Self::whole)?;
        self.lock_head()
    }

    pub(crate) fn savepoint(&mut self) -> Done<()> {
        self.release()?;
        self.run("SAVEPOINT job").map_err(Self::whole)?;
        self.in_savepoint = true;
        Ok(())
    }

    fn release(&mut self) -> Done<()> {
        if std::mem::take(&mut self.in_savepoint) {
            self.run("RELEASE job").map_err(Self::whole)?;
        }
        Ok(())
    }

    pub(crate) fn undo(&mut self) -> Done<()> {
        self.run("ROLLBACK TO job").map_err(Self::whole)
    }

    pub(crate) fn execute(&mut self, sql: &'static str, args: Vec<Value>) -> Done<u64> {
        statement::execute(&self.inner, sql, &args)
    }

    pub(crate) fn fetch(&mut self, sql: &'static str, args: Vec<Value>) -> Done<Vec<Row>> {
        statement::fetch(&self.inner, &mut self.names, sql, &args)
    }

    /// The lock is held since the beginning: nobody, not even another process, can append behind our back.
    pub(crate) fn lock_head(&mut self) -> Done<Head> {
        if let Some(head) = self.head {
            return Ok(head);
        }
        let found = self.fetch(HEAD, args![]).map_err(Self::whole)?;
        let head = found.first().map(rows::head).transpose().map_err(|e| Fault::new(Reach::Fatal, e))?;
        self.head = head;
        head.ok_or_else(|| Fault::new(Reach::Fatal, "the head of the audit log is missing"))
    }

    pub(crate) fn commit(&mut self, head: Head, entries: Vec<Entry>, next: Head) -> Done<()> {
        self.release()?;
        let mut tip = head.tip;
        for Entry { event, request } in entries {
            let Tip { sequence, hash } = tip.extended(&event);
            let place = i64::try_from(sequence).map_err(|e| Fault::new(Reach::Fatal, e))?;
            self.execute(ADD_AUDIT, args![place, event, request, tip.hash, hash]).map_err(Self::whole)?;
            tip = Tip { sequence, hash };
        }
        if next != head {
            let Timestamp(highest) = next.highest;
            let revocations = i64::try_from(next.revocations).map_err(|e| Fault::new(Reach::Fatal, e))?;
            let place = i64::try_from(next.tip.sequence).map_err(|e| Fault::new(Reach::Fatal, e))?;
            self.execute(MOVE_HEAD, args![place, next.tip.hash, highest, revocations]).map_err(Self::whole)?;
        }
        self.commit_quietly()
    }

    /// Where the disk is full, the log ends in frames without a commit mark: certainly not committed, and worth trying again
    /// when there is space. After anything else it is unknown, and a file cannot be asked.
    pub(crate) fn commit_quietly(&mut self) -> Done<()> {
        self.release()?;
        let committed = statement::execute(&self.inner, "COMMIT", &[]);
        committed.map(drop).map_err(|failed| {
            let full = failed.source.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code);
            let reach = if full == Some(ErrorCode::DiskFull) { Reach::Batch } else { Reach::Fatal };
            Fault { reach, ..failed }
        })
    }

    /// The engine may have rolled back by itself; then this fails, and that is as good.
    pub(crate) fn rollback(&mut self) {
        let _ = self.run("ROLLBACK");
        self.in_savepoint = false;
    }

    /// Moves the log into the database file as far as readers allow.
    pub(crate) fn rest(&mut self, jobs: usize) -> Done<()> {
        self.since_checkpoint += jobs;
        if self.since_checkpoint < CHECKPOINT_AFTER {
            return Ok(());
        }
        self.since_checkpoint = 0;
        checkpoint(&self.inner, "PRAGMA wal_checkpoint(PASSIVE)")
    }

    pub(crate) fn finish(self) -> Done<()> {
        checkpoint(&self.inner, "PRAGMA wal_checkpoint(TRUNCATE)")?;
        self.inner.close().map_err(|(_, error)| fault(error))
    }
}

fn checkpoint(connection: &rusqlite::Connection, sql: &'static str) -> Done<()> {
    connection.query_row(sql, [], |_| Ok(())).map_err(fault)
}

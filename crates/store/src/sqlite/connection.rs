//! The writer's connection to the file.

use rusqlite::ErrorCode;

use super::statement::{self, Names, fault};
use crate::{
    rows,
    sql::{
        connection::{Done, Flush, HEAD, Head, MOVE_HEAD, RECORD},
        fault::{Fault, Reach},
        value::{Row, Value, args},
    },
};

/// Jobs after which the write-ahead log is moved into the database file.
pub(crate) const CHECKPOINT_AFTER: usize = 1000;

/// A connection with the write lock's turn.
pub(crate) struct Connection {
    inner: rusqlite::Connection,
    names: Names,
    /// Whether a savepoint is open that the next one or the commit must release.
    in_savepoint: bool,
    /// The head, read when the transaction began.
    head: Option<Head>,
    /// How the next commit is set to reach the disk.
    flush: Flush,
}

impl Connection {
    /// Takes an open connection over.
    pub(super) fn new(inner: rusqlite::Connection) -> Self {
        Self { inner, names: Names::default(), in_savepoint: false, head: None, flush: Flush::Now }
    }

    fn run(&self, sql: &'static str) -> Done<()> {
        statement::execute(&self.inner, sql, &[]).map(drop)
    }

    /// A failure outside a job takes the whole batch along.
    fn whole(fault: Fault) -> Fault {
        Fault { reach: fault.reach.max(Reach::Batch), ..fault }
    }

    pub(crate) fn begin(&mut self, flush: Flush) -> Done<Head> {
        self.in_savepoint = false;
        self.head = None;
        self.set(flush)?;
        self.run("BEGIN IMMEDIATE").map_err(Self::whole)?;
        self.lock_head()
    }

    /// `NORMAL` leaves the sync of the log to a later commit, or to the moving of the log, which begins with one.
    fn set(&mut self, flush: Flush) -> Done<()> {
        if self.flush != flush {
            let mode = match flush {
                Flush::Now => "PRAGMA synchronous = FULL",
                Flush::WithNext => "PRAGMA synchronous = NORMAL",
            };
            self.inner.execute_batch(mode).map_err(|error| Self::whole(fault(error)))?;
            self.flush = flush;
        }
        Ok(())
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
        self.read(sql, &args)
    }

    pub(crate) fn read(&mut self, sql: &'static str, args: &[Value]) -> Done<Vec<Row>> {
        statement::fetch(&self.inner, &mut self.names, sql, args)
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

    pub(crate) fn commit(&mut self, records: Vec<Vec<Value>>, next: Head) -> Done<()> {
        self.release()?;
        for record in records {
            self.execute(RECORD, record).map_err(Self::whole)?;
        }
        if self.head != Some(next) {
            self.execute(MOVE_HEAD, next.values()?).map_err(Self::whole)?;
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
    pub(crate) fn rest(&mut self) -> Done<()> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::open;

    #[test]
    fn a_commit_waits_for_the_disk_as_it_was_told() {
        let directory = tempfile::tempdir().unwrap();
        let mut connection = Connection::new(open::connect(&directory.path().join("flush.db")).unwrap().0);
        for (flush, level) in [(Flush::Now, 2), (Flush::WithNext, 1), (Flush::WithNext, 1), (Flush::Now, 2)] {
            connection.begin(flush).unwrap();
            let set: i64 = connection.inner.query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap();
            assert_eq!(set, level, "{flush:?}");
            connection.commit_quietly().unwrap();
        }
    }
}

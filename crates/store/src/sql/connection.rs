//! The writer's connection, whichever engine it leads to.

use super::{
    fault::{Fault, Reach},
    value::{Row, Value, args},
};
use crate::{chain::Tip, postgres, sqlite};
use lanyard_model::time::Timestamp;

/// Result of a statement.
pub(crate) type Done<T> = std::result::Result<T, Fault>;

/// When a commit reaches the disk. Whatever it is, everybody who reads afterwards sees the commit, and the engine's log keeps the order of
/// commits: a later one is never there without the earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Flush {
    /// With the next commit that is `Now`. Until then a power cut (on a server: a crash of the server) takes it away.
    WithNext,
    /// Before it returns.
    Now,
}

/// An audit record about to be appended.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The event's bytes.
    pub(crate) event: Vec<u8>,
    /// Request it belongs to.
    pub(crate) request: Option<String>,
}

/// End of the audit chain and the highest time signed, as stored in table `head`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// The last audit record.
    pub(crate) tip: Tip,
    /// Highest time that stands in anything signed.
    pub(crate) highest: Timestamp,
    /// How many certificates were ever revoked.
    pub(crate) revocations: u64,
}

impl Head {
    /// $1 to $4 of [`MOVE_HEAD`].
    pub(crate) fn values(self) -> Done<Vec<Value>> {
        let number = |value: u64| i64::try_from(value).map_err(|e| Fault::new(Reach::Fatal, e));
        Ok(args![number(self.tip.sequence)?, self.tip.hash, self.highest.0, number(self.revocations)?])
    }

    /// The audit records of these events after this head, as [`RECORD`] takes them, and the end of the chain with them.
    pub(crate) fn chain(self, entries: Vec<Entry>) -> Done<(Vec<Vec<Value>>, Tip)> {
        let mut tip = self.tip;
        let mut records = Vec::with_capacity(entries.len());
        for Entry { event, request } in entries {
            let next = tip.extended(&event);
            let place = i64::try_from(next.sequence).map_err(|e| Fault::new(Reach::Fatal, e))?;
            records.push(args![place, event, request, tip.hash, next.hash]);
            tip = next;
        }
        Ok((records, tip))
    }
}

/// Reads the head.
pub(crate) const HEAD: &str = "SELECT seq, hash, highest, revocations FROM head WHERE id = 1";
/// Moves the head.
pub(crate) const MOVE_HEAD: &str = "UPDATE head SET seq = $1, hash = $2, highest = $3, revocations = $4 WHERE id = 1";
/// Appends a record to the audit log.
pub(crate) const RECORD: &str = "INSERT INTO audit (seq, event, request, prev, hash) VALUES ($1, $2, $3, $4, $5)";

/// A connection that writes. One transaction at a time.
///
/// The variants differ in how a statement reaches the engine, never in what a statement says.
pub(crate) enum Connection {
    /// A file: every future here is ready at once.
    Sqlite(Box<sqlite::connection::Connection>),
    /// Over a socket.
    Postgres(Box<postgres::session::Session>),
}

macro_rules! both {
    ($self:ident, $inner:ident => $call:expr) => {
        match $self {
            Self::Sqlite($inner) => $call,
            Self::Postgres($inner) => $call.await,
        }
    };
}

impl Connection {
    /// Jobs in one transaction at most.
    pub(crate) const fn batch(&self) -> usize {
        match self {
            Self::Sqlite(_) => 256,
            // More savepoints than these overflow the server's cache of subtransactions.
            Self::Postgres(_) => 60,
        }
    }

    /// Whether every statement is a round trip, so that many steps in one statement pay.
    pub(crate) const fn is_remote(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Whether a batch that was undone is worth a second try. On a server it was in the way of another node's, or the connection
    /// broke; in a file the cause stays.
    pub(crate) const fn retries(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Statements that make `$1` certificates and requests up.
    pub(crate) const fn fill_statements(&self) -> &'static [&'static str] {
        match self {
            Self::Sqlite(_) => sqlite::fill::STATEMENTS,
            Self::Postgres(_) => postgres::fill::STATEMENTS,
        }
    }

    /// Opens a transaction and returns the head as it is now; on a server it may move until [`Self::lock_head`]. Until it ends, no other
    /// node has a transaction on one of these `numbers`, which are in order.
    pub(crate) async fn begin(&mut self, numbers: &[i64], flush: Flush) -> Done<Head> {
        match self {
            // There is one writer.
            Self::Sqlite(c) => c.begin(flush),
            Self::Postgres(c) => c.begin(numbers, flush).await,
        }
    }

    /// Opens the savepoint of a job.
    pub(crate) async fn savepoint(&mut self) -> Done<()> {
        both!(self, c => c.savepoint())
    }

    /// Undoes what the job wrote.
    pub(crate) async fn undo(&mut self) -> Done<()> {
        both!(self, c => c.undo())
    }

    /// Runs a statement and returns how many rows it changed.
    pub(crate) async fn execute(&mut self, sql: &'static str, args: Vec<Value>) -> Done<u64> {
        both!(self, c => c.execute(sql, args))
    }

    /// Runs a statement and returns its rows.
    pub(crate) async fn fetch(&mut self, sql: &'static str, args: Vec<Value>) -> Done<Vec<Row>> {
        both!(self, c => c.fetch(sql, args))
    }

    /// Rows of a read outside a transaction, where no reader could have them cheaper.
    pub(crate) fn read(&mut self, sql: &'static str, args: &[Value]) -> Option<Done<Vec<Row>>> {
        match self {
            Self::Sqlite(c) => Some(c.read(sql, args)),
            Self::Postgres(_) => None,
        }
    }

    /// Locks the head against all other writers until the end of the transaction, and returns it.
    pub(crate) async fn lock_head(&mut self) -> Done<Head> {
        both!(self, c => c.lock_head())
    }

    /// Appends `records`, as [`RECORD`] takes them, to the audit log, moves the head, which must be locked, to `next`, and commits.
    pub(crate) async fn commit(&mut self, records: Vec<Vec<Value>>, next: Head) -> Done<()> {
        both!(self, c => c.commit(records, next))
    }

    /// Commits without a change to the head.
    pub(crate) async fn commit_quietly(&mut self) -> Done<()> {
        both!(self, c => c.commit_quietly())
    }

    /// Ends the transaction without any of it, and makes the connection usable again if it can be.
    pub(crate) async fn rollback(&mut self) {
        both!(self, c => c.rollback());
    }

    /// Finds out what became of the last transaction after its commit failed with an unknown outcome: whether it is durable.
    pub(crate) async fn resolve(&mut self) -> Done<bool> {
        match self {
            Self::Sqlite(_) => Err(Fault::new(Reach::Fatal, "the outcome of a commit is unknown")),
            Self::Postgres(c) => c.resolve().await,
        }
    }

    /// Jobs after which housekeeping is due.
    pub(crate) const fn rests_after(&self) -> Option<usize> {
        match self {
            Self::Sqlite(_) => Some(sqlite::connection::CHECKPOINT_AFTER),
            Self::Postgres(_) => None,
        }
    }

    /// Housekeeping.
    pub(crate) async fn rest(&mut self) -> Done<()> {
        match self {
            Self::Sqlite(c) => c.rest(),
            Self::Postgres(_) => Ok(()),
        }
    }

    /// Ends the connection.
    pub(crate) async fn finish(self) -> Done<()> {
        match self {
            Self::Sqlite(c) => c.finish(),
            Self::Postgres(c) => c.finish().await,
        }
    }
}

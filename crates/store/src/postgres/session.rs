//! The writer's session.

use std::time::Duration;

use futures_util::future::{join, try_join_all};

use super::{
    client::{Address, Client},
    statement::{Described, fault},
};
use crate::{
    rows::{self, StoredRow},
    sql::{
        connection::{Done, Flush, HEAD, Head, MOVE_HEAD, RECORD},
        fault::{Fault, Reach},
        value::{Row, Value, args},
    },
};

/// The number of the transaction comes along, to ask for its fate should the answer to the commit be lost.
const LOCK_HEAD: &str =
    "SELECT seq, hash, highest, revocations, CAST(pg_current_xact_id() AS TEXT) AS xact FROM head WHERE id = 1 FOR UPDATE";
/// A statement of its own before those that look: each sees what was committed before it began.
const LOCK_NUMBERS: &str = "SELECT pg_advisory_xact_lock(number) FROM \
    (SELECT CAST(word AS bigint) AS number FROM unnest(string_to_array($1, ',')) AS word ORDER BY 1) AS numbers";
const XACT: &str = "SELECT CAST(pg_current_xact_id() AS TEXT) AS xact";
const FATE: &str = "SELECT pg_xact_status(CAST(CAST($1 AS TEXT) AS xid8)) AS fate";

/// How often a lost server is tried again, and how long apart, before a batch is given up.
const RECONNECTS: u32 = 8;
const PAUSE: Duration = Duration::from_millis(250);

/// A session that writes.
pub(crate) struct Session {
    address: Address,
    client: Option<Client>,
    /// What travels ahead of the next statement.
    ahead: Option<&'static str>,
    in_savepoint: bool,
    /// Number of the running transaction, once known.
    xact: Option<String>,
}

impl Session {
    /// A session at this address; it connects when it is first used.
    pub(super) const fn new(address: Address) -> Self {
        Self { address, client: None, ahead: None, in_savepoint: false, xact: None }
    }

    fn client(&self) -> Done<&Client> {
        self.client.as_ref().ok_or_else(|| Fault::new(Reach::Batch, "the connection to the database server was lost"))
    }

    async fn connect(&mut self) -> Done<()> {
        let mut pause = PAUSE;
        for left in (0..RECONNECTS).rev() {
            match Client::connect(&self.address).await {
                Ok(client) => {
                    self.client = Some(client);
                    return Ok(());
                }
                Err(error) if left == 0 => return Err(Fault::new(Reach::Batch, Described::from(error))),
                Err(error) => {
                    tracing::warn!(error = %Described::from(error), "the database server cannot be reached; trying again")
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(4));
        }
        Err(Fault::new(Reach::Batch, "the database server cannot be reached"))
    }

    pub(crate) async fn begin(&mut self, numbers: &[i64], flush: Flush) -> Done<Head> {
        if self.client.as_ref().is_none_or(|c| c.inner.is_closed()) {
            self.client = None;
            self.connect().await?;
        }
        self.in_savepoint = false;
        self.xact = None;
        self.ahead = None;
        let numbers = args![numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")];
        let begin = match flush {
            Flush::Now => "BEGIN",
            Flush::WithNext => "BEGIN; SET LOCAL synchronous_commit TO off",
        };
        let client = self.client()?;
        let lock = async {
            if numbers.first() == Some(&Value::Text(String::new())) {
                Ok(0)
            } else {
                client.execute(LOCK_NUMBERS, &numbers).await
            }
        };
        let ((begun, locked), found) = join(join(client.inner.batch_execute(begin), lock), client.fetch(HEAD, &[])).await;
        begun.map_err(|e| Self::whole(fault(e)))?;
        locked.map_err(Self::whole)?;
        head(found.map_err(Self::whole)?.first())
    }

    /// The savepoint travels with the first statement of the job, and so does the release of the one before.
    pub(crate) async fn savepoint(&mut self) -> Done<()> {
        // Without a job's statement in between, nothing is to be undone: the savepoint still waiting will do.
        if self.ahead.is_none() {
            self.ahead = Some(if self.in_savepoint { "RELEASE SAVEPOINT job; SAVEPOINT job" } else { "SAVEPOINT job" });
            self.in_savepoint = true;
        }
        std::future::ready(Ok(())).await
    }

    pub(crate) async fn undo(&mut self) -> Done<()> {
        if self.ahead.is_some() {
            return Ok(());
        }
        let undone = self.client()?.inner.batch_execute("ROLLBACK TO SAVEPOINT job").await;
        undone.map_err(|e| Self::whole(fault(e)))
    }

    pub(crate) async fn execute(&mut self, sql: &'static str, args: Vec<Value>) -> Done<u64> {
        let ahead = self.ahead.take();
        let client = self.client()?;
        match ahead {
            None => client.execute(sql, &args).await,
            Some(ahead) => {
                let (first, then) = join(client.inner.batch_execute(ahead), client.execute(sql, &args)).await;
                first.map_err(|e| Self::whole(fault(e)))?;
                then
            }
        }
    }

    pub(crate) async fn fetch(&mut self, sql: &'static str, args: Vec<Value>) -> Done<Vec<Row>> {
        let ahead = self.ahead.take();
        let client = self.client()?;
        match ahead {
            None => client.fetch(sql, &args).await,
            Some(ahead) => {
                let (first, then) = join(client.inner.batch_execute(ahead), client.fetch(sql, &args)).await;
                first.map_err(|e| Self::whole(fault(e)))?;
                then
            }
        }
    }

    pub(crate) async fn lock_head(&mut self) -> Done<Head> {
        let found = self.fetch(LOCK_HEAD, args![]).await.map_err(Self::whole)?;
        self.remember(found.first())?;
        head(found.first())
    }

    fn remember(&mut self, row: Option<&Row>) -> Done<()> {
        let xact = row.map(|row| row.text("head.xact")).transpose().map_err(|e| Fault::new(Reach::Batch, e))?.flatten();
        self.xact = xact;
        Ok(())
    }

    /// Everything travels together: the head stays locked for one round trip and the commit.
    pub(crate) async fn commit(&mut self, records: Vec<Vec<Value>>, next: Head) -> Done<()> {
        let moved = next.values()?;
        let client = self.client()?;
        // Prepared before anything is sent, so that nothing can come between the parts of what follows.
        let prepared = async { client.prepare(RECORD).await.and(client.prepare(MOVE_HEAD).await) };
        prepared.await.map_err(|e| Self::whole(fault(e)))?;
        let appended = try_join_all(records.iter().map(|record| client.execute(RECORD, record)));
        let ((appended, moved), committed) =
            join(join(appended, client.execute(MOVE_HEAD, &moved)), Self::send_commit(client)).await;
        // A statement that failed made the server answer the commit with a rollback.
        appended.map_err(Self::whole)?;
        moved.map_err(Self::whole)?;
        committed
    }

    pub(crate) async fn commit_quietly(&mut self) -> Done<()> {
        let found = self.fetch(XACT, args![]).await.map_err(Self::whole)?;
        self.remember(found.first())?;
        Self::send_commit(self.client()?).await
    }

    async fn send_commit(client: &Client) -> Done<()> {
        client.inner.batch_execute("COMMIT").await.map_err(|error| {
            // An answer of the server is a refusal; anything else leaves it open what happened.
            let reach = if error.as_db_error().is_some() && !client.inner.is_closed() { Reach::Batch } else { Reach::Unknown };
            Fault::new(reach, Described::from(error))
        })
    }

    pub(crate) async fn rollback(&mut self) {
        (self.ahead, self.in_savepoint) = (None, false);
        let Some(client) = &self.client else { return };
        if client.inner.is_closed() || client.inner.batch_execute("ROLLBACK").await.is_err() {
            // The server ends the transaction of a lost connection itself.
            self.client = None;
        }
    }

    /// Asks the server what became of the transaction whose commit was not answered.
    pub(crate) async fn resolve(&mut self) -> Done<bool> {
        let unknown = || Fault::new(Reach::Unknown, "nobody knows whether the last transaction was committed");
        let xact = self.xact.take().ok_or_else(unknown)?;
        let asked = args![xact];
        for _ in 0..RECONNECTS {
            if self.client.as_ref().is_none_or(|c| c.inner.is_closed()) {
                self.connect().await.map_err(|_| unknown())?;
            }
            if let Ok(found) = self.client()?.fetch(FATE, &asked).await {
                match found.first().and_then(|row| row.text("xact.fate").ok().flatten()).as_deref() {
                    Some("committed") => return Ok(true),
                    Some("aborted") => return Ok(false),
                    // The server has not noticed yet that the connection is gone.
                    _ => {}
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(unknown())
    }

    pub(crate) async fn finish(self) -> Done<()> {
        drop(self);
        std::future::ready(Ok(())).await
    }

    /// A failure outside a job takes the whole batch along.
    fn whole(fault: Fault) -> Fault {
        Fault { reach: fault.reach.max(Reach::Batch), ..fault }
    }
}

fn head(row: Option<&Row>) -> Done<Head> {
    let head = row.map(rows::head).transpose().map_err(|e| Fault::new(Reach::Fatal, e))?;
    head.ok_or_else(|| Fault::new(Reach::Fatal, "the head of the audit log is missing"))
}

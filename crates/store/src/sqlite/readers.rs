//! Connections for reading. A quick read runs where its caller runs: it takes microseconds, and a change of threads takes more.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::statement::{self, Names};
use crate::sql::{
    fault::{Fault, Reach},
    value::{Row, Value},
};

/// A failed read; `None` when the store is closed.
pub(crate) type Read<T> = std::result::Result<T, Option<Fault>>;

/// One read-only connection.
struct Reader {
    connection: rusqlite::Connection,
    names: Names,
}

/// The idle ones, and how many there are to be had.
pub(crate) struct Readers {
    idle: Arc<Mutex<Vec<Reader>>>,
    turns: Arc<Semaphore>,
    all: u32,
}

impl Readers {
    /// Shares these connections.
    pub(super) fn new(connections: Vec<rusqlite::Connection>) -> Self {
        let all = u32::try_from(connections.len()).unwrap_or(u32::MAX);
        let idle = connections.into_iter().map(|connection| Reader { connection, names: Names::default() }).collect();
        Self { idle: Arc::new(Mutex::new(idle)), turns: Arc::new(Semaphore::new(all as usize)), all }
    }

    /// Rows of a quick read.
    pub(crate) async fn fetch(&self, sql: &'static str, args: Vec<Value>) -> Read<Vec<Row>> {
        let turn = self.turn().await?;
        read(&self.idle, &turn, sql, &args)
    }

    /// Rows of a long read, on a thread where it keeps nobody waiting.
    pub(crate) async fn fetch_long(&self, sql: &'static str, args: Vec<Value>) -> Read<Vec<Row>> {
        let turn = self.turn().await?;
        let idle = Arc::clone(&self.idle);
        let reading = tokio::task::spawn_blocking(move || read(&idle, &turn, sql, &args)).await;
        reading.unwrap_or_else(|e| Err(Some(Fault::new(Reach::Statement, e))))
    }

    /// Waits for the reads that are under way and closes the connections; later reads find the store closed.
    pub(crate) async fn close(&self) {
        let rest = self.turns.acquire_many(self.all).await;
        self.turns.close();
        drop(rest);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    async fn turn(&self) -> Read<OwnedSemaphorePermit> {
        Arc::clone(&self.turns).acquire_owned().await.map_err(|_| None)
    }
}

/// Reads on an idle connection. Whoever has a turn finds one.
fn read(idle: &Mutex<Vec<Reader>>, _turn: &OwnedSemaphorePermit, sql: &'static str, args: &[Value]) -> Read<Vec<Row>> {
    let reader = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let mut reader = reader.ok_or_else(|| Some(Fault::new(Reach::Statement, "no connection for reading is left")))?;
    let rows = statement::fetch(&reader.connection, &mut reader.names, sql, args);
    idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
    rows.map_err(Some)
}

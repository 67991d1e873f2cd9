//! Connections for reading. Reads made at the same time share a connection and travel together.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tokio::sync::RwLock;

use super::{
    client::{Address, Client},
    statement::fault,
};
use crate::sql::{
    fault::{Fault, Reach},
    value::{Row, Value},
};

/// A failed read; `None` when the store is closed.
pub(crate) type Read<T> = std::result::Result<T, Option<Fault>>;

/// The connections; one that was lost is made anew by the next read.
pub(crate) struct Readers {
    address: Address,
    clients: Vec<RwLock<Option<Arc<Client>>>>,
    next: AtomicUsize,
    closed: AtomicBool,
}

impl Readers {
    /// Shares `count` connections to this address.
    pub(super) fn new(address: Address, count: usize) -> Self {
        let clients = (0..count).map(|_| RwLock::new(None)).collect();
        Self { address, clients, next: AtomicUsize::new(0), closed: AtomicBool::new(false) }
    }

    /// Rows of a read. One that finds its connection lost is tried once more on a new one: reading twice does no harm.
    pub(crate) async fn fetch(&self, sql: &'static str, args: Vec<Value>) -> Read<Vec<Row>> {
        let client = self.client().await?;
        match client.fetch(sql, &args).await {
            Err(_) if client.inner.is_closed() => self.client().await?.fetch(sql, &args).await.map_err(Some),
            other => other.map_err(Some),
        }
    }

    /// Ends the connections once the reads under way are done; later reads find the store closed.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        for client in &self.clients {
            if let Ok(mut client) = client.try_write() {
                *client = None;
            }
        }
    }

    async fn client(&self) -> Read<Arc<Client>> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(None);
        }
        let place = self.next.fetch_add(1, Ordering::Relaxed) % self.clients.len().max(1);
        let place = self.clients.get(place).ok_or_else(|| Some(Fault::new(Reach::Batch, "there are no connections")))?;
        if let Some(client) = place.read().await.as_ref().filter(|client| !client.inner.is_closed()) {
            return Ok(Arc::clone(client));
        }
        let mut slot = place.write().await;
        if let Some(client) = slot.as_ref().filter(|client| !client.inner.is_closed()) {
            return Ok(Arc::clone(client));
        }
        let client = Arc::new(Client::connect(&self.address).await.map_err(|e| Some(fault(e)))?);
        *slot = Some(Arc::clone(&client));
        Ok(client)
    }
}

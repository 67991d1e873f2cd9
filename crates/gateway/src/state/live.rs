//! Connections as long as they live, so that they can be ended.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use super::known::{Affected, State};
use crate::edge::serve::Client;

/// Connections that have shown a certificate, or on which somebody was let in.
#[derive(Debug, Default)]
pub struct Live(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    next: u64,
    clients: HashMap<u64, Weak<Client>>,
    by_certificate: HashMap<[u8; 32], Vec<u64>>,
}

/// A place in the list, given up when it is dropped.
#[derive(Debug)]
pub struct Place<'a> {
    live: &'a Live,
    id: u64,
    certificate: Option<[u8; 32]>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut table = self.live.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.clients.remove(&self.id);
        if let Some(certificate) = self.certificate
            && let Some(list) = table.by_certificate.get_mut(&certificate)
        {
            list.retain(|id| *id != self.id);
            if list.is_empty() {
                table.by_certificate.remove(&certificate);
            }
        }
    }
}

impl Live {
    /// Adds a connection.
    #[must_use]
    pub fn add(&self, client: &Arc<Client>) -> Place<'_> {
        let certificate = client.presented.as_ref().map(|presented| presented.fingerprint);
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let id = table.next;
        table.next += 1;
        table.clients.insert(id, Arc::downgrade(client));
        if let Some(certificate) = certificate {
            table.by_certificate.entry(certificate).or_default().push(id);
        }
        Place { live: self, id, certificate }
    }

    /// Ends the connections that no longer count. How many.
    pub fn look_again(&self, affected: &Affected, state: &State) -> usize {
        let found: Vec<Arc<Client>> = {
            let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if affected.everybody {
                table.clients.values().filter_map(Weak::upgrade).collect()
            } else {
                let ids = affected.certificates.iter().filter_map(|fingerprint| table.by_certificate.get(fingerprint)).flatten();
                ids.filter_map(|id| table.clients.get(id)?.upgrade()).collect()
            }
        };
        let mut ended = 0;
        for client in found.iter().filter(|client| is_over(client, state)) {
            client.closing.notify_one();
            ended += 1;
        }
        ended
    }
}

fn is_over(client: &Client, state: &State) -> bool {
    let known = client.presented.as_ref().and_then(|presented| state.certificate(&presented.fingerprint));
    let disabled = |name: &str| state.user(name).is_some_and(|user| user.disabled);
    let by_certificate = known.is_some_and(|known| {
        known.revoked
            || known.device.as_deref().is_some_and(|id| state.is_blocked(id))
            || known.user.as_deref().is_some_and(disabled)
    });
    by_certificate || client.users().iter().any(|name| disabled(name))
}

//! Going on with what an earlier run left behind: the same key, transaction and message.

use std::sync::Arc;

use super::{
    exchange::Exchange,
    options::{SessionOptions, fingerprint},
    outcome::{EnrollOutcome, Progress, Watcher},
    server::ScepServer,
    transaction::Transaction,
};
use crate::{
    blocking::blocking,
    error::AgentError,
    store::{DeviceStore, LocalId, Pending, PendingState},
};
use lanyard_enroll::scep::attributes::MessageType;

/// Goes on with a request under way: asks for a held one, sends a lost one again.
///
/// # Errors
/// [`AgentError`]. The request stays in the store unless the server decided.
pub async fn resume(
    store: &DeviceStore,
    id: &LocalId,
    session: &SessionOptions,
    watcher: Watcher<'_>,
) -> Result<EnrollOutcome, AgentError> {
    let (pending, transaction) = {
        let (store, id, pin) = (store.clone(), id.clone(), session.pin.clone());
        blocking(move || {
            let pending = store.pending(&id)?;
            pending.key.unlock(pin.as_ref(), &pending.about.subject.to_string())?;
            pending.key.prove()?;
            let transaction = transaction(&store, &pending)?;
            // A key that succeeds another has its PIN.
            transaction.signer_key.unlock_like(&pending.key);
            transaction.signer_key.unlock(pin.as_ref(), &pending.about.subject.to_string())?;
            Ok((pending, transaction))
        })
        .await?
    };
    let session = &session.or_roots(pending.tls_roots.as_ref());
    let server = ScepServer::new(&pending.about.url, session)?;
    let server = server.trust(&fingerprint(&pending.about.ca_fingerprint)?, (session.clock)()).await?;
    watcher(Progress::CaVerified);
    let outgoing = match pending.about.state {
        PendingState::Held => {
            let (transaction, ca) = (transaction.clone(), server.ca.clone());
            blocking(move || transaction.poll(&ca)).await?
        }
        PendingState::Sent => {
            let path = store.pending_folder(id);
            pending.outgoing().ok_or_else(|| AgentError::damaged(&path, "its nonce is unreadable"))?
        }
    };
    watcher(Progress::Resumed { transaction: transaction.id.clone() });
    Exchange::new(server, transaction, pending, Some(store), session, watcher).run(outgoing).await
}

fn transaction(store: &DeviceStore, pending: &Pending) -> Result<Transaction, AgentError> {
    let about = &pending.about;
    let damaged = |problem: &str| AgentError::damaged(&store.pending_folder(&about.id), problem);
    let (certificate, key) = match (&about.predecessor, &pending.signer) {
        (Some(old), _) => (store.identity(old)?.certificate, store.identity_key(old)?),
        (None, Some(signer)) => (signer.clone(), Arc::clone(&pending.key)),
        (None, None) => return Err(damaged("the signer certificate is missing")),
    };
    let subject = lanyard_pki::name::encode(&about.subject);
    let message_type: MessageType = about.message_type().ok_or_else(|| damaged("the message type is unknown"))?;
    let mut transaction = Transaction::signed_by(&pending.key, subject, message_type, certificate, key);
    transaction.id.clone_from(&about.transaction);
    Ok(transaction)
}

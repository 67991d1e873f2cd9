//! Renewal: a new key for the same names, vouched for by the old certificate (RFC 8894, section 2.5).

use std::sync::Arc;

use lanyard_model::{key::KeyKind, san::SubjectAltName, secret::SecretBytes};
use lanyard_pki::csr::encode::{CertificationRequestInfo, encode};

use super::{
    enroll::{Begun, tell},
    exchange::Exchange,
    options::{SessionOptions, fingerprint},
    outcome::{EnrollOutcome, Progress, Watcher},
    resume::resume,
    server::ScepServer,
    transaction::Transaction,
};
use crate::{
    blocking::blocking,
    error::AgentError,
    key::DeviceKey,
    store::{DeviceStore, Identity, LocalId, Status},
};

/// How to renew.
#[derive(Clone, Default)]
pub struct RenewOptions {
    /// Kind of the new key; `None` makes one of the old kind.
    pub key_kind: Option<KeyKind>,
    /// A key made before (PKCS#8, DER); `None` makes one.
    pub key: Option<SecretBytes>,
    /// How to talk.
    pub session: SessionOptions,
}

/// Renews an identity. Whether it is time is for the server to decide. The old key and certificate stay, superseded. When a renewal of
/// this identity is under way already, it is resumed.
///
/// # Errors
/// [`AgentError`]. The old identity is untouched by any of them.
pub async fn renew(
    store: &DeviceStore,
    id: &LocalId,
    options: &RenewOptions,
    watcher: Watcher<'_>,
) -> Result<EnrollOutcome, AgentError> {
    let session = &options.session;
    let (old, old_key, under_way) = {
        let (store, id, pin) = (store.clone(), id.clone(), session.pin.clone());
        blocking(move || {
            let old = current(&store, &id)?;
            let under_way = store.pendings()?.into_iter().find(|p| p.predecessor.as_ref() == Some(&id));
            let key = store.identity_key(&id)?;
            if under_way.is_none() {
                key.unlock(pin.as_ref(), &old.about.subject)?;
                key.prove()?;
            }
            Ok((old, key, under_way))
        })
        .await?
    };
    if let Some(pending) = under_way {
        return resume(store, &pending.id, session, watcher).await;
    }
    let session = &session.or_roots(old.tls_roots.as_ref());
    let server = ScepServer::new(&old.about.url, session)?;
    let server = server.trust(&fingerprint(&old.about.ca_fingerprint)?, (session.clock)()).await?;
    watcher(Progress::CaVerified);

    let key = match &options.key {
        Some(pkcs8) => DeviceKey::from_pkcs8(pkcs8.clone())?,
        None => {
            let kind = options.key_kind.unwrap_or(old.about.key);
            // The same protection as before, and the same PIN: it is asked for once.
            let protection = old.about.place.protection(old.about.exportable);
            let made = DeviceKey::make(kind, protection, old_key.pin(), session.pin.clone()).await?;
            tell(&made, watcher)
        }
    };
    let subject = old.certificate.subject().map_err(AgentError::Own)?;
    let mut san = old.certificate.subject_alt_names().map_err(AgentError::Own)?;
    // What we cannot write, the server puts back from its record.
    san.retain(|name| !matches!(name, SubjectAltName::Unsupported(_)));
    let info = CertificationRequestInfo { subject: subject.clone(), san: san.clone(), ..CertificationRequestInfo::default() };
    let (transaction, outgoing) = {
        let (key, subject, ca, offered) = (Arc::clone(&key), subject.clone(), server.ca.clone(), server.offers_renewal());
        let signer = (old.certificate.clone(), old_key);
        blocking(move || {
            let csr = encode(&info, key.signer()).map_err(|error| key.cause(AgentError::Own(error)))?;
            let transaction = Transaction::renewal(&key, &subject, signer, offered);
            let outgoing = transaction.request(&csr, &ca)?;
            Ok((transaction, outgoing))
        })
        .await?
    };
    let begun = Begun {
        url: &old.about.url,
        ca_fingerprint: old.about.ca_fingerprint.clone(),
        subject: &subject,
        san: &san,
        predecessor: Some(id.clone()),
        exportable: old.about.exportable,
        owner: old.about.owner,
        name: old.about.name.clone(),
    };
    let pending = begun.keep(Some(store), &transaction, &key, &outgoing, session).await?;
    watcher(Progress::Sent { transaction: transaction.id.clone() });
    Exchange::new(server, transaction, pending, Some(store), session, watcher).run(outgoing).await
}

fn current(store: &DeviceStore, id: &LocalId) -> Result<Identity, AgentError> {
    let found = store.identities()?.into_iter().find(|identity| identity.about.id == *id);
    match found {
        None => Err(AgentError::UnknownId(id.to_string())),
        Some(identity) if identity.about.status == Status::Superseded => Err(AgentError::Superseded { id: id.to_string() }),
        Some(identity) if identity.about.url.is_empty() => Err(AgentError::NotRenewable { id: id.to_string() }),
        Some(identity) => Ok(identity),
    }
}

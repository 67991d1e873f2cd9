//! First enrolment: from nothing but a URL, a fingerprint and a challenge to a certificate in the store.

use std::sync::Arc;

use lanyard_enroll::scep::client::message::Outgoing;
use lanyard_model::{name::DistinguishedName, san::SubjectAltName, template::KeyProtection};
use lanyard_pki::csr::encode::{CertificationRequestInfo, encode};

use super::{
    exchange::Exchange,
    options::{EnrollOptions, SessionOptions, fingerprint_text},
    outcome::{EnrollOutcome, Progress, Watcher},
    server::ScepServer,
    transaction::Transaction,
};
use crate::{
    blocking::blocking,
    error::AgentError,
    key::{DeviceKey, KeyPlace, Made},
    store::{DeviceStore, LocalId, Owner, Pending, PendingAbout, PendingState},
};

/// Obtains a certificate. Without a store nothing is written anywhere, and a request that is held cannot be resumed.
///
/// # Errors
/// [`AgentError`]. After an error the store holds at most the request under way, for `resume`.
pub async fn enroll(
    store: Option<&DeviceStore>,
    options: EnrollOptions,
    watcher: Watcher<'_>,
) -> Result<EnrollOutcome, AgentError> {
    let session = &options.session;
    if options.key.is_none() && !options.key_kind.is_rsa() {
        return Err(AgentError::KeyKind(options.key_kind));
    }
    let server = ScepServer::new(&options.url, session)?;
    let server = server.trust(&options.ca_fingerprint, (session.clock)()).await?;
    watcher(Progress::CaVerified);

    let key = match &options.key {
        Some(pkcs8) => DeviceKey::from_pkcs8(pkcs8.clone())?,
        None => {
            let made = DeviceKey::make(options.key_kind, options.protection, None, session.pin.clone()).await?;
            tell(&made, watcher)
        }
    };
    let (transaction, outgoing) = {
        let (key, options, ca) = (Arc::clone(&key), options.clone(), server.ca.clone());
        blocking(move || {
            let csr = certification_request(&options, &key)?;
            let transaction = Transaction::first(&key, &options.subject, (options.session.clock)())?;
            let outgoing = transaction.request(&csr, &ca)?;
            Ok((transaction, outgoing))
        })
        .await?
    };
    let begun = Begun {
        url: &options.url,
        ca_fingerprint: fingerprint_text(&options.ca_fingerprint),
        subject: &options.subject,
        san: &options.san,
        predecessor: None,
        exportable: key.place() == KeyPlace::Software && options.protection == KeyProtection::SoftwareExportable,
        owner: options.owner,
        name: options.name.clone(),
    };
    let pending = begun.keep(store, &transaction, &key, &outgoing, session).await?;
    watcher(Progress::Sent { transaction: transaction.id.clone() });
    Exchange::new(server, transaction, pending, store, session, watcher).run(outgoing).await
}

/// The CSR of these options, signed by the key.
///
/// # Errors
/// [`AgentError::Own`]; for a key in the TPM, what the TPM says.
pub fn certification_request(options: &EnrollOptions, key: &DeviceKey) -> Result<Vec<u8>, AgentError> {
    let info = CertificationRequestInfo {
        subject: options.subject.clone(),
        san: options.san.clone(),
        key_usage: options.key_usage.clone(),
        extended_key_usage: options.extended_key_usage.clone(),
        extensions: Vec::new(),
        challenge: options.challenge.clone(),
    };
    encode(&info, key.signer()).map_err(|error| key.cause(AgentError::Own(error)))
}

/// Tells how a key was made.
pub(super) fn tell(made: &Made, watcher: Watcher<'_>) -> Arc<DeviceKey> {
    if let Some(why) = &made.instead {
        watcher(Progress::NoTpm { cause: why.to_string() });
    }
    watcher(Progress::KeyMade(made.key.public_key().kind, made.key.place()));
    Arc::clone(&made.key)
}

/// A request that is about to be sent.
pub(super) struct Begun<'a> {
    pub(super) url: &'a str,
    pub(super) ca_fingerprint: String,
    pub(super) subject: &'a DistinguishedName,
    pub(super) san: &'a [SubjectAltName],
    pub(super) predecessor: Option<LocalId>,
    pub(super) exportable: bool,
    pub(super) owner: Owner,
    pub(super) name: Option<String>,
}

impl Begun<'_> {
    /// Keeps it before it is sent: whatever happens from now on, the same key and message can be used again.
    pub(super) async fn keep(
        self,
        store: Option<&DeviceStore>,
        transaction: &Transaction,
        key: &Arc<DeviceKey>,
        outgoing: &Outgoing,
        session: &SessionOptions,
    ) -> Result<Pending, AgentError> {
        let first = self.predecessor.is_none();
        let about = PendingAbout {
            id: LocalId::generate()?,
            state: PendingState::Sent,
            url: self.url.to_owned(),
            ca_fingerprint: self.ca_fingerprint,
            subject: self.subject.clone(),
            san: self.san.to_vec(),
            key: key.public_key().kind,
            transaction: transaction.id.clone(),
            message_type: transaction.message_type.as_str().to_owned(),
            nonce: outgoing.nonce.iter().map(|octet| format!("{octet:02x}")).collect(),
            request_id: None,
            begun_at: (session.clock)(),
            predecessor: self.predecessor,
            exportable: self.exportable,
            place: key.place(),
            owner: self.owner,
            name: self.name,
        };
        let pending = Pending {
            about,
            key: Arc::clone(key),
            signer: first.then(|| transaction.signer_certificate.clone()),
            message: outgoing.message.clone(),
            tls_roots: session.tls_roots.clone(),
        };
        let Some(store) = store.cloned() else { return Ok(pending) };
        blocking(move || {
            store.save_pending(&pending)?;
            Ok(pending)
        })
        .await
    }
}

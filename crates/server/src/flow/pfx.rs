//! Identities that come with their key: the server makes the key, issues through the one gate, and gives out a PKCS#12 file with a fresh
//! passphrase. The key is forgotten with the answer.

use lanyard_model::{
    enroll::{EnrollRequest, Protocol, RequestSigner, RequestedContent},
    id::{DeviceId, RequestId, UserName},
    request::RequestContext,
    secret::{SecretBytes, SecretText},
    template::Archival,
};
use lanyard_pki::{
    certificate::Certificate,
    crypto::{digest::sha256, random::random, software},
    key::Signer as _,
    pkcs12::{Entry, Protection},
};
use lanyard_ra::{
    decide::{Facts, decide_made_here, may_order, permitted},
    order::ChallengeOrder,
};

use super::{challenge::with_records, enroll::carry_out, outcome::Outcome};
use crate::{error::ServerError, state::Server};

/// Signs of passphrases: 32 that nobody confuses.
const SIGNS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Who orders.
#[derive(Debug, Clone)]
pub enum Orderer {
    /// An administrator, as audited.
    Administrator(String),
    /// Somebody who has signed in, for themselves.
    Person(UserName),
}

impl Orderer {
    /// As audited.
    #[must_use]
    pub fn actor(&self) -> String {
        match self {
            Self::Administrator(actor) => actor.clone(),
            Self::Person(name) => format!("portal:{name}"),
        }
    }
}

/// A file with a key in it, to be given out once.
pub struct MadeHere {
    /// The request it answered.
    pub request: RequestId,
    /// The certificate.
    pub certificate: Certificate,
    /// PKCS#12, one for each protection that was asked for, in that order.
    pub files: Vec<Vec<u8>>,
    /// Earlier keys of the same person in the files.
    pub history: usize,
    /// What opens each of them.
    pub passphrase: SecretText,
}

/// How it ended.
pub enum Made {
    /// With a file.
    File(Box<MadeHere>),
    /// With a refusal, whose story the request tells.
    Refused(RequestId),
}

/// Makes a key and issues to it.
///
/// # Errors
/// [`ServerError::NotFound`]; [`ServerError::Policy`] for an order that is refused before a key is made; our own failures.
pub async fn make(
    server: &Server,
    order: ChallengeOrder,
    (user, device): (Option<UserName>, Option<DeviceId>),
    protections: &[Protection],
    orderer: &Orderer,
) -> Result<Made, ServerError> {
    let order = with_records(server, order, user, device).await?;
    let policy = server.policy();
    if let Orderer::Person(person) = orderer {
        may_order(&order, person, &policy)?;
    }
    let binding = permitted(&order, &policy, Protocol::Pfx)?;
    if policy.templates.find(&binding.template).is_some_and(|template| template.archival != Archival::Never) {
        return Err(ServerError::Conflict(format!("template {} archives keys", binding.template)));
    }
    let kind = binding.key;
    let key = blocking(move || Ok(software::generate(kind)?)).await?;
    let public = software::SoftwareSigner::from_pkcs8(&key)?.public_key().clone();
    let now = server.now();
    let digest = sha256(&public.spki);
    let content = RequestedContent {
        csr: Vec::new(),
        csr_digest: digest,
        subject: binding.subject,
        san: binding.san,
        key_usage: None,
        extended_key_usage: None,
        wants_ca: false,
        other_extensions: Vec::new(),
        key: public,
    };
    let request = EnrollRequest {
        id: RequestId::generate(now),
        protocol: Protocol::Pfx,
        profile: order.profile.clone(),
        transaction: String::new(),
        message_digest: digest,
        renewal: false,
        strong_signature: true,
        signer_key_digest: content.key.digest,
        content,
        challenge: None,
        signer: match orderer {
            Orderer::Administrator(actor) => RequestSigner::Administrator(actor.clone()),
            Orderer::Person(name) => RequestSigner::User(name.clone()),
        },
        received_at: now,
    };
    let facts =
        Facts { user: order.user.clone(), device: order.device.clone(), groups: order.groups.clone(), ..Facts::default() };
    let decision = decide_made_here(&request, &order, &facts, &policy, now);
    let context = RequestContext { peer: Some(orderer.actor()), ..RequestContext::default() };
    let der = match carry_out(server, &request, &context, decision, None).await? {
        Outcome::Issued { der, .. } => der,
        Outcome::Pending | Outcome::Refused { .. } => return Ok(Made::Refused(request.id)),
    };
    let certificate = Certificate::decode(&der)?;
    let (files, passphrase) = write(server, key, certificate.clone(), protections.to_vec()).await?;
    Ok(Made::File(Box::new(MadeHere { request: request.id, certificate, files, history: 0, passphrase })))
}

/// Files of a key, its certificate and the certificates above, under one fresh passphrase.
async fn write(
    server: &Server,
    key: SecretBytes,
    certificate: Certificate,
    protections: Vec<Protection>,
) -> Result<(Vec<Vec<u8>>, SecretText), ServerError> {
    let passphrase = passphrase()?;
    let ring = server.keyring.get();
    let issuer = ring.issuer_of(&certificate).map(|authority| authority.name().clone());
    let chain: Vec<Certificate> = issuer.map(|name| ring.chain(&name).into_iter().cloned().collect()).unwrap_or_default();
    let secret = SecretText::new(passphrase.expose().to_owned());
    let files = blocking(move || {
        let name = certificate.subject().map(|subject| subject.to_string()).unwrap_or_default();
        let others: Vec<&Certificate> = chain.iter().collect();
        let entries = [Entry { pkcs8: &key, certificate: &certificate, name: &name }];
        let files = protections.into_iter().map(|protection| protection.encode(&entries, &others, &secret));
        Ok(files.collect::<Result<Vec<_>, _>>()?)
    });
    Ok((files.await?, passphrase))
}

/// 100 random bits in four groups that can be read out and typed.
fn passphrase() -> Result<SecretText, ServerError> {
    let mut text = String::with_capacity(23);
    for (place, octet) in random::<20>()?.into_iter().enumerate() {
        if place > 0 && place % 5 == 0 {
            text.push('-');
        }
        text.extend(SIGNS.get(usize::from(octet % 32)).map(|sign| char::from(*sign)));
    }
    Ok(SecretText::new(text))
}

/// Runs what takes long on the blocking pool.
async fn blocking<T: Send + 'static>(job: impl FnOnce() -> Result<T, ServerError> + Send + 'static) -> Result<T, ServerError> {
    let done = tokio::task::spawn_blocking(job).await;
    done.map_err(|_| ServerError::Conflict("making a key was interrupted".into()))?
}

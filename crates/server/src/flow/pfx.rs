//! Identities that come with their key: the server makes the key, issues through the one gate, and gives out a PKCS#12 file with a fresh
//! passphrase. The key is forgotten with the answer, unless its template archives it.

use lanyard_model::{
    enroll::{EnrollRequest, Protocol, RequestSigner, RequestedContent},
    id::{DeviceId, RequestId, UserName},
    request::RequestContext,
    secret::{SecretBytes, SecretText},
    serial::SerialNumber,
    template::Archival,
};
use lanyard_pki::{
    certificate::Certificate,
    crypto::{digest::sha256, random::random, software},
    key::Signer as _,
    pkcs12::{Entry, Protection},
};
use lanyard_ra::{
    decide::{Decision, Facts, decide_made_here, may_order, permitted},
    order::ChallengeOrder,
};

use super::{archive, challenge::with_records, enroll::carry_out, outcome::Outcome, revoke};
use crate::{error::ServerError, state::Server};

/// Signs of passphrases: 32 that nobody confuses.
const SIGNS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Who orders.
#[derive(Debug, Clone)]
pub enum Orderer {
    /// An administrator, as audited.
    Administrator(String),
    /// Somebody who has signed in, for themselves.
    Person {
        /// Who.
        name: UserName,
        /// The certificate that the new one takes the place of.
        renews: Option<SerialNumber>,
    },
}

impl Orderer {
    /// As audited.
    #[must_use]
    pub fn actor(&self) -> String {
        match self {
            Self::Administrator(actor) => actor.clone(),
            Self::Person { name, .. } => format!("portal:{name}"),
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
    if let Orderer::Person { name, .. } = orderer {
        may_order(&order, name, &policy)?;
    }
    let binding = permitted(&order, &policy, Protocol::Pfx)?;
    let archives = policy.templates.find(&binding.template).is_some_and(|template| template.archival == Archival::Required);
    let owner = match (&binding.user, archives) {
        (Some(owner), true) => Some(owner.clone()),
        (None, true) => return Err(ServerError::Invalid("user: an archived key is somebody's; name the user".into())),
        (_, false) => None,
    };
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
            Orderer::Person { name, .. } => RequestSigner::User(name.clone()),
        },
        received_at: now,
    };
    let predecessor = match orderer {
        Orderer::Person { renews: Some(serial), .. } => Some(revoke::find(server, serial).await?),
        _ => None,
    };
    let facts = Facts {
        predecessor,
        user: order.user.clone(),
        device: order.device.clone(),
        groups: order.groups.clone(),
        ..Facts::default()
    };
    let decision = decide_made_here(&request, &order, &facts, &policy, now);
    if let (Some(owner), Decision::Grant(_)) = (&owner, &decision) {
        archive::keep(server, owner, request.id, (&key, request.content.key.digest), &orderer.actor()).await?;
    }
    let context = RequestContext { peer: Some(orderer.actor()), ..RequestContext::default() };
    let der = match carry_out(server, &request, &context, decision, None).await? {
        Outcome::Issued { der, .. } => der,
        Outcome::Pending | Outcome::Refused { .. } => return Ok(Made::Refused(request.id)),
    };
    let certificate = Certificate::decode(&der)?;
    let mut keys = vec![(key, certificate.clone())];
    if let Some(owner) = &owner {
        keys.extend(archive::keys_of(server, owner, Some(request.content.key.digest)).await?);
    }
    let history = keys.len().saturating_sub(1);
    let (files, passphrase) = write(server, keys, protections.to_vec()).await?;
    Ok(Made::File(Box::new(MadeHere { request: request.id, certificate, files, history, passphrase })))
}

/// Files of keys, their certificates and the certificates above the first, under one fresh passphrase.
pub(super) async fn write(
    server: &Server,
    keys: Vec<(SecretBytes, Certificate)>,
    protections: Vec<Protection>,
) -> Result<(Vec<Vec<u8>>, SecretText), ServerError> {
    let passphrase = passphrase()?;
    let ring = server.keyring.get();
    let issuer = keys.first().and_then(|(_, certificate)| ring.issuer_of(certificate)).map(|authority| authority.name().clone());
    let chain: Vec<Certificate> = issuer.map(|name| ring.chain(&name).into_iter().cloned().collect()).unwrap_or_default();
    let secret = SecretText::new(passphrase.expose().to_owned());
    let files = blocking(move || {
        let named = |(key, certificate)| (key, name_of(&certificate), certificate);
        let named: Vec<(SecretBytes, String, Certificate)> = keys.into_iter().map(named).collect();
        let entries = named.iter().map(|(pkcs8, name, certificate)| Entry { pkcs8, certificate, name });
        let entries: Vec<Entry<'_>> = entries.collect();
        let others: Vec<&Certificate> = chain.iter().collect();
        let files = protections.into_iter().map(|protection| protection.encode(&entries, &others, &secret));
        Ok(files.collect::<Result<Vec<_>, _>>()?)
    });
    Ok((files.await?, passphrase))
}

/// What people see of it in a list: the subject, and until when.
fn name_of(certificate: &Certificate) -> String {
    let subject = certificate.subject().map(|subject| subject.to_string()).unwrap_or_default();
    let until = certificate.validity().map(|(_, until)| until.to_string()).unwrap_or_default();
    format!("{subject} ({})", until.get(..10).unwrap_or_default())
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

//! Certificates that the management asked for by SCEP (`ClientCertificateInstall/SCEP`): the device enrols, and its nodes tell the rest.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lanyard_mdm::{csp::LocUri, profile::trusted_certificate::thumbprint};
use lanyard_model::{
    key::KeyKind,
    san::SubjectAltName,
    secret::SecretText,
    template::KeyProtection,
    time::{Span, Timestamp},
};
use lanyard_pki::{certificate::Certificate, name};

use super::tree::StoreTree;
use crate::{
    error::AgentError,
    scep::{self, EnrollOptions, EnrollOutcome, SessionOptions, options::Clock, renew::RenewOptions},
    store::{DeviceStore, Identity, LocalId, Status},
    upkeep::standing::due_at,
};

/// `Status`: done.
const FINISHED: &str = "1";
/// `Status`: the server holds the request.
const PENDING: &str = "2";
/// `Status`: it failed.
const FAILED: &str = "16";
/// Windows' `SEC_E_UNTRUSTED_ROOT`.
const UNTRUSTED_ROOT: u32 = 0x8009_0325;
/// How long a certificate rests after a renewal that came to nothing.
const REST: Span = Span::from_days(1);
/// Windows' `E_INVALIDARG`.
const INVALID_ARGUMENT: u32 = 0x8007_0057;
/// Windows' `E_FAIL`.
const UNSPECIFIED: u32 = 0x8000_4005;

/// Requests that servers hold, by their nodes.
pub(crate) type Requests = BTreeMap<String, LocalId>;

/// How an enrolment that was asked for stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enrolment {
    /// The certificate is in the store, under this thumbprint.
    Installed(String),
    /// The server holds the request.
    Held,
    /// It failed, for this reason.
    Failed(String),
}

/// Enrols for each node that asked for it, and asks for what servers hold. Nodes get their status; the certificates go into the store.
pub(crate) async fn run(
    store: &DeviceStore,
    tree: &mut StoreTree,
    requests: &mut Requests,
    tls_roots: Option<&[u8]>,
    clock: &Clock,
) -> Vec<(String, Enrolment)> {
    let started = std::mem::take(&mut tree.enrolments);
    let held = tree.scep_nodes().into_iter().filter(|node| tree.value(&node.child("Status")).as_deref() == Some(PENDING));
    let held: Vec<LocUri> = held.filter(|node| !started.contains(node)).collect();
    let mut done = Vec::new();
    for (node, first) in started.iter().map(|node| (node, true)).chain(held.iter().map(|node| (node, false))) {
        let outcome = if first {
            enroll(store, tree, node, tls_roots, clock).await
        } else {
            resume(store, requests, node, tls_roots, clock).await
        };
        // A challenge serves once and must not lie about.
        tree.unset(&node.child("Install").child("Challenge"));
        let enrolment = record(tree, requests, node, outcome);
        done.push((node.name().unwrap_or_default().to_owned(), enrolment));
    }
    done
}

/// Identities that the management brought, by SCEP or in a file, with those before and after them, and the one it knows the device by.
///
/// # Errors
/// Those of the store.
pub(crate) fn managed(store: &DeviceStore, now: Timestamp) -> Result<BTreeSet<LocalId>, AgentError> {
    let Some(account) = store.account()? else { return Ok(BTreeSet::new()) };
    let tree = StoreTree::load(store, &account, now)?;
    let shown: Vec<String> = tree.brought();
    let identities = store.identities()?;
    let is_shown = |one: &&Identity| shown.iter().any(|shown| thumbprint(one.certificate.der()).eq_ignore_ascii_case(shown));
    let mut found: BTreeSet<LocalId> = identities.iter().filter(is_shown).map(|one| one.about.id.clone()).collect();
    found.insert(account.identity);
    found.extend(account.retiring);
    loop {
        let before = found.len();
        for one in &identities {
            let predecessor = one.about.predecessor.as_ref();
            if predecessor.is_some_and(|id| found.contains(id)) {
                found.insert(one.about.id.clone());
            }
            if let Some(id) = predecessor.filter(|_| found.contains(&one.about.id)) {
                found.insert(id.clone());
            }
        }
        if found.len() == before {
            return Ok(found);
        }
    }
}

/// Renews what is due, with the key and certificate it has, and shows the new certificate at the node of the old one.
///
/// # Errors
/// Those of the store.
pub(crate) async fn renew_due(
    store: &DeviceStore,
    tree: &mut StoreTree,
    tried: &mut BTreeMap<String, Timestamp>,
    tls_roots: Option<&[u8]>,
    clock: &Clock,
) -> Result<Vec<(String, Enrolment)>, AgentError> {
    let mut done = Vec::new();
    let nodes = tree.scep_nodes();
    tried.retain(|node, _| nodes.iter().any(|one| one.to_string() == *node));
    for node in nodes {
        let now = clock();
        let shown = tree.value(&node.child("CertThumbprint")).unwrap_or_default();
        let identities = store.identities()?;
        let is_shown = |one: &&Identity| thumbprint(one.certificate.der()).eq_ignore_ascii_case(&shown);
        let Some(mut identity) = identities.iter().find(is_shown) else { continue };
        // A renewal that was held may have come meanwhile.
        while let Some(successor) = identities.iter().find(|one| one.about.predecessor.as_ref() == Some(&identity.about.id)) {
            identity = successor;
            tree.set(&node.child("CertThumbprint"), &thumbprint(identity.certificate.der()));
        }
        if identity.about.status != Status::Current {
            continue;
        }
        let rested = tried.get(&node.to_string()).is_none_or(|at| now >= *at + REST);
        if now < due_at(identity) || now > identity.about.not_after || !rested {
            continue;
        }
        tried.insert(node.to_string(), now);
        let options = RenewOptions { session: session(tls_roots, clock), ..RenewOptions::default() };
        let enrolment = match scep::renew(store, &identity.about.id, &options, &mut |_| {}).await {
            Ok(EnrollOutcome::Issued(issued)) => {
                let fresh = thumbprint(issued.certificate.der());
                tree.set(&node.child("CertThumbprint"), &fresh);
                tried.remove(&node.to_string());
                Enrolment::Installed(fresh)
            }
            Ok(EnrollOutcome::StillPending { .. }) => Enrolment::Held,
            Ok(EnrollOutcome::Refused(refusal)) => Enrolment::Failed(refusal.meaning().to_owned()),
            Err(error) => {
                // A server that is away is asked again at the next session.
                if error.is_transient() {
                    tried.remove(&node.to_string());
                }
                Enrolment::Failed(error.to_string())
            }
        };
        done.push((node.name().unwrap_or_default().to_owned(), enrolment));
    }
    Ok(done)
}

enum Fault {
    Windows(u32, String),
    Agent(AgentError),
}

impl From<AgentError> for Fault {
    fn from(error: AgentError) -> Self {
        Self::Agent(error)
    }
}

fn record(tree: &mut StoreTree, requests: &mut Requests, node: &LocUri, outcome: Result<EnrollOutcome, Fault>) -> Enrolment {
    requests.remove(&node.to_string());
    let mut set = |name: &str, value: &str| tree.set(&node.child(name), value);
    let failed = |code: u32, why: String, set: &mut dyn FnMut(&str, &str)| {
        set("Status", FAILED);
        set("ErrorCode", &code.cast_signed().to_string());
        Enrolment::Failed(why)
    };
    match outcome {
        Ok(EnrollOutcome::Issued(issued)) => {
            let thumbprint = thumbprint(issued.certificate.der());
            set("CertThumbprint", &thumbprint);
            set("ErrorCode", "0");
            set("Status", FINISHED);
            Enrolment::Installed(thumbprint)
        }
        Ok(EnrollOutcome::StillPending { id, .. }) => {
            set("Status", PENDING);
            requests.insert(node.to_string(), id);
            Enrolment::Held
        }
        Ok(EnrollOutcome::Refused(refusal)) => failed(UNSPECIFIED, refusal.meaning().to_owned(), &mut set),
        Err(Fault::Windows(code, why)) => failed(code, why, &mut set),
        Err(Fault::Agent(error)) => failed(error.hresult(), error.to_string(), &mut set),
    }
}

async fn enroll(
    store: &DeviceStore,
    tree: &StoreTree,
    node: &LocUri,
    tls_roots: Option<&[u8]>,
    clock: &Clock,
) -> Result<EnrollOutcome, Fault> {
    let install = node.child("Install");
    let value = |name: &str| tree.value(&install.child(name)).unwrap_or_default();
    let wrong = |what: &str| Fault::Windows(INVALID_ARGUMENT, format!("{what} cannot be used"));
    let ca = authority(store, &value("CAThumbprint"))?;
    let subject = name::parse(&value("SubjectName")).map_err(|_| wrong("SubjectName"))?;
    let challenge = STANDARD.decode(value("Challenge")).ok().and_then(|octets| String::from_utf8(octets).ok());
    let length: u16 = value("KeyLength").parse().map_err(|_| wrong("KeyLength"))?;
    let protection = protection(&value("KeyProtection"), &value("ContainerName"))?;
    let mut last = wrong("ServerURL");
    for url in value("ServerURL").split(';').filter(|url| !url.is_empty()) {
        let options = EnrollOptions {
            challenge: challenge.clone().map(SecretText::new),
            san: alternative_names(&value("SubjectAlternativeNames")).ok_or_else(|| wrong("SubjectAlternativeNames"))?,
            key_kind: KeyKind::Rsa(length),
            protection,
            session: session(tls_roots, clock),
            ..EnrollOptions::new(url, ca.fingerprint(), subject.clone())
        };
        match scep::enroll(Some(store), options, &mut |_| {}).await {
            Ok(outcome) => return Ok(outcome),
            Err(error @ (AgentError::Unreachable { .. } | AgentError::HttpStatus { .. })) => last = error.into(),
            Err(error) => return Err(error.into()),
        }
    }
    Err(last)
}

/// Where the key is to be (`KeyProtection`). Windows Hello guards it by a PIN, and a session that nobody watches can ask nobody for one.
fn protection(value: &str, container: &str) -> Result<KeyProtection, Fault> {
    match value {
        "1" => Ok(KeyProtection::Tpm),
        "2" => Ok(KeyProtection::TpmOptional),
        "" | "3" => Ok(KeyProtection::Software),
        "4" if container.is_empty() => Err(Fault::Windows(INVALID_ARGUMENT, "ContainerName is missing".to_owned())),
        "4" => Err(AgentError::PinNeeded.into()),
        _ => Err(Fault::Windows(INVALID_ARGUMENT, "KeyProtection cannot be used".to_owned())),
    }
}

fn session(tls_roots: Option<&[u8]>, clock: &Clock) -> SessionOptions {
    SessionOptions {
        tls_roots: tls_roots.map(<[u8]>::to_vec),
        retry_count: 0,
        retry_period: Duration::from_secs(1),
        accept_other_names: true,
        clock: std::sync::Arc::clone(clock),
        ..SessionOptions::default()
    }
}

async fn resume(
    store: &DeviceStore,
    requests: &Requests,
    node: &LocUri,
    tls_roots: Option<&[u8]>,
    clock: &Clock,
) -> Result<EnrollOutcome, Fault> {
    let unknown = || Fault::Windows(UNSPECIFIED, "nothing is known any more of the request".to_owned());
    let id = requests.get(&node.to_string()).ok_or_else(unknown)?;
    let session = SessionOptions { retry_count: 1, ..session(tls_roots, clock) };
    Ok(scep::resume(store, id, &session, &mut |_| {}).await?)
}

/// The authority whose answers are believed: one that the management made trusted before.
fn authority(store: &DeviceStore, wanted: &str) -> Result<Certificate, Fault> {
    let (roots, intermediates) = store.trusted()?;
    let found = roots.into_iter().chain(intermediates).find(|one| thumbprint(one.der()).eq_ignore_ascii_case(wanted));
    found.ok_or_else(|| Fault::Windows(UNTRUSTED_ROOT, format!("the authority {wanted} is not trusted by this device")))
}

/// `type+value`, joined by `;`.
fn alternative_names(text: &str) -> Option<Vec<SubjectAltName>> {
    let one = |part: &str| {
        let (kind, value) = part.split_once('+')?;
        let kind = match kind {
            "2" => "email",
            "3" => "dns",
            "7" => "uri",
            "8" => "ip",
            "11" => "upn",
            _ => return None,
        };
        SubjectAltName::from_str(&format!("{kind}:{value}")).ok()
    };
    text.split(';').filter(|part| !part.is_empty()).map(one).collect()
}

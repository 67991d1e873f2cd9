//! Management sessions (OMA-DM): the device tells that it is there and does what it is told, until there is nothing more.

use bytes::Bytes;
use lanyard_mdm::{
    session::device::{DeviceConfig, DeviceCredentials, DeviceSession, ManagementTree, Next},
    syncml::{CONTENT_TYPE, SyncMl, alert::LoginStatus, decode, encode},
};
use lanyard_model::time::Timestamp;

use super::{
    account::{Account, Credential},
    certificates::{self, Enrolment},
    exchange::uri,
    renew::roots,
    tree::StoreTree,
};
use crate::{
    blocking::blocking,
    error::AgentError,
    http::HttpClient,
    key::DeviceKey,
    scep::options::Clock,
    store::{DeviceStore, Identity},
};

/// Messages of one session at most: a server that never ends is not followed for ever.
const MAX_MESSAGES: u32 = 200;
/// Sessions of one synchronisation at most: what an enrolment brought is shown in another one.
const MAX_SESSIONS: u32 = 4;

/// What a synchronisation did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Synced {
    /// Sessions that were held.
    pub sessions: u32,
    /// Messages that were sent.
    pub messages: u32,
    /// Certificates that were asked for, by the name of their node.
    pub enrolments: Vec<(String, Enrolment)>,
    /// The server asked for a renewal of the identity.
    pub renew_now: bool,
    /// The device has left the management.
    pub left: bool,
}

/// Holds sessions until nothing new comes of them.
///
/// # Errors
/// [`AgentError::NotJoined`]; [`AgentError::Expired`]; [`AgentError::SessionRefused`]; those of the exchange. What was done before an error stays.
pub async fn sync(store: &DeviceStore, clock: &Clock) -> Result<Synced, AgentError> {
    let mut account = store.joined()?;
    let identity = store.identity(&account.identity)?;
    if clock() > identity.about.not_after {
        return Err(AgentError::Expired);
    }
    let key = store.identity_key(&account.identity)?;
    let tls_roots = roots(&account, &identity);
    let client = HttpClient::with_identity(&uri(&account.server_url)?, tls_roots.as_deref(), &identity, &key)?;
    let mut tree = StoreTree::load(store, &account, clock())?;
    let mut synced = Synced::default();
    let mut asked_about = false;
    while synced.sessions < MAX_SESSIONS {
        synced.sessions += 1;
        account.session = account.session.wrapping_add(1) % 0xffff;
        let ended = session(&client, &mut account, &mut tree, &mut synced.messages).await?;
        if ended == Ended::Left {
            leave_now(store, &account).await?;
            synced.left = true;
            return Ok(synced);
        }
        account.synced_at = Some(clock());
        if synced.sessions == 1 {
            account.polled = account.polled.saturating_add(1);
        }
        tree.tell(&mut account);
        retire(store, &mut account)?;
        keep(store, &account, &tree)?;
        let enrolments = certificates::run(store, &mut tree, &mut account.requests, tls_roots.as_deref(), clock).await;
        keep(store, &account, &tree)?;
        synced.renew_now |= std::mem::take(&mut tree.renew_now);
        let news = enrolments.iter().any(|(_, enrolment)| *enrolment != Enrolment::Held);
        // The server learns of a certificate in the next session, and what it asks about it comes in the one after that.
        asked_about |= enrolments.iter().any(|(_, enrolment)| matches!(enrolment, Enrolment::Installed(_)));
        synced.enrolments.extend(enrolments);
        if !news && !std::mem::take(&mut asked_about) {
            break;
        }
        tree = StoreTree::load(store, &account, clock())?;
    }
    Ok(synced)
}

/// Renews the certificates fetched by SCEP that are due, whether or not the management replaces them later; the server decides whether it is
/// time. Each is due in the last quarter of its life, at a moment of its own, and one that was refused rests for a day.
///
/// # Errors
/// [`AgentError::NotJoined`]; those of the store. What becomes of one certificate is told beside its name.
pub async fn renew_fetched(store: &DeviceStore, clock: &Clock) -> Result<Vec<(String, Enrolment)>, AgentError> {
    let mut account = store.joined()?;
    let identity = store.identity(&account.identity)?;
    let tls_roots = roots(&account, &identity);
    let mut tree = StoreTree::load(store, &account, clock())?;
    let done = certificates::renew_due(store, &mut tree, &mut account.fetched_tried, tls_roots.as_deref(), clock).await?;
    if !done.is_empty() {
        keep(store, &account, &tree)?;
    }
    Ok(done)
}

/// Holds one session of a device without a store, over a connection of its own; returns how many messages it sent.
///
/// # Errors
/// As [`sync`].
pub async fn hold(
    account: &mut Account,
    identity: &Identity,
    key: &DeviceKey,
    tree: &mut (dyn ManagementTree + Send),
) -> Result<u32, AgentError> {
    let tls_roots = roots(account, identity);
    let client = HttpClient::with_identity(&uri(&account.server_url)?, tls_roots.as_deref(), identity, key)?;
    account.session = account.session.wrapping_add(1) % 0xffff;
    let mut messages = 0;
    session(&client, account, tree, &mut messages).await?;
    Ok(messages)
}

/// Takes the device out of the management: tells the server, best effort, and removes what the management brought.
///
/// # Errors
/// [`AgentError::NotJoined`]; those of the store.
pub async fn leave(store: &DeviceStore) -> Result<bool, AgentError> {
    let mut account = store.joined()?;
    account.session = account.session.wrapping_add(1) % 0xffff;
    let told = match store.identity(&account.identity).and_then(|identity| Ok((identity, store.identity_key(&account.identity)?)))
    {
        Ok((identity, key)) => say_goodbye(&account, &identity, &key).await.is_ok(),
        Err(_) => false,
    };
    leave_now(store, &account).await?;
    Ok(told)
}

async fn say_goodbye(account: &Account, identity: &Identity, key: &DeviceKey) -> Result<(), AgentError> {
    let url = uri(&account.server_url)?;
    let client = HttpClient::with_identity(&url, roots(account, identity).as_deref(), identity, key)?;
    let message = DeviceSession::goodbye(config(account));
    exchange(&client, &account.server_url, &message).await.map(drop)
}

async fn leave_now(store: &DeviceStore, account: &Account) -> Result<(), AgentError> {
    let ids: Vec<_> = std::iter::once(&account.identity).chain(&account.retiring).cloned().collect();
    let (store, account) = (store.clone(), account.clone());
    blocking(move || {
        StoreTree::load(&store, &account, account.joined_at)?.remove_brought()?;
        store.remove_account()?;
        ids.iter().try_for_each(|id| store.remove_identity(id))
    })
    .await
}

fn keep(store: &DeviceStore, account: &Account, tree: &StoreTree) -> Result<(), AgentError> {
    tree.save()?;
    store.save_account(account)
}

/// A session with the new identity has succeeded: the old one is of no use any more.
fn retire(store: &DeviceStore, account: &mut Account) -> Result<(), AgentError> {
    match account.retiring.take() {
        Some(old) => store.remove_identity(&old),
        None => Ok(()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Well,
    Left,
}

async fn session(
    client: &HttpClient,
    account: &mut Account,
    tree: &mut (dyn ManagementTree + Send),
    messages: &mut u32,
) -> Result<Ended, AgentError> {
    let url = account.server_url.clone();
    let (mut session, mut message) = DeviceSession::start(config(account));
    for _ in 0..MAX_MESSAGES {
        *messages += 1;
        let answer = exchange(client, &url, &message).await?;
        match session.receive(&answer, tree) {
            Next::Send(next) => message = *next,
            Next::Ended { next_nonce } => {
                if let (Some(credential), Some(nonce)) = (&mut account.credential, next_nonce) {
                    credential.nonce = Some(nonce);
                }
                return Ok(Ended::Well);
            }
            Next::Refused(code) => return Err(AgentError::SessionRefused { status: code.get() }),
            Next::Unenroll => {
                let mut config = config(account);
                config.session_id = format!("{:X}", account.session.wrapping_add(1));
                // Whether the server hears it does not matter to a device that leaves.
                let _ = exchange(client, &url, &DeviceSession::goodbye(config)).await;
                return Ok(Ended::Left);
            }
            Next::Stray => return Err(AgentError::Provisioning("the answer belongs to another session")),
        }
    }
    Err(AgentError::Provisioning("the server does not end the session"))
}

async fn exchange(client: &HttpClient, url: &str, message: &SyncMl) -> Result<SyncMl, AgentError> {
    const OPERATION: &str = "the management session";
    let text = encode(message).map_err(AgentError::ManagementMessage)?;
    let answer = client.post(OPERATION, &uri(url)?, CONTENT_TYPE, Bytes::from(text)).await?;
    match answer.status {
        200 => decode(&answer.body).map_err(AgentError::ManagementMessage),
        301 | 302 | 303 | 307 | 308 => Err(AgentError::Redirect { operation: OPERATION }),
        status => Err(AgentError::HttpStatus { operation: OPERATION, status }),
    }
}

fn config(account: &Account) -> DeviceConfig {
    let info = |name: &str, value: &str| (format!("./DevInfo/{name}"), value.to_owned());
    DeviceConfig {
        device_id: account.device_id.clone(),
        server_url: account.server_url.clone(),
        session_id: format!("{:X}", account.session),
        dev_info: vec![
            info("DevId", &account.device_id),
            info("Man", "Lanyard"),
            info("Mod", "Device agent"),
            info("DmV", "1.3"),
            info("Lang", "en-US"),
        ],
        login: LoginStatus::User,
        server_initiated: false,
        alerts: Vec::new(),
        credentials: account.credential.as_ref().map(credentials),
    }
}

fn credentials(credential: &Credential) -> DeviceCredentials {
    let (user, secret) = (credential.name.clone(), credential.secret.clone());
    if credential.digest {
        DeviceCredentials::Md5 { user, secret, nonce: credential.nonce.clone() }
    } else {
        DeviceCredentials::Basic { user, secret }
    }
}

/// When a device that keeps its schedule has its next session.
#[must_use]
pub fn next_session(account: &Account) -> Timestamp {
    let minutes = i64::from(account.poll.pause(account.polled));
    account.synced_at.unwrap_or(account.joined_at) + lanyard_model::time::Span::from_secs(60 * minutes)
}

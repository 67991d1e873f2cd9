//! What a joined device keeps besides keys and certificates.

use std::collections::BTreeMap;

use lanyard_mdm::provisioning::{AppAuth, AuthType, ProvisioningDocument};
use lanyard_model::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    error::AgentError,
    store::{DeviceStore, Identity, LocalId, files},
};

const FOLDER: &str = "mdm";
const FILE: &str = "account.json";
const NODES: &str = "nodes.json";

/// The management account of a device. It holds the secrets of the account and is as private as a key.
///
/// STORED: as `mdm/account.json`; new fields must have defaults.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Discovery service that was used, after the redirect that the user accepted, if there was one.
    pub discovery_url: String,
    /// User who joined.
    pub user: String,
    /// Id that the device gave itself, `DevInfo/DevId`.
    pub device_id: String,
    /// Hash of hardware identifiers.
    pub hardware_id: String,
    /// Name of the device.
    pub device_name: String,
    /// `EnrollmentType`: Full or Device.
    pub form: String,
    /// PROVIDER-ID.
    pub provider_id: String,
    /// ADDR of the management server.
    pub server_url: String,
    /// EntDMID.
    pub ent_dmid: Option<String>,
    /// Credentials that the server wants (APPAUTH of the device).
    pub credential: Option<Credential>,
    /// What the server proves itself with, if it does.
    pub server_credential: Option<Credential>,
    /// Renewal, as the server said.
    pub renewal: Renewal,
    /// The identity in use.
    pub identity: LocalId,
    /// The identity before, until a session with the new one has succeeded.
    #[serde(default)]
    pub retiring: Option<LocalId>,
    /// Roots for TLS that were given at joining, PEM.
    pub tls_roots: Option<String>,
    /// When it joined.
    pub joined_at: Timestamp,
    /// When its last session ended well.
    #[serde(default)]
    pub synced_at: Option<Timestamp>,
    /// When it calls.
    #[serde(default)]
    pub poll: Poll,
    /// How often it has called by this schedule.
    #[serde(default)]
    pub polled: u32,
    /// When the identity was renewed last.
    #[serde(default)]
    pub renewed_at: Option<Timestamp>,
    /// `SignedEntDMID`: what the identity before vouched for at the renewal.
    #[serde(default)]
    pub signed_ent_dmid: Option<String>,
    /// `SessionID` used last.
    #[serde(default)]
    pub session: u32,
    /// Requests for certificates that servers hold, by the nodes that asked for them.
    #[serde(default)]
    pub requests: BTreeMap<String, LocalId>,
    /// When certificates fetched by SCEP were last tried to be renewed by the device itself, by their nodes.
    #[serde(default)]
    pub fetched_tried: BTreeMap<String, Timestamp>,
}

/// One of the three schedules (`Poll`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turns {
    /// How often; 0 is for ever.
    pub count: u32,
    /// Minutes between two; 0 is not at all.
    pub minutes: u32,
}

/// When a device calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poll {
    /// Right after joining.
    pub first: Turns,
    /// Then.
    pub second: Turns,
    /// From then on.
    pub remaining: Turns,
}

impl Default for Poll {
    fn default() -> Self {
        let none = Turns { count: 0, minutes: 0 };
        Self { first: none, second: none, remaining: Turns { count: 0, minutes: 480 } }
    }
}

impl Poll {
    /// Minutes until the next session, after so many by this schedule. When no schedule is for ever, a daily one follows.
    #[must_use]
    pub fn pause(&self, held: u32) -> u32 {
        let mut before = held;
        for turns in [self.first, self.second, self.remaining] {
            if turns.minutes == 0 {
                continue;
            }
            if turns.count == 0 || before < turns.count {
                return turns.minutes;
            }
            before -= turns.count;
        }
        24 * 60
    }
}

/// A name and a secret of the account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// `DIGEST` or `BASIC`.
    pub digest: bool,
    /// Name.
    pub name: String,
    /// Secret.
    pub secret: String,
    /// The nonce for the next session.
    pub nonce: Option<Vec<u8>>,
}

/// When and where the identity is renewed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewal {
    /// Without the user.
    pub automatic: bool,
    /// Days before the end.
    pub period_days: u32,
    /// Days between tries.
    pub retry_days: u32,
    /// Discovery service for renewals.
    pub server_url: Option<String>,
    /// When it was last tried.
    #[serde(default)]
    pub tried_at: Option<Timestamp>,
    /// HRESULT of the last failure, 0 after a success.
    #[serde(default)]
    pub error: u32,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("user", &self.user).field("server_url", &self.server_url).finish_non_exhaustive()
    }
}

impl Account {
    /// The account that a provisioning document of an enrolment makes; the rest is filled in by whoever joined.
    ///
    /// # Errors
    /// [`AgentError::Provisioning`] when the document has no account.
    pub(crate) fn of(document: &ProvisioningDocument) -> Result<Self, AgentError> {
        let lacks = |what| AgentError::Provisioning(what);
        let account = document.application.account.as_ref().ok_or(lacks("it has no management account"))?;
        let renew = document.certificate_store.renew.as_ref();
        let client = document.dm_client.as_ref();
        let turns = |schedule: lanyard_mdm::provisioning::Schedule| Turns { count: schedule.retries, minutes: schedule.interval };
        let poll = client.and_then(|client| client.poll.as_ref());
        let poll =
            poll.map(|poll| Poll { first: turns(poll.first), second: turns(poll.second), remaining: turns(poll.remaining) });
        Ok(Self {
            discovery_url: String::new(),
            user: String::new(),
            device_id: String::new(),
            hardware_id: String::new(),
            device_name: String::new(),
            form: document.certificate_store.client.store.name().to_owned(),
            provider_id: document.application.provider_id.clone(),
            server_url: account.addr.clone(),
            ent_dmid: client.and_then(|client| client.ent_dmid.clone()),
            credential: account.client_credential.as_ref().map(Credential::of),
            server_credential: account.server_credential.as_ref().map(Credential::of),
            renewal: Renewal {
                automatic: renew.is_some_and(|renew| renew.robo_support),
                period_days: renew.map_or(42, |renew| renew.renew_period),
                retry_days: renew.map_or(7, |renew| renew.retry_interval),
                server_url: renew.and_then(|renew| renew.server_url.clone()),
                tried_at: None,
                error: 0,
            },
            identity: LocalId::generate()?,
            retiring: None,
            tls_roots: None,
            joined_at: Timestamp(0),
            synced_at: None,
            poll: poll.unwrap_or_default(),
            polled: 0,
            renewed_at: None,
            signed_ent_dmid: None,
            session: 0,
            requests: BTreeMap::new(),
            fetched_tried: BTreeMap::new(),
        })
    }

    /// When the identity may first be renewed.
    #[must_use]
    pub fn renews_from(&self, not_after: Timestamp) -> Timestamp {
        not_after - Span::from_days(i64::from(self.renewal.period_days))
    }

    /// Whether an automatic renewal is due: the period has begun, the pause since the last try is over, and the certificate has not ended.
    #[must_use]
    pub fn is_renewal_due(&self, not_after: Timestamp, now: Timestamp) -> bool {
        let pause = Span::from_days(i64::from(self.renewal.retry_days));
        let rested = self.renewal.tried_at.is_none_or(|tried| now >= tried + pause);
        now >= self.renews_from(not_after) && now <= not_after && rested
    }
}

impl Credential {
    fn of(auth: &AppAuth) -> Self {
        let nonce = Some(auth.nonce.clone()).filter(|nonce| !nonce.is_empty());
        Self {
            digest: auth.auth_type == AuthType::Digest,
            name: auth.name.clone().unwrap_or_default(),
            secret: auth.secret.expose().to_owned(),
            nonce,
        }
    }
}

impl DeviceStore {
    /// The management account, if the device has joined.
    ///
    /// # Errors
    /// [`AgentError::Permissions`], [`AgentError::Damaged`], [`AgentError::Io`].
    pub fn account(&self) -> Result<Option<Account>, AgentError> {
        let path = self.path().join(FOLDER).join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        files::check_private(&path)?;
        serde_json::from_slice(&files::read(&path)?).map(Some).map_err(|error| AgentError::damaged(&path, error))
    }

    /// The management account of a device that has joined.
    ///
    /// # Errors
    /// [`AgentError::NotJoined`], and those of [`DeviceStore::account`].
    pub fn joined(&self) -> Result<Account, AgentError> {
        self.account()?.ok_or(AgentError::NotJoined)
    }

    /// The management account with the identity in use. Another process may replace the identity between the two readings: then both are read
    /// again.
    ///
    /// # Errors
    /// As [`DeviceStore::joined`] and [`DeviceStore::identity`].
    pub fn joined_with_identity(&self) -> Result<(Account, Identity), AgentError> {
        let mut account = self.joined()?;
        loop {
            match self.identity(&account.identity) {
                Ok(identity) => return Ok((account, identity)),
                Err(error) => {
                    let again = self.joined()?;
                    if again.identity == account.identity {
                        return Err(error);
                    }
                    account = again;
                }
            }
        }
    }

    pub(crate) fn save_account(&self, account: &Account) -> Result<(), AgentError> {
        let folder = self.path().join(FOLDER);
        files::make_folder(&folder)?;
        let path = folder.join(FILE);
        let text = serde_json::to_vec_pretty(account).map_err(|error| AgentError::damaged(&path, error))?;
        files::replace(&path, &text)
    }

    /// The nodes that the management set, as text.
    pub(crate) fn load_nodes(&self) -> Result<Vec<(String, Option<String>)>, AgentError> {
        let path = self.path().join(FOLDER).join(NODES);
        if !path.exists() {
            return Ok(Vec::new());
        }
        files::check_private(&path)?;
        serde_json::from_slice(&files::read(&path)?).map_err(|error| AgentError::damaged(&path, error))
    }

    pub(crate) fn save_nodes(&self, nodes: &[(String, Option<String>)]) -> Result<(), AgentError> {
        let path = self.path().join(FOLDER).join(NODES);
        let text = serde_json::to_vec(nodes).map_err(|error| AgentError::damaged(&path, error))?;
        files::replace(&path, &text)
    }

    /// Forgets the management account and what belongs to it.
    pub(crate) fn remove_account(&self) -> Result<(), AgentError> {
        let folder = self.path().join(FOLDER);
        if folder.exists() { files::remove_folder(&folder) } else { Ok(()) }
    }
}

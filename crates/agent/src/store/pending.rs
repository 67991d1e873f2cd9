//! Requests under way: written before the first message leaves, so that a later run can go on with the same key and transaction.

use std::{path::Path, sync::Arc};

use lanyard_enroll::scep::{attributes::MessageType, client::message::Outgoing};
use lanyard_model::{key::KeyKind, name::DistinguishedName, san::SubjectAltName, time::Timestamp};
use lanyard_pki::{certificate::Certificate, pem};
use serde::{Deserialize, Serialize};

use super::{
    DeviceStore, LocalId, files,
    identity::{Owner, TLS_ROOTS, json, key_file, parse, read_certificates, read_key},
    layout::PENDING,
};
use crate::{
    error::AgentError,
    key::{DeviceKey, KeyPlace},
};

const SIGNER: &str = "signer.pem";
const MESSAGE: &str = "message.der";
const ABOUT: &str = "about.json";

/// How far a request got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PendingState {
    /// The message may have been sent; no verified answer was received. The same message is sent again.
    Sent,
    /// The server holds it for a decision. It is asked for with CertPoll.
    Held,
}

impl std::fmt::Display for PendingState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Sent => "sent",
            Self::Held => "held",
        })
    }
}

/// What was asked for.
///
/// STORED: as `about.json`; new fields must have defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingAbout {
    /// Its name in the store, later that of the identity.
    pub id: LocalId,
    /// How far it got.
    pub state: PendingState,
    /// SCEP URL.
    pub url: String,
    /// SHA-256 of the pinned CA certificate, hexadecimal with colons.
    pub ca_fingerprint: String,
    /// Subject asked for.
    pub subject: DistinguishedName,
    /// Subject alternative names asked for.
    pub san: Vec<SubjectAltName>,
    /// Kind of the key.
    pub key: KeyKind,
    /// transactionID.
    pub transaction: String,
    /// messageType of the request.
    pub message_type: String,
    /// senderNonce of the stored message, hexadecimal.
    pub nonce: String,
    /// What the server calls the request.
    pub request_id: Option<String>,
    /// When it was begun, in milliseconds since 1970.
    pub begun_at: Timestamp,
    /// The identity that it is to renew.
    pub predecessor: Option<LocalId>,
    /// Whether the key may be exported.
    #[serde(default)]
    pub exportable: bool,
    /// Where the key is.
    #[serde(default)]
    pub place: KeyPlace,
    /// Whose the identity becomes.
    #[serde(default)]
    pub owner: Owner,
    /// What it is to be called.
    #[serde(default)]
    pub name: Option<String>,
}

/// A request under way with everything that is needed to go on.
#[derive(Debug, Clone)]
pub struct Pending {
    /// What was asked for.
    pub about: PendingAbout,
    /// The key to be certified.
    pub key: Arc<DeviceKey>,
    /// The self-signed signer certificate; `None` for a renewal, which the old identity signs.
    pub signer: Option<Certificate>,
    /// The message, encrypted to the server.
    pub message: Vec<u8>,
    /// Roots for TLS, PEM, where they were given.
    pub tls_roots: Option<Vec<u8>>,
}

impl PendingAbout {
    /// Profile: the last part of the URL that is not the name of a program.
    #[must_use]
    pub fn profile(&self) -> &str {
        let path = self.url.trim_end_matches('/').trim_end_matches("/pkiclient.exe");
        path.rsplit('/').next().unwrap_or_default()
    }

    /// messageType of the request.
    #[must_use]
    pub fn message_type(&self) -> Option<MessageType> {
        MessageType::from_text(&self.message_type).ok()
    }
}

impl Pending {
    /// The stored message as it was sent.
    #[must_use]
    pub fn outgoing(&self) -> Option<Outgoing> {
        let digits: Option<Vec<u8>> =
            self.about.nonce.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect();
        let octets: Vec<u8> = digits?.chunks_exact(2).map(|pair| pair.iter().fold(0, |acc, d| acc << 4 | d)).collect();
        let nonce = octets.try_into().ok()?;
        Some(Outgoing { message: self.message.clone(), transaction: self.about.transaction.clone(), nonce })
    }
}

impl DeviceStore {
    /// Keeps a request, before its message is sent.
    ///
    /// # Errors
    /// [`AgentError::Io`].
    pub fn save_pending(&self, pending: &Pending) -> Result<(), AgentError> {
        let key = pending.key.to_stored();
        let about = json(&pending.about, Path::new(ABOUT))?;
        let signer = pending.signer.as_ref().map(|c| pem::encode(pem::CERTIFICATE, c.der()));
        let mut content: Vec<(&str, &[u8])> =
            vec![(key_file(&pending.key), key.expose().as_bytes()), (MESSAGE, &pending.message), (ABOUT, about.as_slice())];
        if let Some(signer) = &signer {
            content.push((SIGNER, signer.as_bytes()));
        }
        if let Some(roots) = &pending.tls_roots {
            content.push((TLS_ROOTS, roots));
        }
        files::make_folder_with(&self.pending_folder(&pending.about.id), &content)
    }

    /// Keeps how far a request got.
    ///
    /// # Errors
    /// [`AgentError::Io`].
    pub fn update_pending(&self, about: &PendingAbout) -> Result<(), AgentError> {
        let path = self.pending_folder(&about.id).join(ABOUT);
        files::replace(&path, &json(about, &path)?)
    }

    /// A request under way.
    ///
    /// # Errors
    /// [`AgentError::UnknownId`], [`AgentError::Damaged`], [`AgentError::Permissions`], [`AgentError::Io`].
    pub fn pending(&self, id: &LocalId) -> Result<Pending, AgentError> {
        let folder = self.pending_folder(id);
        if !folder.exists() {
            return Err(AgentError::UnknownId(id.to_string()));
        }
        let signer = folder.join(SIGNER);
        let signer = if signer.exists() { read_certificates(&signer)?.into_iter().next() } else { None };
        Ok(Pending {
            about: parse(&folder.join(ABOUT))?,
            key: read_key(&folder)?,
            signer,
            message: files::read(&folder.join(MESSAGE))?,
            tls_roots: files::read_optional(&folder.join(TLS_ROOTS))?,
        })
    }

    /// Every request under way, the oldest first. What became an identity already, when a crash came before it was cleared away, is cleared
    /// away.
    ///
    /// # Errors
    /// [`AgentError::Damaged`], [`AgentError::Io`].
    pub fn pendings(&self) -> Result<Vec<PendingAbout>, AgentError> {
        let mut pendings = Vec::new();
        for id in self.ids(PENDING)? {
            if self.identity_folder(&id).exists() {
                self.discard_pending(&id)?;
            } else {
                pendings.push(parse::<PendingAbout>(&self.pending_folder(&id).join(ABOUT))?);
            }
        }
        pendings.sort_by_key(|p| p.begun_at);
        Ok(pendings)
    }

    /// Forgets a request under way, with its key.
    ///
    /// # Errors
    /// [`AgentError::Io`].
    pub fn discard_pending(&self, id: &LocalId) -> Result<(), AgentError> {
        let folder = self.pending_folder(id);
        if folder.exists() { files::remove_folder(&folder) } else { Ok(()) }
    }
}

//! Identities: a key, its certificate, and how it was obtained.

use std::{path::Path, sync::Arc};

use lanyard_model::{key::KeyKind, time::Timestamp};
use lanyard_pki::{certificate::Certificate, pem};
use serde::{Deserialize, Serialize};

use super::{DeviceStore, LocalId, files, layout::MY};
use crate::{
    error::AgentError,
    key::{DeviceKey, KeyPlace},
};

const KEY: &str = "key.pem";
/// What the TPM encrypted of a key that is in it.
const TPM_KEY: &str = "key.tpm";
const CERTIFICATE: &str = "certificate.pem";
const CHAIN: &str = "chain.pem";
const ABOUT: &str = "about.json";
/// Roots for TLS that were given, so that they need not be given again.
pub(super) const TLS_ROOTS: &str = "tls-roots.pem";

/// Whether an identity is the one to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is.
    Current,
    /// It was renewed; kept for what was encrypted to it.
    Superseded,
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Current => "current",
            Self::Superseded => "superseded",
        })
    }
}

/// How an identity was obtained.
///
/// STORED: as `about.json`; new fields must have defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityAbout {
    /// Its name in the store.
    pub id: LocalId,
    /// Whether it is the one to use.
    pub status: Status,
    /// SCEP URL.
    pub url: String,
    /// Profile: the last part of the URL.
    pub profile: String,
    /// SHA-256 of the pinned CA certificate, hexadecimal with colons.
    pub ca_fingerprint: String,
    /// Subject of the certificate, as text.
    pub subject: String,
    /// Subject alternative names of the certificate, as text.
    pub san: Vec<String>,
    /// Kind of the key.
    pub key: KeyKind,
    /// transactionID it was obtained with.
    pub transaction: String,
    /// What the server called the request.
    pub request_id: Option<String>,
    /// When it was obtained, in milliseconds since 1970.
    pub obtained_at: Timestamp,
    /// Last second of validity, in milliseconds since 1970.
    pub not_after: Timestamp,
    /// The identity it renews.
    pub predecessor: Option<LocalId>,
    /// Whether the key may be exported.
    #[serde(default)]
    pub exportable: bool,
    /// Where the key is.
    #[serde(default)]
    pub place: KeyPlace,
    /// Whose it is.
    #[serde(default)]
    pub owner: Owner,
    /// What it is called: by whoever asked for it, or by the file that it came in.
    #[serde(default)]
    pub name: Option<String>,
}

/// Whose an identity is, as Windows tells them apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// The device's.
    #[default]
    System,
    /// Its user's.
    User,
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::System => "system",
            Self::User => "user",
        })
    }
}

/// An identity with its certificates.
#[derive(Debug, Clone)]
pub struct Identity {
    /// How it was obtained.
    pub about: IdentityAbout,
    /// The certificate.
    pub certificate: Certificate,
    /// Its issuers, nearest first, pinned CA last.
    pub chain: Vec<Certificate>,
    /// Roots for TLS that it was obtained with, PEM, where they were given.
    pub tls_roots: Option<Vec<u8>>,
}

impl DeviceStore {
    /// Puts an identity into the store, all of it or nothing; then its predecessor is superseded.
    ///
    /// # Errors
    /// [`AgentError::Io`].
    pub fn install(&self, identity: &Identity, key: &DeviceKey) -> Result<(), AgentError> {
        self.trust(&identity.chain)?;
        let certificate = pem::encode(pem::CERTIFICATE, identity.certificate.der());
        let chain: String = identity.chain.iter().map(|c| pem::encode(pem::CERTIFICATE, c.der())).collect();
        let (key_file, key) = (key_file(key), key.to_stored());
        let about = json(&identity.about, Path::new(ABOUT))?;
        let mut content: Vec<(&str, &[u8])> = vec![
            (key_file, key.expose().as_bytes()),
            (CERTIFICATE, certificate.as_bytes()),
            (CHAIN, chain.as_bytes()),
            (ABOUT, about.as_slice()),
        ];
        if let Some(roots) = &identity.tls_roots {
            content.push((TLS_ROOTS, roots));
        }
        files::make_folder_with(&self.identity_folder(&identity.about.id), &content)?;
        match &identity.about.predecessor {
            Some(predecessor) => self.supersede(predecessor),
            None => Ok(()),
        }
    }

    fn supersede(&self, id: &LocalId) -> Result<(), AgentError> {
        let path = self.identity_folder(id).join(ABOUT);
        if !path.exists() {
            return Ok(());
        }
        let mut about: IdentityAbout = parse(&path)?;
        about.status = Status::Superseded;
        files::replace(&path, &json(&about, &path)?)
    }

    /// An identity without its key.
    ///
    /// # Errors
    /// [`AgentError::UnknownId`], [`AgentError::Damaged`], [`AgentError::Io`].
    pub fn identity(&self, id: &LocalId) -> Result<Identity, AgentError> {
        let folder = self.identity_folder(id);
        if !folder.exists() {
            return Err(AgentError::UnknownId(id.to_string()));
        }
        let about: IdentityAbout = parse(&folder.join(ABOUT))?;
        let certificates = read_certificates(&folder.join(CERTIFICATE))?;
        let certificate = certificates.into_iter().next();
        let certificate = certificate.ok_or_else(|| AgentError::damaged(&folder.join(CERTIFICATE), "it is empty"))?;
        let chain = read_certificates(&folder.join(CHAIN))?;
        Ok(Identity { about, certificate, chain, tls_roots: files::read_optional(&folder.join(TLS_ROOTS))? })
    }

    /// File of the key of an identity: PKCS#8 in PEM, or what the TPM encrypted of a key that is in it.
    #[must_use]
    pub fn key_file(&self, id: &LocalId) -> std::path::PathBuf {
        let in_tpm = self.identity_folder(id).join(TPM_KEY);
        if in_tpm.exists() { in_tpm } else { self.identity_folder(id).join(KEY) }
    }

    /// The key of an identity.
    ///
    /// # Errors
    /// [`AgentError::Permissions`], [`AgentError::Damaged`], [`AgentError::Io`].
    pub fn identity_key(&self, id: &LocalId) -> Result<Arc<DeviceKey>, AgentError> {
        read_key(&self.identity_folder(id))
    }

    /// Every identity that can be read, the oldest first. A damaged one does not keep the others from being used; see
    /// [`DeviceStore::damaged`]. One whose successor is in the store counts as superseded even when a crash came before that was written
    /// down.
    ///
    /// # Errors
    /// [`AgentError::Io`] when the store itself cannot be read.
    pub fn identities(&self) -> Result<Vec<Identity>, AgentError> {
        let ids = self.ids(MY)?;
        let mut identities: Vec<Identity> = ids.iter().filter_map(|id| self.identity(id).ok()).collect();
        let renewed: Vec<LocalId> = identities.iter().filter_map(|i| i.about.predecessor.clone()).collect();
        for identity in &mut identities {
            if renewed.contains(&identity.about.id) {
                identity.about.status = Status::Superseded;
            }
        }
        identities.sort_by_key(|i| i.about.obtained_at);
        Ok(identities)
    }

    /// What is wrong with the identities that cannot be read.
    ///
    /// # Errors
    /// [`AgentError::Io`] when the store itself cannot be read.
    pub fn damaged(&self) -> Result<Vec<AgentError>, AgentError> {
        let ids = self.ids(MY)?;
        let wrong = ids.iter().filter_map(|id| Some((id, self.identity(id).err()?)));
        // One that another process removed meanwhile is not damaged.
        Ok(wrong.filter(|(id, _)| self.identity_folder(id).exists()).map(|(_, error)| error).collect())
    }

    /// Removes an identity with its key, for good. An unreadable one too.
    ///
    /// # Errors
    /// [`AgentError::Io`].
    pub fn remove_identity(&self, id: &LocalId) -> Result<(), AgentError> {
        let folder = self.identity_folder(id);
        if folder.exists() { files::remove_folder(&folder) } else { Ok(()) }
    }
}

/// Reads a key of the store.
pub(super) fn read_key(folder: &Path) -> Result<Arc<DeviceKey>, AgentError> {
    let tpm = folder.join(TPM_KEY);
    if tpm.exists() {
        return DeviceKey::from_tpm_pem(&files::read_secret(&tpm)?).map_err(|error| AgentError::damaged(&tpm, error));
    }
    let path = folder.join(KEY);
    DeviceKey::from_pem(&files::read_secret(&path)?).map_err(|error| AgentError::damaged(&path, error))
}

/// Name of the file that keeps a key.
pub(super) const fn key_file(key: &DeviceKey) -> &'static str {
    match key.place() {
        KeyPlace::Software => KEY,
        KeyPlace::Tpm | KeyPlace::TpmPin => TPM_KEY,
    }
}

/// Reads certificates in PEM, one after another.
pub(super) fn read_certificates(path: &Path) -> Result<Vec<Certificate>, AgentError> {
    const END: &str = "-----END CERTIFICATE-----";
    let text = files::read_text(path)?;
    let blocks = text.split_inclusive(END).filter(|block| !block.trim().is_empty());
    let decode = |block: &str| pem::decode(pem::CERTIFICATE, block).and_then(|der| Certificate::decode(&der));
    blocks.map(|block| decode(block).map_err(|error| AgentError::damaged(path, error))).collect()
}

/// Reads a record.
pub(super) fn parse<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, AgentError> {
    serde_json::from_slice(&files::read(path)?).map_err(|error| AgentError::damaged(path, error))
}

/// Writes a record.
pub(super) fn json<T: Serialize>(record: &T, path: &Path) -> Result<Vec<u8>, AgentError> {
    serde_json::to_vec_pretty(record).map_err(|error| AgentError::damaged(path, error))
}

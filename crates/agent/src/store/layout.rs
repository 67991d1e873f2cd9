//! The folder of a device store.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use lanyard_model::text::printable;
use lanyard_pki::{certificate::Certificate, pem};

use serde::{Deserialize, Serialize};

use super::{LocalId, files};
use crate::error::AgentError;

/// Identities.
pub(crate) const MY: &str = "my";
/// Requests under way.
pub(crate) const PENDING: &str = "pending";

/// Where a certificate without its key lies, as on Windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Room {
    /// Trusted root authorities.
    Root,
    /// Intermediate authorities: links of chains, trusted by nobody for it.
    Ca,
    /// Trusted people: certificates of others, to encrypt to or to recognise.
    People,
}

impl Room {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Root, Self::Ca, Self::People];

    const fn folder(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Ca => "ca",
            Self::People => "people",
        }
    }

    /// Where a certificate without its key belongs by what it says.
    #[must_use]
    pub fn of(certificate: &Certificate) -> Self {
        match (certificate.is_ca(), certificate.is_self_issued()) {
            (true, true) => Self::Root,
            (true, false) => Self::Ca,
            (false, _) => Self::People,
        }
    }
}

impl std::fmt::Display for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Root => "trusted root",
            Self::Ca => "intermediate",
            Self::People => "trusted people",
        })
    }
}

/// What a crash left half-made is removed when it is older than this and the process that made it is gone. Neither alone tells: clocks jump,
/// and a store may be shared with a process that cannot be seen from here.
const LEFTOVER_AGE: Duration = Duration::from_secs(3600);

/// A device store. Cheap to clone: it is only the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceStore {
    root: PathBuf,
}

impl DeviceStore {
    /// Opens a store, or makes one. Folders are for this user alone (0700); a store that others can read is refused.
    ///
    /// # Errors
    /// [`AgentError::Permissions`], [`AgentError::Io`].
    pub fn open(root: &Path) -> Result<Self, AgentError> {
        let root = std::path::absolute(root).map_err(AgentError::io("finding", root))?;
        let root = root.as_path();
        if root.exists() {
            tighten_if_empty(root)?;
        } else {
            files::make_folder(root)?;
        }
        files::check_private(root)?;
        for name in [MY, PENDING].into_iter().chain(Room::ALL.map(Room::folder)) {
            let folder = root.join(name);
            files::make_folder(&folder)?;
            files::check_private(&folder)?;
            remove_leftovers(&folder);
        }
        Ok(Self { root: root.to_owned() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Folder of an identity.
    #[must_use]
    pub fn identity_folder(&self, id: &LocalId) -> PathBuf {
        self.root.join(MY).join(id.as_str())
    }

    /// Folder of a request under way.
    #[must_use]
    pub fn pending_folder(&self, id: &LocalId) -> PathBuf {
        self.root.join(PENDING).join(id.as_str())
    }

    /// The one identity or request whose id begins with this.
    ///
    /// # Errors
    /// [`AgentError::UnknownId`], [`AgentError::AmbiguousId`].
    pub fn find(&self, prefix: &str) -> Result<LocalId, AgentError> {
        let prefix = prefix.to_ascii_lowercase();
        let mut ids = self.ids(MY)?;
        ids.extend(self.ids(PENDING)?);
        ids.retain(|id| !prefix.is_empty() && id.as_str().starts_with(&prefix));
        ids.sort();
        ids.dedup();
        let mut found = ids.into_iter();
        match (found.next(), found.next()) {
            (Some(id), None) => Ok(id),
            (None, _) => Err(AgentError::UnknownId(printable(&prefix))),
            (Some(_), Some(_)) => Err(AgentError::AmbiguousId(printable(&prefix))),
        }
    }

    pub(crate) fn ids(&self, room: &str) -> Result<Vec<LocalId>, AgentError> {
        let folder = self.root.join(room);
        let entries = fs::read_dir(&folder).map_err(AgentError::io("reading", &folder))?;
        let mut ids = Vec::new();
        for entry in entries {
            let entry = entry.map_err(AgentError::io("reading", &folder))?;
            // Everything with another name is not ours, or half-made.
            if let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
                ids.push(id);
            }
        }
        ids.sort();
        Ok(ids)
    }

    /// Keeps certificates that are to be trusted, each in the place for its kind.
    pub(crate) fn trust(&self, certificates: &[Certificate]) -> Result<(), AgentError> {
        for certificate in certificates {
            // What is pinned or provisioned is an authority, whatever its own extensions say.
            self.save_certificate(if certificate.is_self_issued() { Room::Root } else { Room::Ca }, certificate)?;
        }
        Ok(())
    }

    /// Certificates that are trusted: roots, then intermediates. Files that cannot be read are passed over.
    ///
    /// # Errors
    /// [`AgentError::Io`] when the store itself cannot be read.
    pub fn trusted(&self) -> Result<(Vec<Certificate>, Vec<Certificate>), AgentError> {
        Ok((self.certificates_in(Room::Root)?, self.certificates_in(Room::Ca)?))
    }

    /// Certificates in one room. Files that cannot be read are passed over.
    ///
    /// # Errors
    /// [`AgentError::Io`] when the store itself cannot be read.
    pub fn certificates_in(&self, room: Room) -> Result<Vec<Certificate>, AgentError> {
        let folder = self.root.join(room.folder());
        let mut found = Vec::new();
        for entry in fs::read_dir(&folder).map_err(AgentError::io("reading", &folder))?.flatten() {
            let text = files::read_text(&entry.path()).ok();
            let der = text.and_then(|text| pem::decode(pem::CERTIFICATE, &text).ok());
            found.extend(der.and_then(|der| Certificate::decode(&der).ok()));
        }
        found.sort_by_key(Certificate::fingerprint);
        Ok(found)
    }

    /// Trusts a certificate no longer.
    pub(crate) fn distrust(&self, certificate: &Certificate) -> Result<(), AgentError> {
        [Room::Root, Room::Ca].into_iter().try_for_each(|room| self.remove_certificate(room, certificate))
    }

    /// Takes a certificate out of a room, if it is there.
    ///
    /// # Errors
    /// [`AgentError::Io`].
    pub fn remove_certificate(&self, room: Room, certificate: &Certificate) -> Result<(), AgentError> {
        let path = self.certificate_file(room, certificate);
        if path.exists() { fs::remove_file(&path).map_err(AgentError::io("removing", &path)) } else { Ok(()) }
    }

    /// File of a certificate in a room.
    #[must_use]
    pub fn certificate_file(&self, room: Room, certificate: &Certificate) -> PathBuf {
        self.root.join(room.folder()).join(format!("{}.pem", name_of(certificate)))
    }

    pub(crate) fn save_certificate(&self, room: Room, certificate: &Certificate) -> Result<(), AgentError> {
        let path = self.certificate_file(room, certificate);
        if path.exists() {
            return Ok(());
        }
        files::replace(&path, pem::encode(pem::CERTIFICATE, certificate.der()).as_bytes())
    }
}

/// Name of a certificate's file: its SHA-256.
fn name_of(certificate: &Certificate) -> String {
    certificate.fingerprint().iter().map(|octet| format!("{octet:02x}")).collect()
}

/// A folder that somebody made for us beforehand, with the usual mode and nothing in it, becomes ours. Anything else is left as it is.
fn tighten_if_empty(root: &Path) -> Result<(), AgentError> {
    let mut entries = fs::read_dir(root).map_err(AgentError::io("reading", root))?;
    if entries.next().is_none() {
        fs::set_permissions(root, fs::Permissions::from_mode(0o700)).map_err(AgentError::io("protecting", root))?;
    }
    Ok(())
}

/// Whether a name is that of something half-made, by a process that is gone.
fn is_abandoned(name: &str) -> bool {
    let rest = name.strip_prefix(".new-").or_else(|| name.strip_prefix(".old-"));
    let maker = rest.and_then(|rest| rest.split('-').next()).map(|process| Path::new("/proc").join(process));
    maker.is_some_and(|maker| !maker.exists())
}

fn remove_leftovers(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let old = || {
            let modified = entry.metadata().ok()?.modified().ok()?;
            SystemTime::now().duration_since(modified).ok().map(|age| age > LEFTOVER_AGE)
        };
        if is_abandoned(&name) && old().unwrap_or(false) {
            let path = entry.path();
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            if let Err(error) = removed {
                tracing::warn!(path = %path.display(), %error, "what an interrupted run left behind cannot be removed");
            }
        }
    }
}

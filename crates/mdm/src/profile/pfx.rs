//! A certificate with its key, made elsewhere (`ClientCertificateInstall/PFXCertInstall`).

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::job::{Expect, Job, add, atomic, delete, expect};
use crate::{
    csp::{Format, LocUri, Scope},
    syncml::Item,
};

/// Where the key goes (`KeyLocation`).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyLocation {
    /// 1: into the TPM, or not at all.
    Tpm,
    /// 2: into the TPM if there is one.
    TpmOptional,
    /// 3: into software.
    Software {
        /// It may be exported again. The device's own default is yes; it is always sent.
        exportable: bool,
    },
    /// 4: into the container of Windows Hello for Business.
    Hello {
        /// Name of the container.
        container: String,
    },
}

/// A PKCS#12 file to install. Its [`fmt::Debug`] shows neither file nor password.
#[derive(Clone, PartialEq, Eq)]
pub struct PfxProfile {
    /// `UniqueID`: name of the node.
    pub id: String,
    /// Device's or user's store.
    pub scope: Scope,
    /// Where the key goes.
    pub key_location: KeyLocation,
    /// The file.
    pub pfx: Vec<u8>,
    /// Its password, sent as it is inside TLS.
    pub password: String,
}

impl fmt::Debug for PfxProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PfxProfile").field("id", &self.id).field("scope", &self.scope).finish_non_exhaustive()
    }
}

impl PfxProfile {
    /// Installs it; the blob comes last because adding it starts the import.
    #[must_use]
    pub fn install(&self) -> Job {
        let node = node(self.scope, &self.id);
        let location = match &self.key_location {
            KeyLocation::Tpm => 1,
            KeyLocation::TpmOptional => 2,
            KeyLocation::Software { .. } => 3,
            KeyLocation::Hello { .. } => 4,
        };
        let leaf = |name: &str, format, value: String| add(Item::value(node.child(name), format, value));
        let mut commands = vec![add(Item::bare(&node, Format::Node)), leaf("KeyLocation", Format::Int, location.to_string())];
        if let KeyLocation::Hello { container } = &self.key_location {
            commands.push(leaf("ContainerName", Format::Chr, container.clone()));
        }
        commands.push(leaf("PFXCertPassword", Format::Chr, self.password.clone()));
        commands.push(leaf("PFXCertPasswordEncryptionType", Format::Int, "0".to_owned()));
        let exportable = matches!(self.key_location, KeyLocation::Software { exportable: true });
        commands.push(leaf("PFXKeyExportable", Format::Bool, exportable.to_string()));
        commands.push(leaf("PFXCertBlob", Format::Bin, STANDARD.encode(&self.pfx)));
        let proof = vec![
            expect(&node.child("Status"), Expect::Value("0".to_owned())),
            expect(&node.child("Thumbprint"), Expect::Present),
        ];
        Job::change(self.scope, vec![atomic(commands)], proof)
    }

    /// Installs it in place of whatever is under the same id, which goes first with its certificate and key.
    #[must_use]
    pub fn install_anew(&self) -> Job {
        let mut job = self.install();
        job.commands.insert(0, delete(&node(self.scope, &self.id)));
        job
    }
}

fn node(scope: Scope, id: &str) -> LocUri {
    LocUri::new(scope, &["Vendor", "MSFT", "ClientCertificateInstall", "PFXCertInstall", id])
}

/// Removes certificates and key of a file that was installed.
#[must_use]
pub fn remove(scope: Scope, id: &str) -> Job {
    let node = node(scope, id);
    Job::change(scope, vec![delete(&node)], vec![expect(&node, Expect::Absent)])
}

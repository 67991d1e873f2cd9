//! `scepclient` of micromdm (Debian package `scep`).

use std::path::PathBuf;

use lanyard_pki::certificate::Certificate;
use tempfile::TempDir;
use tokio::process::Command;

use super::{Done, program, read_certificate, run};
use crate::temporary;

/// A device that runs scepclient in a folder of its own.
pub struct ScepClient {
    folder: TempDir,
    url: String,
    common_name: String,
    organization: String,
    recipient: Option<String>,
}

/// What scepclient puts into every subject beside CN and O.
pub const FURTHER_SUBJECT: &str = "OU=MDM,C=US";

impl ScepClient {
    /// For a server and names.
    ///
    /// # Panics
    /// When there is no room for its files.
    #[must_use]
    pub fn new(url: &str, common_name: &str, organization: &str) -> Self {
        let folder = temporary::folder("scepclient");
        Self { folder, url: url.into(), common_name: common_name.into(), organization: organization.into(), recipient: None }
    }

    /// Has it encrypt to the certificate with this SHA-256 fingerprint alone.
    ///
    /// QUIRK(scepclient 2.1.0): without this it encrypts to every certificate of GetCACert, and crashes on one with an EC key.
    #[must_use]
    pub fn encrypt_to(mut self, certificate: &Certificate) -> Self {
        self.recipient = Some(lanyard_model::text::hex(&certificate.fingerprint()));
        self
    }

    /// Runs it: a first enrolment, or a renewal when there is a certificate.
    pub async fn run(&self, challenge: Option<&str>) -> Done {
        // It keeps its CSR, challenge and all, and would send the old one again.
        let _ = std::fs::remove_file(self.folder.path().join("csr.pem"));
        let _ = std::fs::remove_file(self.folder.path().join("self.pem"));
        let mut command = Command::new(program("scepclient", "scep"));
        command.current_dir(self.folder.path());
        command.args(["-server-url", &self.url, "-cn", &self.common_name, "-organization", &self.organization]);
        command.args(["-private-key", "client.key", "-certificate", "client.pem", "-debug"]);
        if let Some(recipient) = &self.recipient {
            command.args(["-ca-fingerprint", recipient]);
        }
        if let Some(challenge) = challenge {
            command.args(["-challenge", challenge]);
        }
        run(&mut command).await
    }

    /// The certificate it wrote.
    #[must_use]
    pub fn certificate(&self) -> Certificate {
        read_certificate(&self.path())
    }

    /// Where it writes its certificate.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("client.pem")
    }
}

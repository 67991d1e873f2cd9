//! strongSwan's `pki --scepca` and `pki --scep` (Debian packages `strongswan-pki`, `libstrongswan-extra-plugins` for HTTP, and
//! `libstrongswan-standard-plugins` for elliptic curves).

use std::path::{Path, PathBuf};

use lanyard_pki::certificate::Certificate;
use tempfile::TempDir;
use tokio::process::Command;

use super::{Done, program, read_certificate, run};
use crate::{keys::Key, temporary};

/// What pki needs beside itself, and where it comes from.
const PLUGINS: [(&str, &str); 2] = [
    ("/usr/lib/ipsec/plugins/libstrongswan-curl.so", "libstrongswan-extra-plugins"),
    ("/usr/lib/ipsec/plugins/libstrongswan-openssl.so", "libstrongswan-standard-plugins"),
];

/// A device that runs pki in a folder of its own.
pub struct Strongswan {
    folder: TempDir,
    url: String,
    renews_by_pkcs_req: bool,
}

/// What to ask for, and how.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// Subject.
    pub subject: &'a str,
    /// dNSNames.
    pub names: &'a [&'a str],
    /// challengePassword.
    pub challenge: Option<&'a str>,
    /// `aes` or `des3`.
    pub cipher: &'a str,
    /// `sha256` and others.
    pub digest: &'a str,
    /// `pkcs1` or `pss`.
    pub padding: &'a str,
}

impl Strongswan {
    /// For a server.
    ///
    /// # Panics
    /// When a package is missing, naming it.
    #[must_use]
    pub fn new(url: &str) -> Self {
        for (path, package) in PLUGINS {
            assert!(Path::new(path).is_file(), "the plugin {path} is needed: apt-get install {package}");
        }
        Self { folder: temporary::folder("strongswan"), url: url.into(), renews_by_pkcs_req: false }
    }

    /// Has it renew by PKCSReq instead of RenewalReq, which is an option of its configuration.
    ///
    /// # Panics
    /// When the configuration cannot be written.
    #[must_use]
    pub fn renewing_by_pkcs_req(mut self) -> Self {
        std::fs::write(self.path("strongswan.conf"), "pki { scep { renewal_via_pkcs_req = yes } }\n").unwrap();
        self.renews_by_pkcs_req = true;
        self
    }

    fn command(&self) -> Command {
        let mut command = Command::new(program("pki", "strongswan-pki"));
        command.current_dir(self.folder.path());
        if self.renews_by_pkcs_req {
            command.env("STRONGSWAN_CONF", self.path("strongswan.conf"));
        }
        command
    }

    /// Fetches the certificates of the server; what it took for root, issuing CA and registration certificate, in files of its naming.
    pub async fn fetch_certificates(&self) -> Done {
        let arguments = ["--scepca", "--url", &self.url, "--caout", "ca.pem", "--raout", "ra.pem", "--outform", "pem", "--force"];
        run(self.command().args(arguments)).await
    }

    /// A certificate that [`Self::fetch_certificates`] wrote.
    #[must_use]
    pub fn fetched(&self, file: &str) -> Certificate {
        read_certificate(&self.path(file))
    }

    /// Asks for a certificate with this key; with an old certificate and its key it renews.
    ///
    /// # Panics
    /// When files cannot be written.
    pub async fn ask(&self, key: &Key, asking: &Asking<'_>, old: Option<(&Certificate, &Key)>) -> Done {
        std::fs::write(self.path("key.pem"), key.pem()).unwrap();
        let mut command = self.command();
        command.args(["--scep", "--url", &self.url, "--in", "key.pem", "--dn", asking.subject, "--outform", "pem"]);
        command.args(["--cacert-enc", "ra.pem", "--cacert-sig", "ca-1.pem", "--cacert", "ca.pem"]);
        command.args(["--cipher", asking.cipher, "--digest", asking.digest, "--rsa-padding", asking.padding]);
        command.args(["--interval", "1", "--maxpolltime", "30"]);
        asking.names.iter().for_each(|name| {
            command.args(["--san", name]);
        });
        if let Some(challenge) = asking.challenge {
            command.args(["--password", challenge]);
        }
        if let Some((certificate, key)) = old {
            super::write_certificates(&self.path("old.pem"), &[certificate]);
            std::fs::write(self.path("old-key.pem"), key.pem()).unwrap();
            command.args(["--cert", "old.pem", "--key", "old-key.pem"]);
        }
        run(&mut command).await
    }

    /// The certificate in what a successful [`Self::ask`] wrote.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn certificate(&self, done: &Done) -> Certificate {
        assert!(done.success, "{}", done.output);
        std::fs::write(self.path("issued.pem"), &done.stdout).unwrap();
        read_certificate(&self.path("issued.pem"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

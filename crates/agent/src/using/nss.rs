//! Databases of NSS, which Chromium, Firefox and Thunderbird read: written by NSS's own programs.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use lanyard_model::{secret::SecretText, text::hex};
use lanyard_pki::{
    certificate::Certificate,
    crypto::random::random,
    pkcs12::{Entry, Protection},
};

use crate::{
    error::AgentError,
    store::{DeviceStore, Identity, files},
};

const PACKAGE: &str = "libnss3-tools";
/// Trusted for TLS servers and clients and for mail, not for programs.
const TRUST: &str = "CT,C,";

/// A database of NSS.
pub(super) struct Database<'a> {
    folder: &'a Path,
    /// What the certificates are called in it.
    name: String,
}

impl<'a> Database<'a> {
    pub(super) fn new(folder: &'a Path, name: &str) -> Self {
        Self { folder, name: format!("lanyard {name}") }
    }

    fn root_name(&self) -> String {
        format!("{} root", self.name)
    }

    /// Puts identity and root into the database, in place of those under the same name. The key is a copy, so it must be one that may leave.
    pub(super) fn install(
        &self,
        store: &DeviceStore,
        identity: &Identity,
        root: &Certificate,
        work: &Path,
    ) -> Result<(), AgentError> {
        if !identity.about.exportable {
            return Err(AgentError::NotExportable { id: identity.about.id.to_string() });
        }
        if !self.folder.join("cert9.db").exists() {
            files::make_folder(self.folder)?;
            self.run("certutil", &["-N", "--empty-password"])?;
        }
        self.remove()?;
        let passphrase = SecretText::new(hex(&random::<16>().map_err(AgentError::Own)?));
        let key = store.identity_key(&identity.about.id)?;
        let entry = Entry { pkcs8: key.pkcs8()?, certificate: &identity.certificate, name: &self.name };
        let others: Vec<&Certificate> = identity.chain.iter().collect();
        let bundle = Protection::Modern.encode(&[entry], &others, &passphrase).map_err(AgentError::Own)?;
        let paths: Vec<PathBuf> = ["key.p12", "passphrase", "root.der"].map(|name| work.join(name)).into();
        let [file, secret, anchor] = paths.as_slice() else { return Err(AgentError::Interrupted) };
        let import = || {
            files::write_new(file, &bundle)?;
            files::write_new(secret, passphrase.expose().as_bytes())?;
            files::write_new(anchor, root.der())?;
            self.run("pk12util", &["-i", &file.display().to_string(), "-w", &secret.display().to_string()])?;
            self.trust(anchor)
        };
        let done = import();
        paths.iter().for_each(|path| drop(std::fs::remove_file(path)));
        done
    }

    /// Makes the root in a file trusted. A database keeps a certificate once, under the name that it got first.
    pub(super) fn trust(&self, root: &Path) -> Result<(), AgentError> {
        self.run("certutil", &["-A", "-n", &self.root_name(), "-t", TRUST, "-i", &root.display().to_string()])
    }

    /// Takes identity, key and root out of the database, as far as they are there.
    pub(super) fn remove(&self) -> Result<(), AgentError> {
        if !self.folder.join("cert9.db").exists() {
            return Ok(());
        }
        if self.run("certutil", &["-L", "-n", &self.name]).is_ok() {
            self.run("certutil", &["-F", "-n", &self.name])?;
        }
        if self.run("certutil", &["-L", "-n", &self.root_name()]).is_ok() {
            self.run("certutil", &["-D", "-n", &self.root_name()])?;
        }
        Ok(())
    }

    fn run(&self, program: &'static str, arguments: &[&str]) -> Result<(), AgentError> {
        let mut command = Command::new(program);
        command.args(arguments).arg("-d").arg(format!("sql:{}", self.folder.display())).stdin(Stdio::null());
        let done = command.output().map_err(|_| AgentError::Program { program, package: PACKAGE })?;
        if done.status.success() {
            return Ok(());
        }
        let told = String::from_utf8_lossy(&done.stderr);
        Err(AgentError::damaged(self.folder, format_args!("{program}: {}", told.lines().next().unwrap_or("it failed"))))
    }
}

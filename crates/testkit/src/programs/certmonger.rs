//! The certmonger daemon (Debian package `certmonger`) as a private instance: own folders, own socket, no message bus.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use lanyard_pki::certificate::Certificate;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{Done, program, read_certificate, run};
use crate::{temporary, wait::until};

/// Name of the CA inside certmonger.
const CA: &str = "lanyard";

/// A running daemon.
pub struct Certmonger {
    folder: TempDir,
    // Killed when it is dropped.
    daemon: Child,
}

impl Certmonger {
    /// Starts a daemon.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start() -> Self {
        let folder = temporary::folder("certmonger");
        for name in ["requests", "cas", "config", "tmp", "certs"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let daemon = spawn(folder.path(), "");
        let this = Self { folder, daemon };
        this.answers().await;
        this
    }

    /// Ends the daemon and starts it again on the same records: from now on it renews what ends within this many seconds.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn restart_renewing_within(mut self, seconds: i64) -> Self {
        self.daemon.kill().await.unwrap();
        let _ = std::fs::remove_file(self.folder.path().join("socket"));
        self.daemon = spawn(self.folder.path(), &format!("enroll_ttls = {seconds}\n"));
        self.answers().await;
        self
    }

    async fn answers(&self) {
        let socket = self.folder.path().join("socket");
        until("certmonger's socket", || async { socket.exists().then_some(()) }).await;
        until("certmonger", || async { self.getcert(&["list-cas"]).await.success.then_some(()) }).await;
    }

    /// Runs getcert.
    pub async fn getcert(&self, arguments: &[&str]) -> Done {
        let mut command = Command::new(program("getcert", "certmonger"));
        environment(&mut command, self.folder.path());
        run(command.args(arguments)).await
    }

    /// Tells it of a SCEP server and waits until it knows its certificates.
    pub async fn add_ca(&self, url: &str) {
        self.getcert(&["add-scep-ca", "-c", CA, "-u", url]).await.good();
        until("certmonger to read the CA's certificates", || async {
            let known = self.getcert(&["list-cas", "-c", CA, "-v"]).await.output;
            (!known.contains("unreachable") && self.ca_is_cached()).then_some(())
        })
        .await;
    }

    /// Whether its record of the CA holds an encryption certificate.
    fn ca_is_cached(&self) -> bool {
        let files = std::fs::read_dir(self.folder.path().join("cas")).unwrap();
        let texts = files.filter_map(|f| std::fs::read_to_string(f.ok()?.path()).ok());
        texts.into_iter().any(|text| text.contains("ca_encryption_cert") && text.contains("ca_capabilities"))
    }

    /// Asks for a certificate with an RSA key of 2048 bits.
    pub async fn request(&self, subject: &str, dns: &[&str], challenge: &str) -> Done {
        let (key, certificate) = (self.path("device.key"), self.certificate_path());
        let (key, certificate) = (key.to_str().unwrap(), certificate.to_str().unwrap());
        let mut arguments = vec!["request", "-c", CA, "-I", "device", "-k", key, "-f", certificate, "-g", "2048"];
        arguments.extend(["-N", subject, "-L", challenge, "-u", "digitalSignature", "-U", "id-kp-clientAuth"]);
        dns.iter().for_each(|name| arguments.extend(["-D", name]));
        self.getcert(&arguments).await
    }

    /// Asks for another certificate with the same key, signed by the one it has. It sends the spent challenge along.
    pub async fn resubmit(&self) -> Done {
        self.getcert(&["resubmit", "-i", "device"]).await
    }

    /// The same with another challenge.
    pub async fn resubmit_with(&self, challenge: &str) -> Done {
        self.getcert(&["resubmit", "-i", "device", "-L", challenge]).await
    }

    /// Waits until the one request is in this state.
    pub async fn in_state(&self, state: &str) {
        until(state, || async { (self.state().await == state).then_some(()) }).await;
    }

    /// Asks for another certificate with a new key. It sends the spent challenge along.
    pub async fn rekey(&self) -> Done {
        self.getcert(&["rekey", "-i", "device", "-g", "2048"]).await
    }

    /// State of the one request, such as `MONITORING`.
    pub async fn state(&self) -> String {
        let list = self.getcert(&["list", "-i", "device"]).await.output;
        let status = list.lines().find_map(|line| line.trim().strip_prefix("status: "));
        status.unwrap_or_else(|| panic!("no status: {list}")).to_owned()
    }

    /// Waits until a certificate other than `old` is there and being watched.
    ///
    /// # Panics
    /// When that does not happen; with what it says and its log.
    pub async fn monitored(&self, old: Option<&Certificate>) -> Certificate {
        let deadline = std::time::Instant::now() + crate::wait::PATIENCE;
        loop {
            if self.state().await == "MONITORING" && self.certificate_path().exists() {
                let certificate = read_certificate(&self.certificate_path());
                if old.is_none_or(|old| old.der() != certificate.der()) {
                    return certificate;
                }
            }
            if std::time::Instant::now() > deadline {
                panic!("{}\n{}", self.getcert(&["list", "-v"]).await.output, self.log());
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    }

    /// Where its certificate is.
    #[must_use]
    pub fn certificate_path(&self) -> PathBuf {
        self.path("device.pem")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("certs").join(name)
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// Starts the daemon with these further defaults.
fn spawn(folder: &Path, defaults: &str) -> Child {
    // Its own signing CA is of no use here, and takes seconds to make.
    std::fs::write(folder.join("config/certmonger.conf"), format!("[defaults]\n{defaults}[selfsign]\n[local]\n")).unwrap();
    let mut command = Command::new(program("certmonger", "certmonger"));
    environment(&mut command, folder);
    command.args(["-n", "-L", "-d", "2", "-P"]).arg(folder.join("socket"));
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).kill_on_drop(true);
    command.spawn().unwrap()
}

fn environment(command: &mut Command, folder: &Path) {
    for (name, part) in [
        ("CERTMONGER_REQUESTS_DIR", "requests"),
        ("CERTMONGER_CAS_DIR", "cas"),
        ("CERTMONGER_CONFIG_DIR", "config"),
        ("CERTMONGER_TMPDIR", "tmp"),
        ("CERTMONGER_LOCAL_CA_DIR", "tmp"),
        ("HOME", "tmp"),
    ] {
        command.env(name, folder.join(part));
    }
    command.env("CERTMONGER_PVT_ADDRESS", format!("unix:path={}", folder.join("socket").display()));
}

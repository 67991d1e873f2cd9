//! A TPM 2.0 in software (swtpm), which behaves as one in a computer does: it counts wrong PINs, has three slots for objects, and forgets what
//! lies in them when it is reset.

use std::{
    net::{Ipv4Addr, TcpListener},
    process::Stdio,
    time::Duration,
};

use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{Done, program, run};
use crate::temporary;

const TOOLS: &str = "tpm2-tools";

/// A running TPM; it ends with this value.
pub struct Swtpm {
    port: u16,
    folder: TempDir,
    child: Child,
}

impl Swtpm {
    /// A new TPM, as it comes from its maker.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start() -> Self {
        let mut folder = temporary::folder("swtpm");
        for _ in 0..20 {
            let Some(port) = two_free_ports() else { continue };
            let mut tpm = Self { port, child: spawn(&folder, port), folder };
            if tpm.is_ready().await {
                return tpm;
            }
            // Somebody else took a port meanwhile.
            folder = tpm.folder;
        }
        panic!("swtpm does not start; see swtpm in {}", folder.path().display());
    }

    /// How it is named in `LANYARD_TPM` and to tpm2-tools.
    #[must_use]
    pub fn name(&self) -> String {
        format!("swtpm:host=127.0.0.1,port={}", self.port)
    }

    /// Takes its power away and gives it back: a TPM reset. What it keeps for good stays, its slots are empty.
    ///
    /// # Panics
    /// When it does not come back.
    pub async fn reset(&mut self) {
        self.child.kill().await.unwrap();
        self.child = spawn(&self.folder, self.port);
        assert!(self.is_ready().await, "the TPM does not come back");
    }

    /// Runs one of tpm2-tools with this TPM.
    pub async fn tool(&self, name: &str, arguments: &[&str]) -> Done {
        let mut command = Command::new(program(name, TOOLS));
        run(command.args(arguments).args(["-T", &self.name()]).current_dir(self.folder.path())).await
    }

    /// Sets after how many wrong PINs it locks, and after how many seconds it forgets one.
    pub async fn set_lockout(&self, tries: u32, interval: u32) {
        let (tries, interval) = (tries.to_string(), interval.to_string());
        self.tool("tpm2_dictionarylockout", &["-s", "-n", &tries, "-t", &interval, "-l", "1"]).await.good();
    }

    /// Objects and sessions that lie in its slots.
    pub async fn occupied(&self) -> String {
        let objects = self.tool("tpm2_getcap", &["handles-transient"]).await.good();
        objects + &self.tool("tpm2_getcap", &["handles-loaded-session"]).await.good()
    }

    async fn is_ready(&mut self) -> bool {
        let deadline = std::time::Instant::now() + crate::wait::PATIENCE;
        while std::time::Instant::now() < deadline && self.child.try_wait().unwrap().is_none() {
            if self.tool("tpm2_getcap", &["properties-fixed"]).await.success {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    }
}

fn spawn(folder: &TempDir, port: u16) -> Child {
    let log = std::fs::File::create(folder.path().join("log")).unwrap();
    let mut command = Command::new(program("swtpm", "swtpm"));
    command.args(["socket", "--tpm2", "--tpmstate"]).arg(format!("dir={}", folder.path().display()));
    command.args(["--server", &format!("type=tcp,port={port}"), "--ctrl", &format!("type=tcp,port={}", port + 1)]);
    command.args(["--flags", "not-need-init,startup-clear"]);
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).kill_on_drop(true);
    command.spawn().unwrap()
}

/// The first of two ports side by side, as libtss2 expects them.
fn two_free_ports() -> Option<u16> {
    let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
    let port = first.local_addr().ok()?.port();
    TcpListener::bind((Ipv4Addr::LOCALHOST, port.checked_add(1)?)).ok().map(|_| port)
}

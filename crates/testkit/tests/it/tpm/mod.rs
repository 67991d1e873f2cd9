//! Keys in a TPM: the device with a real TPM interface (swtpm) and a real server.

mod enrolling;
mod pins;
mod protocol;
mod surviving;
mod using;
mod without;

use std::{
    fs,
    path::{Path, PathBuf},
};

use lanyard_pki::certificate::Certificate;
use lanyard_testkit::{
    process::{lanyard, lanyard_tpm},
    programs::{Done, run, swtpm::Swtpm},
    server::{Builder, TestServer, order},
    temporary,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

/// A device with a store, and the TPM in it.
pub struct Device {
    pub folder: TempDir,
    pub tpm: String,
}

impl Device {
    pub fn with(tpm: &Swtpm) -> Self {
        Self { folder: temporary::folder("tpm"), tpm: tpm.name() }
    }

    pub fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// `lanyard device …` with its store and TPM.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(lanyard(), arguments)
    }

    pub fn command_of(&self, lanyard: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(lanyard);
        // Beside the program, unless LANYARD_BIN says otherwise.
        let beside = lanyard_tpm().parent().unwrap().display().to_string();
        command.env("LANYARD_TPM", &self.tpm).env("PATH", format!("{beside}:{}", std::env::var("PATH").unwrap()));
        command.arg("device").args(arguments).arg("--store").arg(self.store());
        command
    }

    pub async fn run(&self, arguments: &[&str]) -> Done {
        run(&mut self.command(arguments)).await
    }

    pub async fn json(&self, arguments: &[&str]) -> Value {
        let printed = self.run(&[arguments, &["--json"]].concat()).await.good();
        serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{e}: {printed}"))
    }

    /// The arguments of an enrolment, with a challenge of the server.
    pub async fn enrolment(&self, server: &TestServer, name: &str, more: &[&str]) -> Vec<String> {
        let challenge = server.admin.challenge(&order("hosts", name)).await;
        let file = self.file(&format!("challenge-{name}"), &challenge.challenge);
        let fingerprint = lanyard_agent::scep::options::fingerprint_text(&server.site.root.fingerprint());
        let url = server.scep_url("default");
        let given = ["enroll", "--scep", &url, "--ca-fingerprint", &fingerprint, "--challenge-file", &file, "--subject"];
        given.into_iter().chain([challenge.subject.as_str()]).chain(more.iter().copied()).map(str::to_owned).collect()
    }

    pub async fn enroll(&self, server: &TestServer, name: &str, more: &[&str]) -> Done {
        let arguments = self.enrolment(server, name, more).await;
        self.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await
    }

    /// The identity that is current.
    pub async fn current(&self) -> Value {
        let listed = self.json(&["list"]).await;
        let all = listed["identities"].as_array().unwrap();
        let mut current = all.iter().filter(|one| one["status"] == "current");
        let found = current.next().unwrap_or_else(|| panic!("{listed}")).clone();
        assert!(current.next().is_none(), "{listed}");
        found
    }

    pub async fn certificate(&self, id: &str) -> Certificate {
        let pem = self.run(&["export", id, "--certificate"]).await.good();
        let first = pem.split_inclusive("-----END CERTIFICATE-----").next().unwrap();
        Certificate::decode(&lanyard_pki::pem::decode(lanyard_pki::pem::CERTIFICATE, first).unwrap()).unwrap()
    }

    /// Writes a file beside the store; its path.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Every file of the store with what is in it.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let (mut files, mut folders) = (Vec::new(), vec![self.store()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files.push((path.clone(), fs::read(&path).unwrap())) }
            }
        }
        files
    }
}

/// A server that renews whenever it is asked.
pub fn server() -> Builder {
    let always = [("renewal-window = \"120d\"", "renewal-window = \"364d\""), ("lifetime = \"365d\"", "lifetime = \"364d\"")];
    TestServer::builder().template("wifi", "hosts", &always)
}

pub fn refused(done: &Done, code: &str) {
    assert!(!done.success && done.output.contains(&format!("[{code}]")), "not {code}: {}", done.output);
}

pub fn holds(octets: &[u8], text: &[u8]) -> bool {
    octets.windows(text.len()).any(|window| window == text)
}

//! A server to probe, and the program that probes it.

use std::{net::SocketAddr, process::Stdio, sync::Arc};

use lanyard_testkit::{
    gateway::pki::{self, Authority, Identity},
    process::lanyard,
    temporary,
};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::CertificateRevocationListDer,
    server::{NoServerSessionStorage, WebPkiClientVerifier},
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use tokio_rustls::TlsAcceptor;

/// What a server shows and asks for.
pub struct Site {
    pub folder: TempDir,
    /// Issues the server's certificate; its own is `root.pem`.
    pub root: Authority,
    /// Issues the certificates of clients.
    pub clients: Authority,
}

/// Whether a server asks for client certificates.
pub enum Asks {
    No,
    /// Of the site's clients; these are revoked.
    Required(Vec<Vec<u8>>),
}

impl Site {
    pub fn new() -> Self {
        let folder = temporary::folder("probe");
        let (root, clients) = (Authority::root("CN=Web Root,O=Example"), Authority::root("CN=Client Root,O=Example"));
        std::fs::write(folder.path().join("root.pem"), root.pem()).unwrap();
        std::fs::write(folder.path().join("pw"), "alicepw\n").unwrap();
        Self { folder, root, clients }
    }

    /// TLS with a certificate for localhost.
    pub fn tls(&self, asks: Asks) -> TlsAcceptor {
        self.tls_as(&self.root.issue(&pki::server(&["localhost"])), asks)
    }

    /// TLS with this certificate.
    pub fn tls_as(&self, identity: &Identity, asks: Asks) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().unwrap();
        let builder = match asks {
            Asks::No => builder.with_no_client_auth(),
            Asks::Required(crls) => {
                let mut roots = RootCertStore::empty();
                roots.add(self.clients.certificate.der().to_vec().into()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let crls = crls.into_iter().map(CertificateRevocationListDer::from);
                builder.with_client_cert_verifier(verifier.with_crls(crls).allow_unknown_revocation_status().build().unwrap())
            }
        };
        let mut config = builder.with_single_cert(identity.chain(), identity.private_key()).unwrap();
        config.session_storage = Arc::new(NoServerSessionStorage {});
        TlsAcceptor::from(Arc::new(config))
    }

    /// Writes a certificate and key into one file, and names it.
    pub fn identity(&self, name: &str, identity: &Identity) -> String {
        let path = self.folder.path().join(format!("{name}.pem"));
        std::fs::write(&path, identity.pem() + &identity.key.pem()).unwrap();
        path.display().to_string()
    }

    /// A good client certificate of alice.
    pub fn alice(&self) -> String {
        self.identity("alice", &self.clients.issue(&pki::client("alice", &["upn:alice@corp.test"])))
    }
}

/// What the program told.
pub struct Told {
    pub code: i32,
    pub report: Value,
}

impl Told {
    /// The verdict of a step, the last one of that name.
    pub fn verdict(&self, step: &str) -> &str {
        let steps = self.report["steps"].as_array().unwrap();
        steps.iter().rev().find(|one| one["step"] == step).map_or("", |one| one["verdict"].as_str().unwrap())
    }

    /// What was seen in a step.
    pub fn seen(&self, step: &str) -> String {
        let steps = self.report["steps"].as_array().unwrap();
        steps.iter().rev().find(|one| one["step"] == step).map_or_else(String::new, |one| one["seen"].to_string())
    }
}

/// Probes an address of the site. The name localhost leads to the server; roots are the site's alone.
pub async fn probe(site: &Site, address: SocketAddr, path: &str, arguments: &[&str]) -> Told {
    let url = format!("https://localhost:{}{path}", address.port());
    let root = site.folder.path().join("root.pem").display().to_string();
    let connect = address.to_string();
    let more = [&["--connect", &connect, "--ca", &root], arguments].concat();
    let told = probe_url(&url, &more).await;
    let text = told.report.to_string();
    assert!(!text.contains("alicepw") && !text.contains("YWxpY2U6"), "a password is told: {text}");
    told
}

/// Probes a URL.
pub async fn probe_url(url: &str, arguments: &[&str]) -> Told {
    let mut command = Command::new(lanyard());
    command.args(["probe", url, "--json"]).args(arguments);
    if !arguments.contains(&"--timeout") {
        command.args(["--timeout", "5"]);
    }
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
    let report = serde_json::from_slice(&output.stdout);
    let report = report.unwrap_or_else(|_| panic!("no report: {}", String::from_utf8_lossy(&output.stderr)));
    Told { code: output.status.code().unwrap(), report }
}

/// User and password of alice.
pub fn password(site: &Site) -> [String; 4] {
    let file = site.folder.path().join("pw").display().to_string();
    ["--user".into(), "alice".into(), "--password-file".into(), file]
}

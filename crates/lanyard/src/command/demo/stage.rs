//! The server and the directory of its devices.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use lanyard_agent::store::DeviceStore;
use lanyard_server::{
    KeyKind, SecretText,
    api::{challenges::parse, types::Order},
    clock::{Clock, SystemClock},
    error::chain,
    flow::challenge,
    init::{Plan, UnsealSource, init},
    serve::{Running, Unseal, open, start},
};
use tempfile::TempDir;

use super::{post_office::PostOffice, windows};
use crate::admin::Target;

/// A server on free loopback ports, with everything in one directory.
pub struct Stage {
    running: Running,
    dir: PathBuf,
    fingerprint: [u8; 32],
    root: Vec<u8>,
    post_office: PostOffice,
    _temporary: Option<TempDir>,
}

impl Stage {
    /// Creates an authority and starts its server.
    pub async fn set(kept: Option<PathBuf>) -> Result<Self, String> {
        let io = |e: std::io::Error| e.to_string();
        let (dir, temporary) = match kept {
            Some(dir) => {
                fs::create_dir(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
                (dir, None)
            }
            None => {
                let temporary = TempDir::with_prefix("lanyard-demo-").map_err(io)?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        let (ca, unseal) = (dir.join("ca"), dir.join("unseal.key"));
        let (http, https, mdm) = (free_port().map_err(io)?, free_port().map_err(io)?, free_port().map_err(io)?);
        let plan = Plan {
            dir: ca.clone(),
            organization: "Example".into(),
            ca_key: KeyKind::EcP256,
            unseal: UnsealSource::File(unseal.clone()),
            url: None,
            http,
            https,
            mdm,
            tls_names: Vec::new(),
            database: None,
        };
        let created = init(plan, SystemClock.now()).await.map_err(|e| chain(&e))?;
        open_renewal_window(&ca.join("templates/device-client.toml"))?;
        prepare_for_windows(&ca)?;
        let post_office = PostOffice::open().await.map_err(io)?;
        prepare_for_mail(&ca, post_office.address.port())?;
        let server = open(&ca, Unseal::File(unseal), Arc::new(SystemClock)).await.map_err(|e| chain(&e))?;
        let running = start(server).await.map_err(|e| chain(&e))?;
        let root = lanyard_agent::pki::pem::encode(lanyard_agent::pki::pem::CERTIFICATE, created.root.der()).into_bytes();
        Ok(Self { running, dir, fingerprint: created.root.fingerprint(), root, post_office, _temporary: temporary })
    }

    /// Address of plain HTTP.
    pub fn http(&self) -> std::net::SocketAddr {
        self.running.http
    }

    /// SCEP address.
    pub fn scep(&self) -> String {
        format!("http://{}/scep/default", self.running.http)
    }

    /// Base of the addresses for enrolment.
    pub fn https(&self) -> String {
        format!("https://localhost:{}", self.running.https.port())
    }

    /// The root, which a device has to trust before it can join.
    pub fn root_pem(&self) -> Vec<u8> {
        self.root.clone()
    }

    /// Where its mail goes.
    pub const fn post_office(&self) -> &PostOffice {
        &self.post_office
    }

    /// What an administrator calls.
    pub fn target(&self) -> Target {
        Target::dir(&self.dir.join("ca"))
    }

    /// SHA-256 of the root certificate, as devices are told out of band.
    pub const fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// The server itself, for what an administrator does.
    pub fn server(&self) -> &lanyard_server::state::Server {
        &self.running.server
    }

    /// A challenge for a device, as `lanyard challenge create` makes it.
    pub async fn challenge(&self, subject: &str, san: &str) -> Result<SecretText, String> {
        self.challenge_for("device-client", subject, san).await
    }

    /// The same for another template.
    pub async fn challenge_for(&self, template: &str, subject: &str, san: &str) -> Result<SecretText, String> {
        let order = Order {
            template: template.into(),
            subject: Some(subject.to_owned()),
            san: vec![san.to_owned()],
            key: Some("rsa:2048".into()),
            ..Order::default()
        };
        let (order, user, device) = parse(&order).map_err(|e| chain(&e))?;
        let made = challenge::create(self.server(), order, user, device, "admin:demo").await.map_err(|e| chain(&e))?;
        Ok(made.text)
    }

    /// The store of a device.
    pub fn device(&self, name: &str) -> Result<DeviceStore, String> {
        DeviceStore::open(&self.dir.join(name)).map_err(|e| e.to_string())
    }

    /// A folder beside those of the devices.
    pub fn folder(&self, name: &str) -> std::io::Result<PathBuf> {
        let path = self.dir.join(name);
        fs::create_dir(&path).map(|()| path)
    }

    /// Where everything is.
    pub fn addresses(&self) -> Vec<(&'static str, Option<String>)> {
        let http = format!("http://{}", self.running.http);
        vec![
            ("SCEP", Some(self.scep())),
            ("Root certificate", Some(format!("{http}/ca/root.pem"))),
            ("CRL", Some(format!("{http}/crl/issuing.crl"))),
            ("Health", Some(format!("{http}/healthz"))),
            ("Metrics", Some(format!("{http}/metrics"))),
            ("Portal", Some(format!("{}/portal", self.https()))),
            ("HTTPS", Some(format!("https://{}", self.running.https))),
            ("Directory", Some(format!("{} (try: lanyard cert list --dir {0}/ca)", self.dir.display()))),
        ]
    }

    /// Stops the server; a temporary directory is removed.
    pub async fn strike(self) {
        self.running.stop().await;
    }
}

/// A fresh certificate is renewed in the same minute here, so its window must be open from the start.
fn open_renewal_window(template: &Path) -> Result<(), String> {
    let text = fs::read_to_string(template).map_err(|e| e.to_string())?;
    let opened: Vec<String> = text
        .lines()
        .map(|line| if line.starts_with("renewal-window") { "renewal-window = \"365d\"".to_owned() } else { line.to_owned() })
        .collect();
    fs::write(template, opened.join("\n")).map_err(|e| e.to_string())
}

/// A template that a person approves, what devices get, and identities that may be renewed at once.
fn prepare_for_windows(ca: &Path) -> Result<(), String> {
    let read = |path: &Path| fs::read_to_string(path).map_err(|e| e.to_string());
    let write = |path: &Path, text: String| fs::write(path, text).map_err(|e| e.to_string());
    let held = read(&ca.join("templates/device-client.toml"))?;
    let held = held.replace("name = \"device-client\"", "name = \"held-client\"");
    write(&ca.join("templates/held-client.toml"), held.replace("approval = \"automatic\"", "approval = \"person\""))?;
    write(&ca.join("fleet/mdm.toml"), windows::POLICY.to_owned())?;
    let identity = ca.join("templates/mdm-identity.toml");
    let lines = [
        ("lifetime = \"365d\"", "lifetime = \"3d\""),
        ("backdate = \"1h\"", "backdate = \"1d\""),
        ("spread = \"23h\"", "spread = \"0s\""),
        ("renewal-window = \"120d\"", "renewal-window = \"3d\""),
    ];
    let text = lines.into_iter().fold(read(&identity)?, |text, (from, to)| text.replacen(from, to, 1));
    write(&identity, text)?;
    let config = ca.join("lanyard.toml");
    let lines = [
        ("renew-period = \"40d\"", "renew-period = \"1d\""),
        ("renew-spread = \"20d\"", "renew-spread = \"0s\""),
        ("retry-interval = \"4d\"", "retry-interval = \"1d\""),
    ];
    let text = lines.into_iter().fold(read(&config)?, |text, (from, to)| text.replacen(from, to, 1));
    write(&config, text)
}

/// A mail server on this machine.
fn prepare_for_mail(ca: &Path, port: u16) -> Result<(), String> {
    let config = ca.join("lanyard.toml");
    let text = fs::read_to_string(&config).map_err(|e| e.to_string())?;
    let section = format!(
        "[mail]\nserver = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\nfrom = \"Example PKI <pki@example.org>\"\n\n[listen]"
    );
    fs::write(&config, text.replacen("[listen]", &section, 1)).map_err(|e| e.to_string())
}

fn free_port() -> std::io::Result<std::net::SocketAddr> {
    std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()
}

//! Whole servers in this process: own data directory, port 0, a clock that tests turn.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use lanyard_model::{key::KeyKind, secret::SecretText, time::Span, time::Timestamp};
use lanyard_pki::certificate::Certificate;
use lanyard_server::{
    api::types::{Challenge, Order},
    clock::{Clock, ShiftedClock},
    init::{Plan, UnsealSource, init},
    serve::{self, Running, Unseal},
    state::Server,
};
use tempfile::TempDir;

use crate::{admin::Admin, temporary};

/// Organisation of every test installation.
pub const ORGANIZATION: &str = "Example";
/// Base address in its certificates; never contacted.
pub const URL: &str = "http://pki.example.org";

/// How a test installation is to be.
pub struct Builder {
    ca_key: KeyKind,
    config: Vec<(String, String)>,
    files: Vec<(String, String)>,
    database: Option<String>,
    /// Clock of init, moved before the start.
    clock: Arc<ShiftedClock>,
}

impl Default for Builder {
    fn default() -> Self {
        Self { ca_key: KeyKind::EcP256, config: Vec::new(), files: Vec::new(), database: None, clock: Arc::default() }
    }
}

/// A created installation that no server runs on.
pub struct Site {
    /// Everything of it; removed in the end.
    pub temp: TempDir,
    /// Data directory.
    pub dir: PathBuf,
    /// Key file.
    pub unseal: PathBuf,
    /// Root certificate.
    pub root: Certificate,
    /// Issuing CA certificate.
    pub issuing: Certificate,
}

/// A running server.
pub struct TestServer {
    /// Its installation.
    pub site: Site,
    /// Its clock.
    pub clock: Arc<ShiftedClock>,
    /// Its parts.
    pub server: Arc<Server>,
    /// Address of plain HTTP.
    pub http: SocketAddr,
    /// Address of HTTPS.
    pub https: SocketAddr,
    /// Address of HTTPS for managed devices.
    pub mdm: SocketAddr,
    /// Its administrator's socket.
    pub admin: Admin,
    running: Running,
}

impl Builder {
    /// Kind of the CA keys.
    #[must_use]
    pub const fn ca_key(mut self, kind: KeyKind) -> Self {
        self.ca_key = kind;
        self
    }

    /// Replaces a piece of the configuration file that `init` writes.
    #[must_use]
    pub fn config(mut self, from: &str, to: &str) -> Self {
        self.config.push((from.to_owned(), to.to_owned()));
        self
    }

    /// Keeps its data in a PostgreSQL database, which must be empty.
    #[must_use]
    pub fn database(mut self, url: String) -> Self {
        self.database = Some(url);
        self
    }

    /// Adds a file to the data directory before the start, such as `templates/held.toml`.
    #[must_use]
    pub fn file(mut self, path: &str, text: impl Into<String>) -> Self {
        self.files.push((path.to_owned(), text.into()));
        self
    }

    /// Adds a template: a built-in one under another name and with some pieces replaced.
    #[must_use]
    pub fn template(self, from: &str, name: &str, changes: &[(&str, &str)]) -> Self {
        let text = derive(&builtin_template(from), from, name, changes);
        self.file(&format!("templates/{name}.toml"), text)
    }

    /// Adds a profile: a built-in one under another name and with some pieces replaced.
    #[must_use]
    pub fn profile(self, from: &str, name: &str, changes: &[(&str, &str)]) -> Self {
        let text = lanyard_ra::profile::builtin().iter().find(|(file, _)| *file == format!("{from}.toml"));
        let text = derive(text.expect("a built-in profile").1, from, name, changes);
        self.file(&format!("profiles/{name}.toml"), text)
    }

    /// Creates the installation.
    ///
    /// # Panics
    /// When that fails.
    pub async fn create(self) -> (Site, Arc<ShiftedClock>) {
        let temp = temporary::folder("test");
        let (dir, unseal) = (temp.path().join("data"), temp.path().join("unseal.key"));
        let any = "127.0.0.1:0".parse().unwrap();
        let plan = Plan {
            dir: dir.clone(),
            organization: ORGANIZATION.into(),
            ca_key: self.ca_key,
            unseal: UnsealSource::File(unseal.clone()),
            url: Some(URL.into()),
            http: any,
            https: any,
            mdm: any,
            tls_names: Vec::new(),
            database: self.database.map(SecretText::new),
        };
        let created = init(plan, self.clock.now()).await.expect("init");
        let path = dir.join("lanyard.toml");
        let mut text = fs::read_to_string(&path).unwrap();
        for (from, to) in &self.config {
            assert!(text.contains(from), "the configuration has no {from}");
            text = text.replace(from, to);
        }
        fs::write(&path, text).unwrap();
        for (name, text) in &self.files {
            let path = dir.join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        (Site { temp, dir, unseal, root: created.root, issuing: created.issuing }, self.clock)
    }

    /// Creates the installation and starts a server on it.
    ///
    /// # Panics
    /// When that fails.
    pub async fn start(self) -> TestServer {
        let (site, clock) = self.create().await;
        TestServer::on(site, clock).await
    }
}

/// Text of a built-in template.
///
/// # Panics
/// When there is none of that name.
#[must_use]
pub fn builtin_template(name: &str) -> String {
    let found = lanyard_ra::template::builtin().iter().find(|(file, _)| *file == format!("{name}.toml"));
    found.unwrap_or_else(|| panic!("no template {name}")).1.to_owned()
}

fn derive(text: &str, from: &str, name: &str, changes: &[(&str, &str)]) -> String {
    let mut text = text.replace(&format!("name = \"{from}\""), &format!("name = \"{name}\""));
    for (from, to) in changes {
        assert!(text.contains(from), "there is no {from} to replace");
        text = text.replace(from, to);
    }
    text
}

impl TestServer {
    /// How to make a server that differs from the default.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A default server.
    pub async fn start() -> Self {
        Builder::default().start().await
    }

    /// A server on an installation.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn on(site: Site, clock: Arc<ShiftedClock>) -> Self {
        let shared: Arc<dyn Clock> = Arc::<ShiftedClock>::clone(&clock);
        let server = serve::open(&site.dir, Unseal::File(site.unseal.clone()), shared).await.expect("open");
        let running = serve::start(Arc::clone(&server)).await.expect("start");
        let (http, https, mdm) = (running.http, running.https, running.mdm.expect("a listener for managed devices"));
        Self { admin: Admin::of(&site.dir), site, clock, server, http, https, mdm, running }
    }

    /// Another node on the same directory and clock; its database must be one that nodes share.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn further(&self) -> Running {
        let shared: Arc<dyn Clock> = Arc::<ShiftedClock>::clone(&self.clock);
        let server = serve::open(&self.site.dir, Unseal::File(self.site.unseal.clone()), shared).await.expect("open");
        serve::start(server).await.expect("start")
    }

    /// Stops in an orderly way.
    pub async fn stop(self) -> (Site, Arc<ShiftedClock>) {
        self.running.stop().await;
        (self.site, self.clock)
    }

    /// Stops and starts again.
    pub async fn restart(self) -> Self {
        let (site, clock) = self.stop().await;
        Self::on(site, clock).await
    }

    /// The present of the server.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets time pass.
    pub fn advance(&self, span: Span) {
        self.clock.advance(span);
    }

    /// A challenge of template wifi for a device of this name in [`ORGANIZATION`].
    pub async fn challenge(&self, name: &str) -> Challenge {
        self.admin.challenge(&order("wifi", name)).await
    }

    /// SCEP URL of a profile.
    #[must_use]
    pub fn scep_url(&self, profile: &str) -> String {
        format!("http://{}/scep/{profile}", self.http)
    }

    /// Data directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.site.dir
    }
}

/// An order of `CN=name` in [`ORGANIZATION`].
#[must_use]
pub fn order(template: &str, name: &str) -> Order {
    Order { template: template.into(), subject: Some(subject(name)), ..Order::default() }
}

/// `CN=name` in [`ORGANIZATION`].
#[must_use]
pub fn subject(name: &str) -> String {
    format!("CN={name},O={ORGANIZATION}")
}

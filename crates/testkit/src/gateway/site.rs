//! A gateway with a folder of its own, on port 0.

use std::{fs, net::SocketAddr, os::unix::fs::PermissionsExt, path::Path};

use lanyard_gateway::{
    clock::Clock,
    run::{Running, start},
};
use tempfile::TempDir;

use super::{
    client::Client,
    pki::{Authority, Identity, server},
};
use crate::temporary;

/// Hosts in the certificate of every test gateway.
pub const HOSTS: [&str; 8] = [
    "basic.example.org",
    "certificate.example.org",
    "both.example.org",
    "else.example.org",
    "none.example.org",
    "mail.example.org",
    "other.example.org",
    "autodiscover.example.org",
];

/// Argon2id of `alicepw` and `bobpw`, with the least work.
const HASHES: [(&str, &str); 2] = [("alice", "alicepw"), ("bob", "bobpw")];

/// What a gateway is to be.
pub struct Builder {
    /// Its folder.
    pub folder: TempDir,
    /// The authority of its server certificate.
    pub root: Authority,
    /// The authority whose client certificates count.
    pub authority: Authority,
    head: String,
    text: String,
}

/// A running gateway.
pub struct TestGateway {
    /// Its folder, with `gateway.toml`.
    pub folder: TempDir,
    /// The authority of its server certificate.
    pub root: Authority,
    /// The authority whose client certificates count.
    pub authority: Authority,
    /// Its address.
    pub address: SocketAddr,
    /// Its clock.
    pub clock: Clock,
    /// It.
    pub running: Running,
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// One with server certificate, a trust `staff` that may vouch for names, and accounts `people` with alice and bob.
    ///
    /// # Panics
    /// When files cannot be written.
    #[must_use]
    pub fn new() -> Self {
        let folder = temporary::folder("gateway");
        let (root, authority) = (Authority::root("CN=Web Root,O=Example"), Authority::root("CN=Client Root,O=Example"));
        let identity = root.issue(&server(&HOSTS));
        let builder = Self { folder, root, authority, head: String::new(), text: String::new() };
        builder.file("server.pem", identity.pem());
        builder.file("server.key", identity.key.pem());
        builder.file("clients.pem", builder.authority.pem());
        builder.file("root.pem", builder.root.pem());
        builder.file("users.toml", users());
        builder
    }

    /// Writes a file into the folder, for its owner only.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn file(&self, name: &str, contents: impl AsRef<[u8]>) {
        write(self.folder.path(), name, contents.as_ref());
    }

    /// Adds top-level keys.
    #[must_use]
    pub fn head(mut self, text: &str) -> Self {
        self.head.push_str(text);
        self.head.push('\n');
        self
    }

    /// Adds sections.
    #[must_use]
    pub fn sections(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self.text.push('\n');
        self
    }

    /// The text of the configuration.
    #[must_use]
    pub fn text(&self) -> String {
        let own_trust = if self.text.contains("name = \"staff\"") {
            ""
        } else {
            "[[trust]]\nname = \"staff\"\nca-file = \"clients.pem\"\nvouches-for-names = true\n"
        };
        format!(
            "listen = [\"127.0.0.1:0\"]\n{}\n[[certificate]]\nchain-file = \"server.pem\"\nkey-file = \"server.key\"\n\n{own_trust}\n\
             [[accounts]]\nname = \"people\"\nkind = \"file\"\nfile = \"users.toml\"\n\n{}",
            self.head, self.text
        )
    }

    /// Starts it.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(self) -> TestGateway {
        self.file("gateway.toml", self.text());
        let clock = Clock::default();
        let running = start(&self.folder.path().join("gateway.toml"), clock.clone()).await.unwrap_or_else(|e| panic!("{e}"));
        let address = running.https[0];
        TestGateway { folder: self.folder, root: self.root, authority: self.authority, address, clock, running }
    }
}

impl TestGateway {
    /// A client that shows this certificate.
    #[must_use]
    pub fn client(&self, identity: Option<&Identity>) -> Client {
        Client::new(self.address, &self.root, identity)
    }

    /// Changes the configuration and has it read again.
    ///
    /// # Errors
    /// What the gateway says about it.
    ///
    /// # Panics
    /// When there is nothing like it in the file.
    pub fn change(&self, from: &str, to: &str) -> Result<(), String> {
        let path = self.folder.path().join("gateway.toml");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "the configuration has no {from}");
        fs::write(&path, text.replace(from, to)).unwrap();
        self.running.gateway.reload().map_err(|e| e.to_string())
    }

    /// Writes a file into its folder.
    pub fn file(&self, name: &str, contents: impl AsRef<[u8]>) {
        write(self.folder.path(), name, contents.as_ref());
    }

    /// How many requests of an application had this outcome.
    #[must_use]
    pub fn count(&self, application: &str, code: &str) -> u64 {
        let rules = self.running.gateway.rules();
        let found = rules.applications.iter().find(|a| a.name == application);
        found.and_then(|a| a.counts().get(code).copied()).unwrap_or_default()
    }
}

fn write(folder: &Path, name: &str, contents: &[u8]) {
    let path = folder.join(name);
    fs::write(&path, contents).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// The file of alice and bob.
#[must_use]
pub fn users() -> String {
    HASHES
        .iter()
        .map(|(name, password)| {
            format!(
                "[[user]]\nname = \"{name}\"\nupn = \"{name}@corp.test\"\nemail = \"{name}@example.org\"\npassword-hash = \"{}\"\n\n",
                lanyard_gateway::account::file::hash(password)
            )
        })
        .collect()
}

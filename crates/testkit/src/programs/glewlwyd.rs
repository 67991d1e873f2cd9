//! Glewlwyd, an OpenID Connect provider, on loopback: with one client, one user, and the browser in which that user signs in.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
};

use lanyard_pki::pem;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{program, run};
use crate::{keys::rsa, oidc::certificate, wait::until};

/// Name of the client.
pub const CLIENT_ID: &str = "lanyard";
/// Its secret.
pub const CLIENT_SECRET: &str = "JXKrvFCzWfTYNbnSgQEm";
/// The user.
pub const USER: &str = "user1";
/// Their password.
pub const PASSWORD: &str = "open sesame 42";
/// Its pages, and what Debian's package has for the one file that stands elsewhere.
const PAGES: &str = "/usr/share/glewlwyd/webapp";
const PAGES_CONFIG: &str = "/usr/share/glewlwyd/templates/config.json";
/// What the package's database begins with.
const TABLES: &str = "/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3";

/// A running provider; it ends with this value.
pub struct Glewlwyd {
    folder: TempDir,
    base: String,
    _child: Child,
}

impl Glewlwyd {
    /// A provider that sends people back to this address.
    ///
    /// # Panics
    /// When it does not start or refuses its configuration.
    pub async fn start(redirect_uri: &str) -> Self {
        let binary = program("glewlwyd", "glewlwyd");
        let folder = tempfile::Builder::new().prefix("lanyard-glewlwyd-").tempdir().unwrap();
        let (tls, key) = certificate(folder.path()).await;
        let database = folder.path().join("database");
        let tables = format!(".read {TABLES}");
        run(Command::new(program("sqlite3", "sqlite3")).arg(&database).arg(tables)).await.good();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let base = format!("https://localhost:{port}");
        let text = format!(
            "port={port}\nbind_address=\"127.0.0.1\"\nexternal_url=\"{base}\"\nlogin_url=\"login.html\"\napi_prefix=\"api\"\n\
             log_mode=\"console\"\nlog_level=\"INFO\"\nsession_key=\"GLEWLWYD2_SESSION_ID\"\nadmin_scope=\"g_admin\"\n\
             profile_scope=\"g_profile\"\nuser_module_path=\"/usr/lib/glewlwyd/user\"\n\
             client_module_path=\"/usr/lib/glewlwyd/client\"\nuser_auth_scheme_module_path=\"/usr/lib/glewlwyd/scheme\"\n\
             plugin_module_path=\"/usr/lib/glewlwyd/plugin\"\nuse_secure_connection=true\n\
             secure_connection_key_file=\"{}\"\nsecure_connection_pem_file=\"{}\"\nhash_algorithm=\"SHA512\"\n\
             database = {{ type=\"sqlite3\"; path=\"{}\"; }};\n",
            key.display(),
            tls.display(),
            database.display()
        );
        let config = folder.path().join("glewlwyd.conf");
        fs::write(&config, text + &pages(folder.path(), &base).await).unwrap();
        let log = folder.path().join("log");
        let file = fs::File::create(&log).unwrap();
        let mut command = Command::new(binary);
        command.arg("-c").arg(&config).stdin(Stdio::null()).stderr(file.try_clone().unwrap()).stdout(file).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        until("the provider to listen", || {
            let ended = child.try_wait().unwrap();
            let text = fs::read_to_string(&log).unwrap_or_default();
            assert!(ended.is_none(), "the provider ended: {text}");
            let ready = text.contains("Glewlwyd started on port").then_some(());
            async move { ready }
        })
        .await;
        let provider = Self { folder, base, _child: child };
        provider.configure(redirect_uri).await;
        provider
    }

    /// Its issuer.
    #[must_use]
    pub fn issuer(&self) -> String {
        format!("{}/api/oidc", self.base)
    }

    /// Its certificate, PEM.
    ///
    /// # Panics
    /// When it is gone.
    #[must_use]
    pub fn certificate(&self) -> String {
        fs::read_to_string(self.folder.path().join("tls.pem")).unwrap()
    }

    /// The user opens this address, signs in and agrees: where they are sent.
    ///
    /// # Panics
    /// When they are sent nowhere.
    pub async fn visit(&self, location: &str) -> String {
        assert!(location.starts_with(&self.issuer()) || location.starts_with(&self.base), "{location}");
        self.call("user", "POST", "auth/", &json!({ "username": USER, "password": PASSWORD })).await;
        self.call("user", "PUT", &format!("auth/grant/{CLIENT_ID}"), &json!({ "scope": "openid" })).await;
        // The page of the provider adds this when the person has agreed to everything.
        let mut command = self.curl("user");
        let answer = run(command.args(["-o", "/dev/null", "-w", "%{redirect_url}"]).arg(format!("{location}&g_continue"))).await;
        let sent = answer.good();
        assert!(!sent.is_empty(), "the provider sends nobody back");
        sent
    }

    async fn configure(&self, redirect_uri: &str) {
        let key = rsa(crate::oidc::KEY);
        self.call("admin", "POST", "auth/", &json!({ "username": "admin", "password": "password" })).await;
        let plugin = json!({
            "module": "oidc", "name": "oidc", "display_name": "OpenID Connect", "enabled": true,
            "parameters": {
                "iss": self.issuer(), "jwt-type": "rsa", "jwt-key-size": "256", "key": key.pem(),
                "cert": pem::encode("PUBLIC KEY", &key.public().spki), "default-kid": "key-1",
                "access-token-duration": 600, "refresh-token-duration": 600, "code-duration": 60,
                "allow-non-oidc": false, "auth-type-code-enabled": true, "auth-type-id-token-enabled": true,
                "pkce-allowed": true, "pkce-required": true, "jwks-show": true, "subject-type": "public",
                "oidc-scope": ["openid"],
                "claims": [{
                    "name": "preferred_username", "user-property": "username", "type": "string", "mandatory": true, "scope": []
                }],
            },
        });
        self.call("admin", "POST", "mod/plugin/", &plugin).await;
        let client = json!({
            "client_id": CLIENT_ID, "name": "Lanyard", "client_secret": CLIENT_SECRET, "confidential": true, "enabled": true,
            "redirect_uri": [redirect_uri], "authorization_type": ["code"],
            "token_endpoint_auth_method": ["client_secret_basic"], "scope": [],
        });
        self.call("admin", "POST", "client/", &client).await;
        let user = json!({
            "username": USER, "password": PASSWORD, "name": "User One", "enabled": true, "scope": ["openid", "g_profile"],
        });
        self.call("admin", "POST", "user/", &user).await;
    }

    /// A browser whose cookies last.
    fn curl(&self, who: &str) -> Command {
        let jar: PathBuf = self.folder.path().join(format!("{who}.cookies"));
        let mut command = Command::new(program("curl", "curl"));
        command.args(["--silent", "--show-error", "--cacert"]).arg(self.folder.path().join("tls.pem"));
        command.arg("--cookie").arg(&jar).arg("--cookie-jar").arg(&jar);
        command
    }

    async fn call(&self, who: &str, method: &str, path: &str, body: &Value) {
        let mut command = self.curl(who);
        command.args(["--fail-with-body", "-X", method, "-H", "Content-Type: application/json", "--data", &body.to_string()]);
        run(command.arg(format!("{}/api/{path}", self.base))).await.good();
    }
}

/// The provider's own pages, for a browser; what its configuration says of them.
async fn pages(folder: &Path, base: &str) -> String {
    let here = folder.join("pages");
    run(Command::new("cp").args(["-rL", PAGES]).arg(&here)).await.good();
    // QUIRK(Debian's glewlwyd 2.7.5): the link leads to a folder.
    let config: Value =
        serde_json::from_str(&fs::read_to_string(PAGES_CONFIG).expect("apt-get install glewlwyd-common")).unwrap();
    let mut config = config;
    config["GlewlwydUrl"] = json!(format!("{base}/"));
    config["ProfileUrl"] = json!(format!("{base}/profile.html"));
    let _ = fs::remove_dir_all(here.join("config.json"));
    fs::write(here.join("config.json"), config.to_string()).unwrap();
    let types = [("html", "text/html"), ("css", "text/css"), ("js", "application/javascript"), ("json", "application/json")];
    let types: Vec<String> =
        types.iter().map(|(end, kind)| format!("{{ extension = \".{end}\"; mime_type = \"{kind}\" }}")).collect();
    format!("static_files_path=\"{}/\"\nstatic_files_mime_types = ( {} )\n", here.display(), types.join(", "))
}

//! Exim, a mail server, on loopback: takes mail for example.org from whoever signs in over TLS, and keeps it in a folder.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::Stdio,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::program;
use crate::{oidc::certificate, wait::until};

/// Name to sign in with.
pub const USER: &str = "lanyard";
/// Password.
pub const PASSWORD: &str = "mail sesame 17";

/// A running mail server; it ends with this value.
pub struct Exim {
    folder: TempDir,
    /// Port.
    pub port: u16,
    /// Its certificate, PEM.
    pub certificate: String,
    _child: Child,
}

/// A mail as it arrived.
#[derive(Debug, Clone)]
pub struct Received {
    /// Everything.
    pub text: String,
}

impl Exim {
    /// Starts one that takes no attachment whose name ends so.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(blocked: &[&str]) -> Self {
        let binary = program("exim4", "exim4-daemon-light");
        let folder = tempfile::Builder::new().prefix("lanyard-exim-").tempdir().unwrap();
        // It works under a user of its own.
        for name in ["", "spool", "log", "mail"] {
            let path = folder.path().join(name);
            fs::create_dir_all(&path).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        }
        let (tls, key) = certificate(folder.path()).await;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let here = folder.path().display();
        let endings = if blocked.is_empty() { "nothing-at-all".to_owned() } else { blocked.join("|") };
        let text = format!(
            "spool_directory = {here}/spool\nlog_file_path = {here}/log/%slog\npid_file_path = {here}/pid\n\
             daemon_smtp_ports = {port}\nlocal_interfaces = 127.0.0.1\nprimary_hostname = mail.example.org\n\
             tls_certificate = {}\ntls_privatekey = {}\ntls_advertise_hosts = *\n\
             auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}\nhost_lookup =\nrfc1413_query_timeout = 0s\n\
             never_users =\nkeep_environment =\nmessage_body_visible = 500000\nacl_smtp_rcpt = rcpt\nacl_smtp_data = data\n\
             begin acl\nrcpt:\n  deny message = sign in first\n       !authenticated = *\n  accept domains = example.org\n\
             \x20 deny message = relay not permitted\ndata:\n  deny message = this kind of attachment is blocked\n\
             \x20      condition = ${{if match{{$message_body}}{{\\N(?i)name=\"?[^\"]*\\.({endings})\\b\\N}}}}\n  accept\n\
             begin routers\nall:\n  driver = accept\n  transport = folder\nbegin transports\nfolder:\n  driver = appendfile\n\
             \x20 directory = {here}/mail\n  maildir_format\n  user = {}\n  envelope_to_add\nbegin authenticators\nplain:\n  driver = plaintext\n\
             \x20 public_name = PLAIN\n  server_prompts = :\n  server_set_id = $auth2\n\
             \x20 server_condition = ${{if and{{{{eq{{$auth2}}{{{USER}}}}}{{eq{{$auth3}}{{{PASSWORD}}}}}}}}}\n",
            tls.display(),
            key.display(),
            user().await,
        );
        let config = folder.path().join("exim.conf");
        fs::write(&config, text).unwrap();
        fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).unwrap();
        let log = fs::File::create(folder.path().join("stderr")).unwrap();
        let mut command = Command::new(binary);
        command.arg("-C").arg(&config).args(["-bdf", "-q1h"]).stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let told = folder.path().join("stderr");
        until("the mail server to listen", || {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "the mail server ended: {}", fs::read_to_string(&told).unwrap_or_default());
            async move { tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok().map(drop) }
        })
        .await;
        Self { certificate: fs::read_to_string(tls).unwrap(), folder, port, _child: child }
    }

    /// The section of a configuration that uses it; the files are `mail.pem` and `mail.secret`.
    #[must_use]
    pub fn section(&self) -> String {
        format!(
            "[mail]\nserver = \"localhost\"\nport = {}\nca-file = \"mail.pem\"\nfrom = \"Example PKI <pki@example.org>\"\nuser-name = \
             \"{USER}\"\npassword-file = \"mail.secret\"\n",
            self.port
        )
    }

    /// Waits for so many mails, oldest first.
    ///
    /// # Panics
    /// When there are not as many in time.
    pub async fn mails(&self, count: usize) -> Vec<Received> {
        let new = self.folder.path().join("mail/new");
        until("mail", || {
            let files = files(&new);
            async move { (files.len() >= count).then_some(()) }
        })
        .await;
        files(&new).into_iter().map(|path| Received { text: fs::read_to_string(path).unwrap() }).collect()
    }
}

fn files(folder: &std::path::Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort_by_key(|path| fs::metadata(path).and_then(|meta| meta.modified()).unwrap());
    files
}

/// The user that may write mail: the package's own where this is root, else whoever this is.
async fn user() -> String {
    let mut command = Command::new("id");
    let name = super::run(command.arg("-un")).await.good().trim().to_owned();
    if name == "root" { "Debian-exim".to_owned() } else { name }
}

impl Received {
    /// The text of the first part, unfolded.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn body(&self) -> String {
        let part = self.parts().into_iter().next().unwrap_or_else(|| panic!("no parts: {}", self.text));
        String::from_utf8(part.1).unwrap()
    }

    /// Head and octets of each part.
    ///
    /// # Panics
    /// When it is not in parts.
    #[must_use]
    pub fn parts(&self) -> Vec<(String, Vec<u8>)> {
        let text = self.text.replace("\r\n", "\n");
        let boundary = text.split("boundary=\"").nth(1).expect("parts").split('"').next().unwrap();
        let boundary = format!("--{boundary}");
        let parts = text.split(&boundary).skip(1).filter(|part| !part.starts_with("--"));
        let parts = parts.map(|part| {
            let (head, body) = part.split_once("\n\n").unwrap();
            let lower = head.to_ascii_lowercase();
            let octets = if lower.contains("base64") {
                STANDARD.decode(body.split_whitespace().collect::<String>()).unwrap()
            } else if lower.contains("quoted-printable") {
                unquoted(body)
            } else {
                body.as_bytes().to_vec()
            };
            (head.to_owned(), octets)
        });
        parts.collect()
    }

    /// The first attachment: its name and octets.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn attachment(&self) -> (String, Vec<u8>) {
        let found = self.parts().into_iter().find(|(head, _)| head.contains("filename="));
        let (head, octets) = found.unwrap_or_else(|| panic!("no attachment: {}", self.text));
        (head.split("filename=\"").nth(1).unwrap().split('"').next().unwrap().to_owned(), octets)
    }
}

fn unquoted(text: &str) -> Vec<u8> {
    let joined = text.replace("=\n", "");
    let (mut out, mut rest) = (Vec::new(), joined.as_bytes());
    while let Some((first, more)) = rest.split_first() {
        if *first == b'=' && more.len() >= 2 {
            out.push(u8::from_str_radix(std::str::from_utf8(&more[..2]).unwrap(), 16).unwrap());
            rest = &more[2..];
        } else {
            out.push(*first);
            rest = more;
        }
    }
    out
}

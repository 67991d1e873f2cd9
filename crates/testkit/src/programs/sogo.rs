//! SOGo with ActiveSync on loopback, in front of a mail server and a database of its own. It believes the name in `x-webobjects-remote-user`, as it
//! does behind a gateway.
//!
//! SOGo reads one configuration file, whose path cannot be changed: it gets a view of the file system in which that file is ours. That takes
//! root, and leaves the machine's own file alone.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
    process::Stdio,
};

use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{postgres::Postgres, program};
use crate::{temporary, wait::until};

/// Path of ActiveSync at SOGo.
pub const PATH: &str = "/SOGo/Microsoft-Server-ActiveSync";

/// A running SOGo; it ends with this value.
pub struct Sogo {
    /// Where it listens.
    pub address: SocketAddr,
    folder: TempDir,
    children: Vec<Child>,
}

impl Drop for Sogo {
    fn drop(&mut self) {
        for child in &mut self.children {
            if let Some(id) = child.id() {
                // Each leads a group of its own: workers go with their master.
                let _ = std::process::Command::new("sh").args(["-c", &format!("kill -KILL -{id}")]).output();
            }
        }
    }
}

impl Sogo {
    /// One with these users, each with the password `<name>pw`.
    ///
    /// # Panics
    /// When a package is absent, somebody else than root runs the test, or it does not start.
    pub async fn start(users: &[&str]) -> Self {
        let (postgres, url) = tokio::task::spawn_blocking(|| {
            let postgres = Postgres::shared();
            (postgres, postgres.database())
        })
        .await
        .unwrap();
        let name = url.rsplit('/').next().unwrap().to_owned();
        let rows: Vec<String> = users.iter().map(|u| format!("('{u}','{u}','{u}pw','{u} Example','{u}@corp.test')")).collect();
        let statements = format!(
            "create table sogo_users (c_uid varchar(64) primary key, c_name varchar(64), c_password varchar(128), c_cn varchar(128), mail varchar(128)); \
             insert into sogo_users values {}",
            rows.join(",")
        );
        tokio::task::spawn_blocking(move || postgres.sql(&name, &statements)).await.unwrap();
        let folder = temporary::folder("sogo");
        let path = folder.path();
        fs::set_permissions(path, fs::Permissions::from_mode(0o711)).unwrap();
        let (sogo, mail) = (account("sogo"), account("mail"));
        for (name, (user, group)) in [("run", sogo), ("spool", sogo), ("home", sogo), ("mail", mail), ("dove", (0, 0))] {
            fs::create_dir(path.join(name)).unwrap();
            chown(path.join(name), Some(user), Some(group)).expect("root runs this test");
        }
        let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let (port, imap, memcached) = (free(), free(), free());
        fs::write(path.join("dovecot.conf"), dovecot(path, imap)).unwrap();
        let database = url.replace("postgres://postgres@", "postgresql://postgres:x@");
        fs::write(path.join("sogo.conf"), configuration(path, &database, [port, imap, memcached])).unwrap();
        fs::set_permissions(path.join("sogo.conf"), fs::Permissions::from_mode(0o644)).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut started = Self { address, folder, children: Vec::new() };
        let mut cache = Command::new(program("memcached", "memcached"));
        started.run(cache.args(["-u", "nobody", "-l", "127.0.0.1", "-m", "32", "-p", &memcached.to_string()]));
        let mut dovecot = Command::new(program("dovecot", "dovecot-imapd"));
        started.run(dovecot.args(["-F", "-c", "dovecot.conf"]));
        let sogod = program("sogod", "sogo").display().to_string();
        assert!(
            Path::new("/usr/lib/GNUstep/SOGo/ActiveSync.SOGo").exists(),
            "ActiveSync is needed: apt-get install sogo-activesync"
        );
        let script = "mount --bind \"$1/sogo.conf\" /etc/sogo/sogo.conf && setpriv --reuid sogo --regid sogo --clear-groups \
                      env HOME=\"$1/home\" \"$2\" -WONoDetach YES; sleep infinity";
        let mut command = Command::new(program("unshare", "util-linux"));
        let folder = started.folder.path().display().to_string();
        // A name space of processes too: when its first one ends, all of them do, also the server, which goes its own way.
        started.run(command.args([
            "-m",
            "-p",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "sh",
            "-c",
            script,
            "sogo",
            &folder,
            &sogod,
        ]));
        // Its workers race for making the tables, and whoever loses fails at the first request.
        let fields = format!("x-webobjects-remote-user: {}\r\n", users[0]);
        let up = || {
            let fields = fields.clone();
            async move {
                let answer = crate::http::request(address, "OPTIONS", PATH, &fields, &[]).await.ok()?;
                (answer.status == 200).then_some(())
            }
        };
        until("SOGo to answer", up).await;
        started
    }

    fn run(&mut self, command: &mut Command) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        command.current_dir(self.folder.path()).process_group(0).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.children.push(command.spawn().unwrap());
    }

    /// What its programs have written.
    #[must_use]
    pub fn logged(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// User and group of a name.
fn account(name: &str) -> (u32, u32) {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let line = users.lines().find(|line| line.starts_with(&format!("{name}:")));
    let mut fields = line.unwrap_or_else(|| panic!("there is no user {name}: apt-get install sogo")).split(':').skip(2);
    let mut number = || fields.next().and_then(|field| field.parse().ok()).expect("a number");
    (number(), number())
}

fn dovecot(path: &Path, port: u16) -> String {
    let path = path.display();
    format!(
        "base_dir = {path}/dove/run\nlog_path = /dev/stderr\nprotocols = imap\nlisten = 127.0.0.1\nssl = no\ndisable_plaintext_auth = no\n\
         mail_location = maildir:{path}/mail/%n\nfirst_valid_uid = 1\nnamespace inbox {{\n  inbox = yes\n  separator = /\n}}\n\
         service imap-login {{\n  inet_listener imap {{\n    address = 127.0.0.1\n    port = {port}\n  }}\n  inet_listener imaps {{\n    port = 0\n  }}\n}}\n\
         passdb {{\n  driver = static\n  args = nopassword=y\n}}\nuserdb {{\n  driver = static\n  args = uid=mail gid=mail home={path}/mail/%n\n}}\n"
    )
}

fn configuration(path: &Path, database: &str, [port, imap, memcached]: [u16; 3]) -> String {
    let path = path.display();
    format!(
        r#"{{
  WOPort = "127.0.0.1:{port}";
  WOWorkersCount = 4;
  WOListenQueueSize = 64;
  WOWatchDogRequestTimeout = 62;
  WOPidFile = "{path}/run/sogo.pid";
  WOLogFile = "-";
  SOGoMailSpoolPath = "{path}/spool";
  SOGoMemcachedHost = "127.0.0.1:{memcached}";
  SOGoProfileURL = "{database}/sogo_user_profile";
  OCSFolderInfoURL = "{database}/sogo_folder_info";
  OCSSessionsFolderURL = "{database}/sogo_sessions_folder";
  OCSEMailAlarmsFolderURL = "{database}/sogo_alarms_folder";
  OCSStoreURL = "{database}/sogo_store";
  OCSAclURL = "{database}/sogo_acl";
  OCSCacheFolderURL = "{database}/sogo_cache_folder";
  SOGoUserSources = ({{
    type = sql; id = users; canAuthenticate = YES; isAddressBook = YES; displayName = "Users";
    viewURL = "{database}/sogo_users"; userPasswordAlgorithm = plain;
  }});
  SOGoTrustProxyAuthentication = YES;
  SOGoIMAPServer = "imap://127.0.0.1:{imap}";
  SOGoMailingMechanism = smtp;
  SOGoSMTPServer = "smtp://127.0.0.1:9";
  SOGoMailDomain = "corp.test";
  SOGoTimeZone = UTC;
  SOGoMaximumPingInterval = 3540;
  SOGoMaximumSyncInterval = 3540;
  SOGoInternalSyncInterval = 10;
}}
"#
    )
}

//! A domain controller of Samba's: Active Directory as LDAP sees it, on an address of loopback of its own. It needs root, for its ports and for
//! extended attributes.

use std::{fs, net::Ipv4Addr, process::Stdio};

use lanyard_pki::crypto::random::random;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{program, run};
use crate::{temporary, wait::until};

/// Base of the directory.
pub const BASE: &str = "DC=corp,DC=test";
/// Account that may read, and its password.
pub const READER: (&str, &str) = ("CN=svc-gw,CN=Users,DC=corp,DC=test", "Gw.svc.pw1");

/// A running domain controller; it ends with this value.
pub struct Samba {
    /// Its address; LDAP at 389 and 636.
    pub address: Ipv4Addr,
    folder: TempDir,
    _child: Child,
}

/// The password of a user.
#[must_use]
pub fn password(user: &str) -> String {
    format!("Us3r.pw.{user}")
}

impl Samba {
    /// The domain CORP (corp.test) with these users.
    ///
    /// # Panics
    /// When a package is absent, somebody else than root runs the test, or it does not start.
    pub async fn start(users: &[&str]) -> Self {
        let folder = temporary::folder("samba");
        let [a, b, c]: [u8; 3] = random().unwrap();
        let address = Ipv4Addr::new(127, a.max(1), b, c.clamp(1, 254));
        let path = folder.path().display().to_string();
        let mut provision = Command::new(program("samba-tool", "samba-ad-provision"));
        provision.args(["domain", "provision", "--realm=CORP.TEST", "--domain=CORP", "--server-role=dc", "--dns-backend=NONE"]);
        provision.args(["--adminpass=Passw0rd.1", "--host-name=dc1", &format!("--host-ip={address}")]);
        provision.args([format!("--targetdir={path}/ad"), format!("--option=interfaces={address}/8")]);
        run(provision.args(["--option=bind interfaces only=yes"]).current_dir(folder.path())).await.good();
        for name in ["log", "run", "ncalrpc", "cache"] {
            fs::create_dir_all(folder.path().join("ad").join(name)).unwrap();
        }
        let mut certificate = Command::new(program("openssl", "openssl"));
        certificate.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]);
        certificate.args(["-subj", "/CN=dc1", "-addext", &format!("subjectAltName=IP:{address}")]);
        certificate.args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "dc.key", "-out", "dc.pem"]);
        run(certificate.current_dir(folder.path())).await.good();
        fs::write(folder.path().join("ad/etc/smb.conf"), configuration(&path, address)).unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(program("samba", "samba-ad-dc"));
        command.args(["--foreground", "--no-process-group", "-M", "single", "-s", &format!("{path}/ad/etc/smb.conf")]);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).kill_on_drop(true);
        let child = command.spawn().unwrap();
        let up = || async move { tokio::net::TcpStream::connect((address, 636)).await.ok() };
        until("Samba to listen", up).await;
        let samba = Self { address, folder, _child: child };
        samba.tool(&["user", "create", "svc-gw", READER.1]).await;
        for user in users {
            samba.tool(&["user", "create", user, &password(user), &format!("--mail-address={user}@corp.test")]).await;
        }
        samba
    }

    /// Runs `samba-tool` on it.
    ///
    /// # Panics
    /// When it fails.
    pub async fn tool(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(program("samba-tool", "samba-ad-provision"));
        command.args(arguments).arg("-s").arg(self.folder.path().join("ad/etc/smb.conf"));
        run(&mut command).await.good()
    }

    /// Replaces an attribute of a user.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn set(&self, user: &str, attribute: &str, value: &str) {
        let file = self.folder.path().join("change.ldif");
        let dn = format!("CN={user},CN=Users,{BASE}");
        fs::write(&file, format!("dn: {dn}\nchangetype: modify\nreplace: {attribute}\n{attribute}: {value}\n")).unwrap();
        let mut command = Command::new(program("ldbmodify", "ldb-tools"));
        command.arg("-H").arg(self.folder.path().join("ad/private/sam.ldb"));
        command.arg(format!("--configfile={}", self.folder.path().join("ad/etc/smb.conf").display())).arg(file);
        run(&mut command).await.good();
    }

    /// Its certificate, PEM.
    ///
    /// # Panics
    /// When it is gone.
    #[must_use]
    pub fn certificate(&self) -> String {
        fs::read_to_string(self.folder.path().join("dc.pem")).unwrap()
    }
}

fn configuration(path: &str, address: Ipv4Addr) -> String {
    format!(
        "[global]\nnetbios name = DC1\nworkgroup = CORP\nrealm = CORP.TEST\nserver role = active directory domain controller\n\
         server services = rpc, ldap\ndcerpc endpoint servers = -winreg -srvsvc\ninterfaces = {address}/8\nbind interfaces only = yes\n\
         private dir = {path}/ad/private\nlock directory = {path}/ad\nstate directory = {path}/ad/state\ncache directory = {path}/ad/cache\n\
         pid directory = {path}/ad/run\nncalrpc dir = {path}/ad/ncalrpc\nbinddns dir = {path}/ad/bind-dns\nlog file = {path}/ad/log/log.smb\n\
         log level = 1\nldap server require strong auth = no\n\
         tls certfile = {path}/dc.pem\ntls keyfile = {path}/dc.key\ntls cafile = {path}/dc.pem\n"
    )
}

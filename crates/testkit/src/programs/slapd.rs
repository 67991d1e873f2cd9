//! OpenLDAP's server on loopback, with a configuration, data and certificate of its own.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    process::Stdio,
};

use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{program, run};
use crate::{temporary, wait::until};

/// Base of the directory.
pub const BASE: &str = "dc=example,dc=org";
/// Account that may read, and its password.
pub const READER: (&str, &str) = ("cn=lanyard,dc=example,dc=org", "reader's secret");
const ADMIN: (&str, &str) = ("cn=admin,dc=example,dc=org", "admin's secret");

/// A running directory; it ends with this value.
pub struct Slapd {
    /// Port of `ldap://127.0.0.1`.
    pub port: u16,
    /// Port of `ldaps://localhost`.
    pub tls_port: u16,
    folder: TempDir,
    child: Option<Child>,
}

impl Slapd {
    /// A directory with these entries (LDIF) below its base.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(entries: &str) -> Self {
        let folder = temporary::folder("slapd");
        let path = folder.path().display().to_string();
        fs::create_dir(folder.path().join("data")).unwrap();
        let mut certificate = Command::new(program("openssl", "openssl"));
        certificate.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]);
        certificate.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
        certificate.args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "key.pem", "-out", "cert.pem"]);
        run(certificate.current_dir(folder.path())).await.good();
        fs::write(folder.path().join("slapd.conf"), configuration(&path)).unwrap();
        let base = format!(
            "dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n\n\
             dn: {}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: lanyard\nuserPassword: {}\n\n",
            READER.0, READER.1
        );
        fs::write(folder.path().join("entries.ldif"), format!("{base}{entries}")).unwrap();
        let mut add = Command::new(program("slapadd", "slapd"));
        run(add.args(["-f", "slapd.conf", "-l", "entries.ldif"]).current_dir(folder.path())).await.good();
        let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut slapd = Self { port: free(), tls_port: free(), folder, child: None };
        slapd.go_on().await;
        slapd
    }

    /// Starts again after [`Self::pause`].
    ///
    /// # Panics
    /// When it does not start.
    pub async fn go_on(&mut self) {
        let urls = format!("ldap://127.0.0.1:{} ldaps://127.0.0.1:{}", self.port, self.tls_port);
        let mut command = Command::new(program("slapd", "slapd"));
        command.args(["-f", "slapd.conf", "-d", "0", "-h", &urls]).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        self.child = Some(command.spawn().unwrap());
        let port = self.port;
        let up = || async move { tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok() };
        until("slapd to listen", up).await;
    }

    /// Ends it, keeping what it holds.
    ///
    /// # Panics
    /// When it cannot be ended.
    pub async fn pause(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().await.unwrap();
        }
    }

    /// Changes entries (LDIF with changetypes).
    ///
    /// # Panics
    /// When the directory refuses.
    pub async fn modify(&self, ldif: &str) {
        let file = self.folder.path().join("change.ldif");
        fs::write(&file, ldif).unwrap();
        let mut command = Command::new(program("ldapmodify", "ldap-utils"));
        command.args(["-x", "-H", &format!("ldap://127.0.0.1:{}", self.port), "-D", ADMIN.0, "-w", ADMIN.1, "-f"]).arg(&file);
        run(&mut command).await.good();
    }

    /// Its certificate, PEM.
    ///
    /// # Panics
    /// When it is gone.
    #[must_use]
    pub fn certificate(&self) -> String {
        fs::read_to_string(self.folder.path().join("cert.pem")).unwrap()
    }
}

fn configuration(path: &str) -> String {
    format!(
        r#"include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.656 NAME 'userPrincipalName' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.867 NAME 'altSecurityIdentities' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.2.840.113556.1.4.146 NAME 'objectSid' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.159 NAME 'accountExpires' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.662 NAME 'lockoutTime' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
objectclass ( 1.2.840.113556.1.5.9999 NAME 'account-like' SUP top AUXILIARY MAY ( userAccountControl $ sAMAccountName $ userPrincipalName $ altSecurityIdentities $ objectSid $ accountExpires $ lockoutTime ) )
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {path}/slapd.pid
TLSCertificateFile {path}/cert.pem
TLSCertificateKeyFile {path}/key.pem
database mdb
suffix "{BASE}"
rootdn "{}"
rootpw "{}"
directory {path}/data
maxsize 10485760
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{}" read by * none
"#,
        ADMIN.0, ADMIN.1, READER.0
    )
}

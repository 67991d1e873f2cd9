//! Drivers of third-party programs. A program that is not there fails the test and names its package; nothing is ever skipped.

pub mod abrmd;
pub mod certmonger;
pub mod charon;
pub mod chromium;
pub mod exim;
pub mod faketime;
pub mod freeradius;
pub mod glewlwyd;
pub mod keystores;
pub mod openssl;
pub mod pkilint;
pub mod postgres;
pub mod samba;
pub mod scepclient;
pub mod slapd;
pub mod sogo;
pub mod strongswan;
pub mod swtpm;
pub mod vectors;

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::{process::Command, time::timeout};

use crate::wait::PATIENCE;

/// Path of a program.
///
/// # Panics
/// When it is not installed, naming the Debian package that has it.
#[must_use]
pub fn program(name: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/bin", "/usr/lib/certmonger"].map(PathBuf::from));
    let found = folders.map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("the program {name} is needed: apt-get install {package}"))
}

/// What a program did.
#[derive(Debug)]
pub struct Done {
    /// Whether it exited with 0.
    pub success: bool,
    /// Standard output.
    pub stdout: String,
    /// Standard output, then standard error.
    pub output: String,
}

impl Done {
    /// Standard output of a program that succeeded.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn good(self) -> String {
        assert!(self.success, "{}", self.output);
        self.stdout
    }
}

/// Runs a program to its end, with nothing to read and a limit of time.
///
/// # Panics
/// When it cannot be started or takes too long.
pub async fn run(command: &mut Command) -> Done {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let output = timeout(PATIENCE, command.output()).await.unwrap_or_else(|_| panic!("{command:?} takes too long"));
    let output = output.unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let stdout = text(&output.stdout);
    Done { success: output.status.success(), output: stdout.clone() + &text(&output.stderr), stdout }
}

/// Writes a certificate as PEM.
///
/// # Panics
/// When that fails.
pub fn write_certificates(path: &Path, certificates: &[&lanyard_pki::certificate::Certificate]) {
    let encode = |der: &[u8]| lanyard_pki::pem::encode(lanyard_pki::pem::CERTIFICATE, der);
    let text: String = certificates.iter().map(|c| encode(c.der())).collect();
    std::fs::write(path, text).unwrap();
}

/// Reads the first certificate of a PEM file.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn read_certificate(path: &Path) -> lanyard_pki::certificate::Certificate {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let first = text.split_inclusive("-----END CERTIFICATE-----").next().unwrap_or_default();
    let der = lanyard_pki::pem::decode(lanyard_pki::pem::CERTIFICATE, first).expect("a certificate in PEM");
    lanyard_pki::certificate::Certificate::decode(&der).expect("a certificate")
}

//! The broker of a TPM (`tpm2-abrmd`), which gives each program slots as if it had the TPM for itself, on a bus of its own.

use std::path::Path;

use tokio::process::Command;

use super::{program, swtpm::Swtpm};

const SCRIPT: &str = r#"
tpm2-abrmd --session --allow-root --tcti="$0" > /dev/null 2>&1 & broker=$!
for i in $(seq 100); do tpm2_getcap -T tabrmd:bus_type=session properties-fixed > /dev/null 2>&1 && break; sleep 0.1; done
"$@"; status=$?
kill $broker; exit $status
"#;
/// OpenSSL's provider for TPMs.
const PROVIDER: &str = "ossl-modules/tpm2.so";

/// The same program with a TPM for OpenSSL: `OPENSSL_CONF` names this file. Nobody else may speak with the TPM meanwhile.
///
/// # Panics
/// When a package is missing, naming it.
#[must_use]
pub fn with_tpm(tpm: &Swtpm, openssl: &Path, command: &Command) -> Command {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    assert!(folders.into_iter().any(|folder| folder.path().join(PROVIDER).is_file()), "apt-get install tpm2-openssl");
    drop(program("tpm2-abrmd", "tpm2-abrmd"));
    let mut wrapped = Command::new(program("dbus-run-session", "dbus"));
    wrapped.args(["--", "sh", "-c", SCRIPT]).arg(tpm.name()).arg(command.as_std().get_program());
    wrapped.args(command.as_std().get_args());
    wrapped.env("OPENSSL_CONF", openssl).env("TPM2OPENSSL_TCTI", "tabrmd:bus_type=session");
    wrapped
}

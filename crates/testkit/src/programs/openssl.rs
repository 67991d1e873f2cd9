//! The `openssl` command.

use std::path::Path;

use lanyard_pki::certificate::Certificate;
use tokio::process::Command;

use super::{Done, program, run, write_certificates};
use crate::temporary;

/// Runs openssl.
pub async fn openssl(arguments: &[&str], folder: &Path) -> Done {
    run(Command::new(program("openssl", "openssl")).current_dir(folder).args(arguments)).await
}

/// `openssl verify` in its strictest form: a certificate under a root by way of an issuing CA.
///
/// # Panics
/// When files cannot be written.
pub async fn verify(certificate: &Certificate, issuing: &Certificate, root: &Certificate) -> Done {
    let folder = temporary::folder("openssl");
    write_certificates(&folder.path().join("leaf.pem"), &[certificate]);
    write_certificates(&folder.path().join("issuing.pem"), &[issuing]);
    write_certificates(&folder.path().join("root.pem"), &[root]);
    let arguments = ["verify", "-x509_strict", "-CAfile", "root.pem", "-untrusted", "issuing.pem", "leaf.pem"];
    openssl(&arguments, folder.path()).await
}

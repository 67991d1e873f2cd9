//! Reading files that the configuration names, relative to its own folder.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use lanyard_model::secret::{SecretBytes, SecretText};
use lanyard_pki::{
    bundle::{self, Opened},
    certificate::Certificate,
};

use crate::error::GatewayError;

/// Largest file that is read, in octets.
const MAX_FILE: u64 = 64 * 1024 * 1024;

fn fault(path: &Path, problem: impl ToString) -> GatewayError {
    GatewayError::File { path: path.display().to_string(), problem: problem.to_string() }
}

/// The path of a file named in the configuration.
#[must_use]
pub fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(name)
}

/// A file's octets.
///
/// # Errors
/// [`GatewayError::File`].
pub fn bytes(path: &Path) -> Result<Vec<u8>, GatewayError> {
    let about = fs::metadata(path).map_err(|e| fault(path, e))?;
    if about.len() > MAX_FILE {
        return Err(fault(path, format!("larger than {MAX_FILE} octets")));
    }
    fs::read(path).map_err(|e| fault(path, e))
}

/// A text file.
///
/// # Errors
/// [`GatewayError::File`].
pub fn text(path: &Path) -> Result<String, GatewayError> {
    String::from_utf8(bytes(path)?).map_err(|_| fault(path, "not UTF-8"))
}

/// A secret: the first line of a file that only its owner can read.
///
/// # Errors
/// [`GatewayError::File`], also when others can read it or it is empty.
pub fn secret(path: &Path) -> Result<SecretText, GatewayError> {
    private(path)?;
    let text = text(path)?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() { Err(fault(path, "empty")) } else { Ok(SecretText::new(line.to_owned())) }
}

/// Refuses a file that others than its owner can reach.
///
/// # Errors
/// [`GatewayError::File`].
pub fn private(path: &Path) -> Result<(), GatewayError> {
    let mode = fs::metadata(path).map_err(|e| fault(path, e))?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(fault(path, format!("mode {mode:o} lets others reach it; chmod 600 it"))) }
}

/// Certificates of a file in PEM, DER or PKCS#7; at least one.
///
/// # Errors
/// [`GatewayError::File`].
pub fn certificates(path: &Path) -> Result<Vec<Certificate>, GatewayError> {
    match bundle::open(&bytes(path)?, None) {
        Ok(Opened::Bundle(found)) if !found.certificates.is_empty() => Ok(found.certificates),
        Ok(_) => Err(fault(path, "there is no certificate in it")),
        Err(e) => Err(fault(path, e)),
    }
}

/// The private key of a file, PKCS#8; only its owner may read it.
///
/// # Errors
/// [`GatewayError::File`].
pub fn private_key(path: &Path) -> Result<SecretBytes, GatewayError> {
    private(path)?;
    match bundle::open(&bytes(path)?, None) {
        Ok(Opened::Bundle(mut found)) => match found.keys.pop() {
            Some(key) if found.keys.is_empty() => Ok(key.pkcs8),
            Some(_) => Err(fault(path, "there is more than one key in it")),
            None => Err(fault(path, "there is no private key in it")),
        },
        Ok(Opened::Locked(_)) => Err(fault(path, "the key is encrypted")),
        Err(e) => Err(fault(path, e)),
    }
}

//! Files with a certificate and its key, as a policy names them: which one is meant for a device, and whether it opens.

use std::path::{Path, PathBuf};

use lanyard_model::secret::SecretText;
use lanyard_pki::pkcs12::{MAX_SIZE, Pkcs12};
use lanyard_ra::pattern::{Pattern, Records};

use super::policy::Pfx;
use crate::{error::chain, installation::read_secret};

/// A file and its password, as they are read.
pub struct PfxFile {
    /// The file.
    pub octets: Vec<u8>,
    /// Its password.
    pub password: SecretText,
}

/// Whether a policy can mean this: the paths can be read as patterns, and a file that is the same for every device is there and opens.
///
/// # Errors
/// What is wrong, for people.
pub fn check(pfx: &Pfx, dir: &Path) -> Result<(), String> {
    for text in [&pfx.file, &pfx.password_file] {
        Pattern::parse(text).map_err(|problem| format!("\"{text}\": {problem}"))?;
    }
    if pfx.file.contains('{') || pfx.password_file.contains('{') {
        return Ok(());
    }
    let file = read(&dir.join(&pfx.file), &dir.join(&pfx.password_file))?;
    let found = Pkcs12::decode(&file.octets, &file.password).and_then(Pkcs12::into_identity);
    found.map(drop).map_err(|error| format!("{}: {error}", pfx.file))
}

/// The file for these records.
///
/// # Errors
/// Why there is none, for people.
pub fn of_device(pfx: &Pfx, dir: &Path, records: &Records<'_>) -> Result<PfxFile, String> {
    read(&dir.join(path(&pfx.file, records)?), &dir.join(path(&pfx.password_file, records)?))
}

/// A path with names from the record. What stands in a record never leads into another folder.
fn path(text: &str, records: &Records<'_>) -> Result<PathBuf, String> {
    let expanded = Pattern::parse(text)?.expand(records).map_err(|variable| format!("no record tells {variable}"))?;
    let depth = |text: &str| text.matches('/').count();
    let climbs = || expanded.split('/').any(|part| part == "..") && !text.contains("..");
    if depth(&expanded) != depth(text) || climbs() || expanded.contains('\0') {
        return Err("the record's names cannot be part of a file name".to_owned());
    }
    Ok(PathBuf::from(expanded))
}

fn read(file: &Path, password: &Path) -> Result<PfxFile, String> {
    let fault = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    let octets = std::fs::read(file).map_err(|error| fault(file, error))?;
    if octets.len() > MAX_SIZE {
        return Err(format!("{}: it is larger than a megabyte", file.display()));
    }
    let text = read_secret(password).map_err(|error| chain(&error))?;
    Ok(PfxFile { octets, password: SecretText::new(text.expose().trim_end_matches(['\r', '\n']).to_owned()) })
}

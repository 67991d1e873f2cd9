//! PyPI's `cryptography-vectors` (PKITS among them), which `make` puts into a folder of its own.

use std::path::{Path, PathBuf};

/// Every file that holds certificates, lists, requests, PKCS#7 or something that pretends to, by path; PEM is told from DER by its contents.
///
/// # Panics
/// When the vectors are not there.
#[must_use]
pub fn all() -> Vec<(PathBuf, Vec<u8>)> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/vectors");
    let folder = std::env::var_os("LANYARD_VECTORS").map_or(workspace, PathBuf::from).join("cryptography_vectors");
    let remedy =
        "python3 -m venv target/pkilint && target/pkilint/bin/pip install --target target/vectors cryptography-vectors==50.0.2";
    assert!(folder.is_dir(), "PyPI's cryptography-vectors are needed in {}: {remedy}", folder.display());
    let mut found = Vec::new();
    for part in ["x509", "pkcs7", "pkcs12", "asymmetric"] {
        collect(&folder.join(part), &mut found);
    }
    found.sort();
    found
}

fn collect(folder: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else {
            let octets = std::fs::read(&path).unwrap();
            found.push((path, octets));
        }
    }
}

//! PyPI's `pkilint`, from a virtual environment that `make` prepares.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use lanyard_pki::certificate::Certificate;
use tokio::process::Command;

use super::{run, write_certificates};
use crate::temporary;

/// Where its programs are: `LANYARD_PKILINT_BIN`, or `target/pkilint/bin` of the workspace.
fn tool(name: &str) -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/pkilint/bin");
    let folder = std::env::var_os("LANYARD_PKILINT_BIN").map_or(workspace, PathBuf::from);
    let path = folder.join(name);
    let remedy = "python3 -m venv target/pkilint && target/pkilint/bin/pip install pkilint==0.13.3";
    assert!(path.is_file(), "the program {} of PyPI's pkilint is needed: {remedy}", path.display());
    path
}

/// Lints a certificate; what it finds from this severity on (`ERROR`, `WARNING`, `NOTICE`).
///
/// # Panics
/// When it cannot be run.
pub async fn lint_certificate(certificate: &Certificate, severity: &str) -> BTreeSet<String> {
    let folder = temporary::folder("pkilint");
    let file = folder.path().join("certificate.pem");
    write_certificates(&file, &[certificate]);
    lint("lint_pkix_cert", &file, severity).await
}

/// Lints a CRL in DER.
///
/// # Panics
/// When it cannot be run.
pub async fn lint_crl(crl: &[u8], severity: &str) -> BTreeSet<String> {
    let folder = temporary::folder("pkilint");
    let file = folder.path().join("list.crl");
    std::fs::write(&file, crl).unwrap();
    lint("lint_crl", &file, severity).await
}

/// Lints many certificates in one process; findings of severity ERROR.
///
/// # Panics
/// When it cannot be run, or did not lint all of them.
pub async fn lint_certificates(certificates: &[Certificate]) -> Vec<String> {
    let folder = temporary::folder("pkilint");
    let mut list = String::new();
    for (n, certificate) in certificates.iter().enumerate() {
        let path = folder.path().join(format!("{n}.der"));
        std::fs::write(&path, certificate.der()).unwrap();
        list.push_str(&format!("{}\n", path.display()));
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/programs/lint_many.py");
    std::fs::write(folder.path().join("list"), &list).unwrap();
    let mut command = Command::new(tool("python3"));
    command.arg(script).stdin(std::fs::File::open(folder.path().join("list")).unwrap());
    let output = command.output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let last = lines.pop().unwrap_or_default();
    assert_eq!(last, format!("linted\t{}", certificates.len()), "{}", String::from_utf8_lossy(&output.stderr));
    lines
}

async fn lint(name: &str, file: &Path, severity: &str) -> BTreeSet<String> {
    let mut command = Command::new(tool(name));
    command.arg("lint");
    if name == "lint_crl" {
        command.args(["-t", "CRL", "-p", "PKIX"]);
    }
    command.args(["-f", "CSV", "-s", severity]).arg(file);
    let done = run(&mut command).await;
    let findings: BTreeSet<String> =
        done.output.lines().skip(1).filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
    // Its exit code is the number of findings.
    assert!(done.success == findings.is_empty() && done.output.starts_with("node_path"), "{}", done.output);
    findings
}

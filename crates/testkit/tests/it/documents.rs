//! What the documents show is run, and what they list is complete.

use std::{collections::BTreeSet, fs, net::TcpListener, path::Path, process::Command};

use lanyard_testkit::{process::lanyard, programs::program};

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)).expect(name)
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// The blocks that are marked as parts of the tour, one after the other in one shell.
fn tour() -> String {
    let readme = document("README.md");
    let blocks: Vec<&str> = readme.split("```sh tour\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 5, "the tour has {} blocks", blocks.len());
    blocks
        .concat()
        .replace("8080", &free_port().to_string())
        .replace("8443", &free_port().to_string())
        .replace("8444", &free_port().to_string())
}

#[test]
fn the_tour_of_the_readme_runs_word_for_word() {
    for name in ["openssl", "curl"] {
        assert!(program(name, name).is_file());
    }
    let folder = lanyard_testkit::temporary::folder("scratch");
    let path = format!("{}:{}", lanyard().parent().unwrap().display(), std::env::var("PATH").unwrap());
    // A failing step must not leave the server behind.
    let script = format!("set -em\ntrap 'kill %1 2>/dev/null || true' EXIT\n{}", tour());
    let output = Command::new("timeout")
        .args(["120", "bash", "-c", &script])
        .current_dir(folder.path())
        .env("PATH", path)
        .output()
        .unwrap();
    let told = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}");
    for expected in
        ["refused, exit code 3", "ra.challenge-other-key", "intact:", "laptop-7.example.org", "Revocation Date", "serving"]
    {
        let log = fs::read_to_string(folder.path().join("tour/serve.log")).unwrap_or_default();
        assert!(told.contains(expected) || log.contains(expected), "'{expected}' is missing in\n{told}");
    }
}

#[test]
fn every_code_has_its_place_in_the_list_of_errors() {
    let list = document("docs/errors.md");
    let mut missing = BTreeSet::new();
    for crate_name in ["modules", "ra", "enroll", "mdm", "ca", "pki", "store", "server", "agent", "directory", "gateway"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(crate_name).join("src");
        for file in sources(&folder) {
            let text = fs::read_to_string(&file).unwrap();
            for literal in text.split('"').skip(1).step_by(2) {
                let code = literal.split_once('.').is_some_and(|(room, rest)| {
                    let rooms = ["modules", "ra", "scep", "mdm", "ca", "pki", "store", "server", "agent", "directory", "gateway"];
                    // Names of files look like codes.
                    let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
                    rooms.contains(&room) && !rest.is_empty() && rest != "toml" && rest.chars().all(kebab)
                });
                if code && !list.contains(&format!("`{literal}`")) {
                    missing.insert(literal.to_owned());
                }
            }
        }
    }
    assert!(missing.is_empty(), "docs/errors.md lacks {missing:?}");
}

#[test]
fn every_verdict_of_the_tester_is_in_its_guide() {
    let guide = document("docs/guides/tester.md");
    for text in lanyard_gateway::probe::verdict::Verdict::ALL.iter().map(|verdict| verdict.text()) {
        assert!(guide.contains(&format!("| `{}` |", text.code)) && guide.contains(text.means), "{}", text.code);
    }
}

fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

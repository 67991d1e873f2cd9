//! ARCHITECTURE.md says what is.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn document() -> String {
    fs::read_to_string(workspace().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md")
}

/// The block of arrows: who may use whom. `None` means anybody.
fn allowed(document: &str) -> BTreeMap<String, Option<BTreeSet<String>>> {
    let blocks = document.split("```text").skip(1).filter_map(|rest| rest.split("```").next());
    let block = blocks.into_iter().find(|b| b.contains("pki → model")).expect("the block of arrows");
    let mut arrows = BTreeMap::new();
    // Two columns, parted by more than one space.
    for arrow in block.lines().flat_map(|line| line.split("  ")).map(str::trim).filter(|a| !a.is_empty()) {
        let (room, used) = arrow.split_once(" → ").unwrap_or_else(|| panic!("not an arrow: {arrow}"));
        let rooms = used.split(',').map(|r| r.split(['(', ' ']).find(|p| !p.is_empty()).unwrap().to_owned()).collect();
        let used = if used.starts_with("anything") { None } else { Some(rooms) };
        assert!(arrows.insert(room.to_owned(), used).is_none(), "{room} twice");
    }
    arrows
}

/// Which room uses which: kind of dependency, user, used.
fn real() -> Vec<(String, String, String)> {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(workspace()).args(["metadata", "--format-version", "1", "--no-deps", "--offline"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let room =
        |name: &str| (name == "lanyard").then(|| name.to_owned()).or_else(|| name.strip_prefix("lanyard-").map(str::to_owned));
    let mut edges = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        let user = room(package["name"].as_str().unwrap()).expect("a package named by its room");
        let folder = Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned();
        assert_eq!(folder, workspace().join("crates").join(&user), "the folder is named by its room");
        edges.push(("itself".to_owned(), user.clone(), user.clone()));
        for dependency in package["dependencies"].as_array().unwrap() {
            let kind = dependency["kind"].as_str().unwrap_or("normal").to_owned();
            if let Some(used) = room(dependency["name"].as_str().unwrap()) {
                edges.push((kind, user.clone(), used));
            }
        }
    }
    edges
}

#[test]
fn rooms_use_only_what_the_arrows_allow() {
    let document = document();
    let allowed = allowed(&document);
    assert!(allowed.len() >= 6, "{allowed:?}");
    for (kind, user, used) in real() {
        if kind == "itself" {
            // The nouns use nothing.
            assert!(user == "model" || allowed.contains_key(&user), "{user} is not among the arrows of ARCHITECTURE.md");
            continue;
        }
        if used == "testkit" {
            assert!(kind == "dev" && matches!(user.as_str(), "server" | "lanyard" | "agent"), "{user} uses testkit");
            continue;
        }
        let arrows = allowed.get(&user).unwrap_or_else(|| panic!("{user} uses {used}, and has no arrows"));
        let Some(rooms) = arrows else { continue };
        // What an arrow allows transitively, tests may use too.
        let transitive =
            kind == "dev" && rooms.iter().any(|r| allowed.get(r).is_some_and(|a| a.as_ref().is_some_and(|a| a.contains(&used))));
        assert!(rooms.contains(&used) || transitive, "{user} → {used} ({kind}) is not allowed by ARCHITECTURE.md");
    }
}

#[test]
fn sync_rooms_have_no_async_sockets_or_clock() {
    let metadata_edges = |room: &str| fs::read_to_string(workspace().join("crates").join(room).join("Cargo.toml")).unwrap();
    for room in ["model", "pki", "enroll", "mdm", "ra", "ca"] {
        let manifest = metadata_edges(room);
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap_or_default().split("\n[").next().unwrap_or_default();
        for never in ["tokio", "hyper", "axum", "rustls", "sqlx", "futures"] {
            assert!(!dependencies.contains(never), "{room} depends on {never}");
        }
        let mut folders = vec![workspace().join("crates").join(room).join("src")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                // Tests may read their vectors.
                if path.file_stem().is_some_and(|name| name == "tests") {
                    continue;
                }
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text = fs::read_to_string(&path).unwrap();
                for never in ["SystemTime", "Instant::now", "std::fs", "std::net::Tcp", "std::thread", "std::env"] {
                    assert!(!text.contains(never), "{} uses {never}", path.display());
                }
            }
        }
    }
}

#[test]
fn every_path_that_the_document_names_exists() {
    let root = workspace();
    let document = document();
    let mut seen = 0;
    for quoted in document.split('`').skip(1).step_by(2) {
        let path = quoted.trim_end_matches('/');
        let known = ["crates", "docs", "fuzz", "testdata", "deploy", "contrib"];
        let first = path.split('/').next().unwrap_or_default();
        if !known.contains(&first) || path.contains(['<', '*', ' ', '{']) {
            continue;
        }
        seen += 1;
        assert!(root.join(path).exists(), "{path} does not exist");
    }
    assert!(seen >= 10, "only {seen} paths were recognised");
}

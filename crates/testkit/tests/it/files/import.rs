//! Files of every program, told by their contents.

use std::path::Path;

use lanyard_testkit::{programs::keystores::make_all, temporary};

use super::{device, device_json};

fn path<'a>(folder: &Path, name: &str, into: &'a mut String) -> &'a str {
    *into = folder.join(name).display().to_string();
    into
}

/// What is expected of a file.
struct Expected {
    file: &'static str,
    /// File with the passphrase.
    pass: Option<&'static str>,
    identities: usize,
    /// Certificates without a key.
    certificates: usize,
    /// What the first identity is called.
    name: Option<&'static str>,
}

const fn expected(
    file: &'static str,
    pass: Option<&'static str>,
    identities: usize,
    certificates: usize,
    name: Option<&'static str>,
) -> Expected {
    Expected { file, pass, identities, certificates, name }
}

const FILES: &[Expected] = &[
    expected("root.cer", None, 0, 1, None),
    expected("root.crt", None, 0, 1, None),
    expected("chain.p7b", None, 0, 2, None),
    expected("chain.p7c", None, 0, 2, None),
    expected("bare.p7b", None, 0, 2, None),
    expected("modern.pfx", Some("pass"), 1, 1, Some("Bürgeramt")),
    expected("old.pfx", Some("pass"), 1, 1, Some("Bürgeramt")),
    expected("open.pfx", None, 1, 1, Some("Bürgeramt")),
    expected("open.pfx", Some("none"), 1, 1, Some("Bürgeramt")),
    expected("rc2.p12", Some("pass"), 1, 1, Some("Bürgeramt")),
    expected("sha512.p12", Some("pass"), 1, 1, Some("Bürgeramt")),
    expected("gnutls.p12", Some("pass"), 1, 1, Some("gnutls")),
    expected("nss.p12", Some("pass"), 1, 1, Some("Bürgeramt")),
    expected("java.p12", Some("pass"), 2, 1, None),
    expected("plain.pem", None, 1, 0, None),
    expected("windows.pem", None, 1, 0, None),
    expected("pkcs1.pem", None, 1, 0, None),
    expected("pkcs1-locked.pem", Some("pass"), 1, 0, None),
    expected("pkcs8-locked.pem", Some("pass"), 1, 0, None),
    expected("pkcs8-old.pem", Some("pass"), 1, 0, None),
    expected("sec1.pem", None, 1, 0, None),
    expected("text.pem", None, 1, 0, None),
    expected("trusted.pem", None, 0, 1, None),
];

#[tokio::test(flavor = "multi_thread")]
async fn files_of_every_program_are_shown_and_installed() {
    let folder = temporary::folder("files");
    make_all(folder.path()).await;
    for (number, Expected { file, pass, identities, certificates, name }) in FILES.iter().enumerate() {
        // Their names tell nothing.
        let renamed = folder.path().join(format!("{number}.bin"));
        std::fs::copy(folder.path().join(file), &renamed).unwrap();
        let (mut given, mut from) = (String::new(), String::new());
        let mut arguments = vec!["install", path(folder.path(), &format!("{number}.bin"), &mut from)];
        if let Some(pass) = pass {
            arguments.extend(["--passphrase-file", path(folder.path(), pass, &mut given)]);
        }
        let store = folder.path().join(format!("store-{number}"));
        let looked = device_json(&store, &[&arguments[..], &["--dry-run"]].concat()).await;
        let count = |part: &str| looked["review"][part].as_array().unwrap().len();
        assert_eq!((count("identities"), count("certificates")), (*identities, *certificates), "{file}: {looked}");
        if name.is_some() {
            assert_eq!(looked["review"]["identities"][0]["name"].as_str(), *name, "{file}");
        }
        assert_eq!(device_json(&store, &["list"]).await["identities"], serde_json::json!([]), "{file}: looking installs nothing");

        let done = device_json(&store, &[&arguments[..], &["--yes", "--trust-roots"]].concat()).await;
        assert_eq!(done["identities"].as_array().unwrap().len(), *identities, "{file}: {done}");
        let again = device_json(&store, &[&arguments[..], &["--yes", "--trust-roots"]].concat()).await;
        assert_eq!(again["identities"], done["identities"], "{file}: the same again changes nothing");
        assert_eq!(again["certificates"], serde_json::json!([]), "{file}");
        let chain = |value: &serde_json::Value| value["review"]["identities"][0]["chain"].as_str().map(str::to_owned);
        if *identities == 1 && *certificates == 1 {
            assert_eq!(chain(&done).as_deref(), Some("root-comes-along"), "{file}");
            assert_eq!(chain(&again).as_deref(), Some("trusted"), "{file}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_installed_without_a_yes_and_no_root_without_its_own() {
    let folder = temporary::folder("files");
    make_all(folder.path()).await;
    let store = folder.path().join("store");
    let file = folder.path().join("modern.pfx").display().to_string();
    let pass = folder.path().join("pass").display().to_string();
    let install = ["install", &file, "--passphrase-file", &pass];
    let refused = device(&store, &install).await;
    assert!(!refused.success && refused.output.contains("agent.not-agreed"), "{}", refused.output);
    assert!(refused.output.contains("user1") && refused.output.contains("signing in to networks and servers, mail"), "it shows");
    assert_eq!(device_json(&store, &["list"]).await["identities"], serde_json::json!([]));

    let done = device_json(&store, &[&install[..], &["--yes"]].concat()).await;
    assert_eq!((done["roots_not_trusted"].as_u64(), done["certificates"].as_array().map(Vec::len)), (Some(1), Some(0)), "{done}");
    assert_eq!(device_json(&store, &["trust", "--list"]).await["certificates"], serde_json::json!([]));

    let root = folder.path().join("root.cer").display().to_string();
    assert!(!device(&store, &["install", &root]).await.success);
    device(&store, &["install", &root, "--trust-roots", "--yes"]).await.good();
    let trusted = device_json(&store, &["trust", "--list"]).await;
    let fingerprint = trusted["certificates"][0]["fingerprint"].as_str().unwrap().to_owned();
    assert_eq!(trusted["certificates"][0]["room"], "root");
    device(&store, &["trust", "--remove", &fingerprint[..11], "--yes"]).await.good();
    assert_eq!(device_json(&store, &["trust", "--list"]).await["certificates"], serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_file_says_so_and_a_wrong_passphrase_opens_nothing() {
    let folder = temporary::folder("files");
    make_all(folder.path()).await;
    let store = folder.path().join("store");
    for file in ["modern.pfx", "old.pfx", "gnutls.p12", "pkcs1-locked.pem", "pkcs8-locked.pem"] {
        let file = folder.path().join(file).display().to_string();
        let asked = device(&store, &["install", &file, "--yes"]).await;
        assert!(!asked.success && asked.output.contains("agent.passphrase"), "{}", asked.output);
        let wrong = folder.path().join("ext").display().to_string();
        let wrong = device(&store, &["install", &file, "--yes", "--passphrase-file", &wrong]).await;
        assert!(!wrong.success && wrong.output.contains("does not open"), "{}", wrong.output);
    }
    assert_eq!(device_json(&store, &["list"]).await["identities"], serde_json::json!([]));
}

//! Files that are damaged or meant to do harm.

use std::time::Instant;

use lanyard_model::secret::SecretText;
use lanyard_pki::bundle;
use lanyard_testkit::{programs::keystores::make_all, programs::vectors, temporary};

use super::{device, device_json};

/// Bar 8 of the security rules.
const FAST: u128 = 100;

#[tokio::test(flavor = "multi_thread")]
async fn damaged_files_are_refused_and_leave_nothing_behind() {
    let folder = temporary::folder("files");
    make_all(folder.path()).await;
    let store = folder.path().join("store");
    let good = std::fs::read(folder.path().join("modern.pfx")).unwrap();
    let pass = folder.path().join("pass").display().to_string();
    let long = vec![0x30; 2 * 1024 * 1024];
    let cases: [(&str, Vec<u8>); 6] = [
        ("empty", Vec::new()),
        ("text", b"Dear user, please find attached".to_vec()),
        ("half", good[..good.len() / 2].to_vec()),
        ("long", long),
        ("nested", [0x30_u8, 0x80].repeat(100_000)),
        ("armour", b"-----BEGIN CERTIFICATE-----\nAAAA".to_vec()),
    ];
    for (name, octets) in cases {
        let file = folder.path().join(name);
        std::fs::write(&file, octets).unwrap();
        let refused = device(&store, &["install", &file.display().to_string(), "--yes", "--passphrase-file", &pass]).await;
        assert!(!refused.success && refused.output.contains("[agent."), "{name}: {}", refused.output);
    }
    assert_eq!(device_json(&store, &["list"]).await["identities"], serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_anywhere_is_no_panic_and_costs_little() {
    let folder = temporary::folder("files");
    make_all(folder.path()).await;
    let passphrase = SecretText::new("geheim".into());
    for name in ["old.pfx", "chain.p7b", "pkcs8-locked.pem", "user.pem", "root.cer"] {
        let good = std::fs::read(folder.path().join(name)).unwrap();
        for at in (0..good.len()).step_by(good.len() / 150 + 1) {
            let mut damaged = good.clone();
            damaged[at] ^= 0x41;
            let _ = bundle::open(&damaged, Some(&passphrase));
        }
    }
}

#[test]
fn the_public_vectors_are_read_or_refused_within_the_bar() {
    let mut read = 0;
    for (path, octets) in vectors::all() {
        let began = Instant::now();
        for passphrase in ["", "password", "cryptography"] {
            read += usize::from(matches!(
                bundle::open(&octets, Some(&SecretText::new(passphrase.into()))),
                Ok(bundle::Opened::Bundle(_))
            ));
        }
        // A debug build derives keys many times slower; what is refused must be refused fast all the same.
        assert!(began.elapsed().as_millis() < 60 * FAST, "{} took {:?}", path.display(), began.elapsed());
    }
    assert!(read > 1000, "{read}");
}

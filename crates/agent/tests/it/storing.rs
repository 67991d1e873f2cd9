//! The device store.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use lanyard_agent::{error::AgentError, scep::enroll, store::DeviceStore};

use super::{
    double::{Act, Double},
    enrolling::{issued, options, store},
};

fn everything(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(everything(&path)) } else { found.push(path) }
    }
    found
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn files_are_for_the_owner_alone_have_no_names_in_them_and_hold_no_challenge() {
    let (_folder, store) = store();
    let double = Double::start(&[Act::Issue, Act::Lose]).await;
    issued(enroll(Some(&store), options(&double), &mut |_| {}).await);
    enroll(Some(&store), options(&double), &mut |_| {}).await.unwrap_err();
    let all = everything(store.path());
    for name in ["key.pem", "certificate.pem", "chain.pem", "about.json", "message.der", "signer.pem"] {
        assert!(all.iter().any(|p| p.ends_with(name)), "{name}");
    }
    for path in &all {
        assert_eq!(mode(path), if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
        assert!(!path.to_string_lossy().contains("laptop"), "{}", path.display());
        if path.is_file() {
            let content = fs::read(path).unwrap();
            assert!(!content.windows(11).any(|w| w == b"open sesame"), "{}", path.display());
        }
    }
}

#[tokio::test]
async fn a_store_or_key_that_others_can_read_is_refused() {
    let (_folder, store) = store();
    let double = Double::start(&[Act::Issue]).await;
    let issued = issued(enroll(Some(&store), options(&double), &mut |_| {}).await);
    let key = store.identity_folder(&issued.id).join("key.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let refused = store.identity_key(&issued.id).unwrap_err();
    assert!(matches!(&refused, AgentError::Permissions { path, mode: 0o640 } if *path == key), "{refused}");
    assert!(refused.fix().contains("chmod go= "), "{}", refused.fix());

    fs::set_permissions(store.path(), fs::Permissions::from_mode(0o750)).unwrap();
    assert!(matches!(DeviceStore::open(store.path()), Err(AgentError::Permissions { .. })));
}

#[test]
fn an_empty_folder_becomes_a_store_and_a_foreign_one_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    fs::set_permissions(&empty, fs::Permissions::from_mode(0o755)).unwrap();
    DeviceStore::open(&empty).unwrap();
    assert_eq!(mode(&empty), 0o700);

    let foreign = folder.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("something"), "else").unwrap();
    fs::set_permissions(&foreign, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(matches!(DeviceStore::open(&foreign), Err(AgentError::Permissions { .. })));
    assert_eq!(mode(&foreign), 0o755);
}

#[tokio::test]
async fn what_a_crash_left_half_made_is_not_seen() {
    let (_folder, store) = store();
    let double = Double::start(&[Act::Issue]).await;
    let issued = issued(enroll(Some(&store), options(&double), &mut |_| {}).await);
    // Cut off while an identity was written.
    fs::create_dir(store.path().join("my/.new-0123456789abcdef")).unwrap();
    // Cut off after the identity was written, before the request was cleared away.
    fs::create_dir(store.pending_folder(&issued.id)).unwrap();
    let store = DeviceStore::open(store.path()).unwrap();
    assert_eq!(store.identities().unwrap().len(), 1);
    assert!(store.pendings().unwrap().is_empty());
    assert!(!store.pending_folder(&issued.id).exists());
}

#[tokio::test]
async fn a_damaged_identity_does_not_hide_the_others() {
    let (_folder, store) = store();
    let double = Double::start(&[Act::Issue]).await;
    let bad = issued(enroll(Some(&store), options(&double), &mut |_| {}).await);
    let good = issued(enroll(Some(&store), options(&double), &mut |_| {}).await);
    let certificate = store.identity_folder(&bad.id).join("certificate.pem");
    fs::write(&certificate, "-----BEGIN CERTIFICATE-----").unwrap();
    let [identity] = &store.identities().unwrap()[..] else { panic!() };
    assert_eq!(identity.about.id, good.id);
    assert!(matches!(&store.damaged().unwrap()[..], [AgentError::Damaged { path, .. }] if *path == certificate));
    store.remove_identity(&bad.id).unwrap();
    assert!(store.damaged().unwrap().is_empty());
}

#[tokio::test]
async fn ids_are_found_by_their_beginning_when_it_is_unique() {
    let (_folder, store) = store();
    let double = Double::start(&[Act::Issue]).await;
    let issued = issued(enroll(Some(&store), options(&double), &mut |_| {}).await);
    assert_eq!(store.find(&issued.id.as_str()[..4]).unwrap(), issued.id);
    assert!(matches!(store.find("zz"), Err(AgentError::UnknownId(_))));
    assert!(matches!(store.find(""), Err(AgentError::UnknownId(_))));
    fs::create_dir(store.path().join("my/0123456789abcdef")).unwrap();
    fs::create_dir(store.path().join("my/0123456789abcde0")).unwrap();
    assert!(matches!(store.find("0123456789abc"), Err(AgentError::AmbiguousId(_))));
}

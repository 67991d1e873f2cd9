//! The device against the written messages.

use super::pair::*;
use crate::{
    profile::tests::wifi_root,
    session::device::{DeviceSession, ManagementTree as _, MemoryTree, Next},
    syncml::{
        Alert, Command, Item, Meta, SyncMl,
        alert::{self, AlertCode},
        cred,
        tests::sample,
    },
};

const ROOT: &str = "./Device/Vendor/MSFT/RootCATrustedCertificates/Root/81BCAF601DC9DFEC87317D590E7CF1E0FD4D49A1";

fn sent(next: Next) -> SyncMl {
    match next {
        Next::Send(message) => *message,
        other => panic!("{other:?}"),
    }
}

/// What the device answers to a message of the server in a session of that number.
fn answer(number: &str, tree: &mut MemoryTree) -> SyncMl {
    let message = sample(number);
    let (mut device, _) = DeviceSession::start(config(&message.header.session_id));
    sent(device.receive(&message, tree))
}

#[test]
fn session_a_is_led_as_written() {
    let mut config = config("1A");
    config.credentials = Some(device_credentials(None));
    let (mut device, first) = DeviceSession::start(config);
    let mut tree = tree();
    assert_eq!(first, sample("20"));
    assert_eq!(sent(device.receive(&sample("21"), &mut tree)), sample("22"));
    assert_eq!(sent(device.receive(&sample("23"), &mut tree)), sample("24"));
    let nonce = cred::read_nonce("AtkvKrPt4h0xWt+hJqbX4A==");
    assert_eq!(device.receive(&sample("25"), &mut tree), Next::Ended { next_nonce: nonce });
    let retry = uri("./Vendor/MSFT/CertificateStore/MY/WSTEP/Renew/RetryInterval");
    assert_eq!(tree.value(&retry).as_deref(), Some("4"));
}

#[test]
fn session_b_and_the_one_after_are_led_as_written() {
    let (mut device, first) = DeviceSession::start(config("1B"));
    let mut tree = tree();
    assert_eq!(first, sample("30"));
    assert_eq!(sent(device.receive(&sample("31"), &mut tree)), sample("32"));
    assert_eq!(device.receive(&sample("33"), &mut tree), Next::Ended { next_nonce: None });
    assert_eq!(tree.executed.len(), 1);
    finish_scep(&mut tree);

    let mut config = config("1C");
    let meta = Meta { kind: Some(alert::SCEP_RESULT.into()), format: Some("int".into()), ..Meta::default() };
    let source = "./Device/Vendor/MSFT/ClientCertificateInstall/SCEP/ExampleWifiDevice";
    let item = Item { source: Item::target(source).target, meta, data: Some("0".into()), ..Item::default() };
    config.alerts.push(Alert { items: vec![item], ..Alert::plain(AlertCode::GENERIC) });
    let (mut device, first) = DeviceSession::start(config);
    assert_eq!(first, sample("34"));
    assert_eq!(sent(device.receive(&sample("35"), &mut tree)), sample("36"));
    assert_eq!(device.receive(&sample("37"), &mut tree), Next::Ended { next_nonce: None });
}

#[test]
fn roots_are_added_listed_and_deleted_as_written() {
    let mut tree = tree();
    assert_eq!(codes(&answer("40", &mut tree)), [(0, 200), (5, 200)]);
    assert_eq!(codes(&answer("40", &mut tree)), [(0, 200), (5, 418)], "it is there already");
    let other = "./Device/Vendor/MSFT/RootCATrustedCertificates/Root/B445CEBB196C0C3506AF729E33616DD1E5C1D95B/EncodedCertificate";
    tree.set(&uri(other), "AAAA");
    for (name, value) in [
        ("IssuedTo", "Example Corp Wi-Fi Root CA"),
        ("IssuedBy", "Example Corp Wi-Fi Root CA"),
        ("ValidFrom", "Mon Jan 01 00:00:00 2024"),
        ("ValidTo", "Fri Jan 01 00:00:00 2044"),
    ] {
        tree.set(&uri(ROOT).child(name), value);
    }
    // The store has no order; here it is that of the names.
    let mut wanted = sample("42").body;
    if let Command::Results(results) = &mut wanted.commands[2] {
        let names = results.items[0].data.take().unwrap();
        results.items[0].data = Some(names.split('/').rev().collect::<Vec<_>>().join("/"));
    }
    assert_eq!(answer("41", &mut tree).body, wanted);

    tree.delete(&uri(other).parent().unwrap()).unwrap();
    for name in ["EncodedCertificate", "ValidFrom", "ValidTo"] {
        tree.delete(&uri(ROOT).child(name)).unwrap();
    }
    let mut query = sample("41");
    query.header.msg_id = 3;
    query.body.commands.truncate(2);
    query.body.commands[1].items_mut()[0].target.as_mut().unwrap().loc_uri.push_str("?list=StructData");
    let (mut device, _) = DeviceSession::start(config("20"));
    let listed = sent(device.receive(&query, &mut tree)).body;
    let mut wanted = sample("42b").body;
    if let Command::Results(results) = &mut wanted.commands[2] {
        // In the order of names again.
        results.items.swap(2, 3);
    }
    assert_eq!(listed, wanted);

    assert_eq!(codes(&answer("43", &mut tree)), [(0, 200), (2, 200)]);
    assert_eq!(codes(&answer("43", &mut tree)), [(0, 200), (2, 404)]);
    assert!(!tree.exists(&uri(ROOT)));
    assert!(!wifi_root().is_empty());
}

#[test]
fn the_other_written_commands_are_done() {
    let mut tree = tree();
    let account = format!("./SyncML/DMAcc/{}/AppAuth/CLCRED", cred::account_node("ExampleMDM"));
    tree.set(&uri(&format!("{account}/AAuthName")), "old");
    tree.set(&uri(&format!("{account}/AAuthSecret")), "old");
    for number in ["45", "49", "50", "51"] {
        let answer = answer(number, &mut tree);
        assert!(codes(&answer).iter().all(|(_, code)| *code == 200), "{number}: {:?}", codes(&answer));
    }
    assert_eq!(tree.value(&uri(&format!("{account}/AAuthSecret"))).as_deref(), Some("{{NEW_SECRET}}"));
    // The blob of the sample is a placeholder and no base64: the whole Atomic is undone.
    assert_eq!(
        codes(&answer("44", &mut tree)),
        [(0, 200), (5, 507), (6, 216), (7, 216), (8, 216), (9, 216), (10, 216), (11, 415)]
    );
    assert!(!tree.exists(&uri("./User/Vendor/MSFT/ClientCertificateInstall/PFXCertInstall/ExampleSmime")));
    // What this device does not have is 404, one status for each item then.
    let codes = codes(&answer("46", &mut tree));
    assert_eq!(codes.iter().filter(|(_, code)| *code == 404).count(), 4, "{codes:?}");
}

#[test]
fn unenrolment_ends_the_session_and_is_told_as_written() {
    let message = sample("47");
    let (mut device, _) = DeviceSession::start(config("24"));
    assert_eq!(device.receive(&message, &mut tree()), Next::Unenroll);
    assert_eq!(DeviceSession::goodbye(config("25")), sample("48"));
}

//! Requests that differ from their challenge in one field: each refused, each for its own reason, each audited (ndes-policy, section 7).

use lanyard_model::{
    key::KeyKind,
    usage::{ExtendedKeyUsages, KeyUsage, KeyUsages},
};
use lanyard_pki::{
    extension::{Extension, encode_basic_constraints},
    name, oids, write,
};
use lanyard_server::api::types::Order;
use lanyard_testkit::{
    keys::{key, rsa},
    scep::{device::Device, endpoint::Endpoint},
    server::TestServer,
};

use crate::support::audited_decision;

const SUBJECT: &str = "CN=laptop-7,O=Example,OU=Lab,C=DE,serialNumber=A7";
const NAMES: [&str; 4] = ["dns:laptop-7.example.org", "dns:l7.example.org", "ip:10.0.0.7", "uri:https://example.org/7"];

type Change = Box<dyn Fn(&mut Device) + Send + Sync>;

fn subjects() -> Vec<(String, &'static str, Change)> {
    let table = [
        "CN=laptop-8,O=Example,OU=Lab,C=DE,serialNumber=A7",
        "CN=Laptop-7,O=Example,OU=Lab,C=DE,serialNumber=A7",
        "CN=laptop-7\\ ,O=Example,OU=Lab,C=DE,serialNumber=A7",
        "CN=laptop-77,O=Example,OU=Lab,C=DE,serialNumber=A7",
        "CN=laptop-,O=Example,OU=Lab,C=DE,serialNumber=A7",
        "O=Example,OU=Lab,C=DE,serialNumber=A7",
        "CN=laptop-7,CN=laptop-7,O=Example,OU=Lab,C=DE,serialNumber=A7",
        "CN=root,CN=laptop-7,O=Example,OU=Lab,C=DE,serialNumber=A7",
        "CN=l\u{430}ptop-7,O=Example,OU=Lab,C=DE,serialNumber=A7",
        "CN=laptop-7,O=Example2,OU=Lab,C=DE,serialNumber=A7",
        "CN=laptop-7,O=EXAMPLE,OU=Lab,C=DE,serialNumber=A7",
        "CN=laptop-7,OU=Lab,C=DE,serialNumber=A7",
        "CN=laptop-7,O=Example,OU=Labs,C=DE,serialNumber=A7",
        "CN=laptop-7,O=Example,C=DE,serialNumber=A7",
        "CN=laptop-7,O=Example,OU=Lab,OU=Admins,C=DE,serialNumber=A7",
        "CN=laptop-7,O=Example,OU=Lab,C=FR,serialNumber=A7",
        "CN=laptop-7,O=Example,OU=Lab,C=de,serialNumber=A7",
        "CN=laptop-7,O=Example,OU=Lab,serialNumber=A7",
        "CN=laptop-7,O=Example,OU=Lab,C=DE,serialNumber=A8",
        "CN=laptop-7,O=Example,OU=Lab,C=DE",
        "CN=Example,O=laptop-7,OU=Lab,C=DE,serialNumber=A7",
        "CN=laptop-7,OU=Example,O=Lab,C=DE,serialNumber=A7",
        "CN=laptop-7,O=Example,OU=Lab,C=DE,serialNumber=A7,L=Bonn",
        "CN=laptop-7,O=Example,OU=Lab,C=DE,serialNumber=A7,emailAddress=root@example.org",
        "CN=laptop-7,O=Example,OU=Lab,C=DE,serialNumber=A7,UID=root",
        "CN=laptop-7,O=Example,OU=Lab,C=DE,serialNumber=A7,DC=example",
        "CN=laptop-7\\,O\\=Example,OU=Lab,C=DE,serialNumber=A7",
    ];
    let change = |text: &'static str| -> Change { Box::new(move |d| d.info.subject = name::parse(text).unwrap()) };
    let mut all: Vec<(String, &str, Change)> =
        table.into_iter().map(|text| (text.to_owned(), "ra.subject-mismatch", change(text))).collect();
    all.push(("no subject".into(), "ra.subject-missing", Box::new(|d| d.info.subject.0.clear())));
    all
}

fn alternative_names() -> Vec<(String, &'static str, Change)> {
    let table: [&[&str]; 22] = [
        &["dns:laptop-8.example.org", NAMES[1], NAMES[2], NAMES[3]],
        &["dns:example.org", NAMES[1], NAMES[2], NAMES[3]],
        &["dns:*.example.org", NAMES[1], NAMES[2], NAMES[3]],
        &[NAMES[1], NAMES[2], NAMES[3]],
        &[NAMES[0], NAMES[0], NAMES[2], NAMES[3]],
        &[NAMES[0], NAMES[0], NAMES[1], NAMES[2], NAMES[3]],
        &[NAMES[0], NAMES[1], NAMES[2], NAMES[3], "dns:dc.example.org"],
        &[NAMES[0], NAMES[1], "ip:10.0.0.8", NAMES[3]],
        &[NAMES[0], NAMES[1], "ip:::ffff:10.0.0.7", NAMES[3]],
        &[NAMES[0], NAMES[1], NAMES[3]],
        &[NAMES[0], NAMES[1], NAMES[2], NAMES[3], "ip:10.0.0.9"],
        &[NAMES[0], NAMES[1], "dns:10.0.0.7", NAMES[3]],
        &[NAMES[0], NAMES[1], NAMES[2], "uri:https://example.org/8"],
        &[NAMES[0], NAMES[1], NAMES[2], "uri:http://example.org/7"],
        &[NAMES[0], NAMES[1], NAMES[2]],
        &[NAMES[0], NAMES[1], NAMES[2], NAMES[3], "uri:spiffe://example.org/root"],
        &[NAMES[0], NAMES[1], NAMES[2], NAMES[3], "uri:tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-500"],
        &[NAMES[0], NAMES[1], NAMES[2], NAMES[3], "email:root@example.org"],
        &[NAMES[0], NAMES[1], NAMES[2], NAMES[3], "upn:root@example.org"],
        &["email:laptop-7@example.org", NAMES[1], NAMES[2], NAMES[3]],
        &[NAMES[0]],
        &["upn:laptop-7@example.org"],
    ];
    let change = |names: &'static [&'static str]| -> Change {
        Box::new(move |d| d.info.san = names.iter().map(|n| n.parse().unwrap()).collect())
    };
    let mut all: Vec<(String, &str, Change)> = table
        .into_iter()
        .map(|names| (names.join(" "), "ra.san-mismatch", change(Box::leak(names.to_vec().into_boxed_slice()))))
        .collect();
    all.push(("no names".into(), "ra.san-missing", Box::new(|d| d.info.san.clear())));
    // Kinds of names that are never issued: rfc822Name in UTF-8, directoryName, registeredID, the Microsoft SID.
    let sid = write::sequence(&[
        write::oid("1.3.6.1.4.1.311.25.2.1".parse().unwrap()),
        write::explicit(0, &write::octet_string(b"S-1-5-21-1")),
    ]);
    let odd = [write::element(0x88, &[0x2a, 3]), write::element(0xa4, &write::sequence::<Vec<u8>>(&[])), with_tag(0xa0, sid)];
    for name in odd {
        let change: Change = Box::new(move |d| {
            let value = lanyard_pki::general_name::encode(&d.info.san);
            let inner = [&value[2..], name.as_slice()].concat();
            d.info.san.clear();
            d.info.extensions.push(Extension::plain(oids::SUBJECT_ALT_NAME, write::element(0x30, &inner)));
        });
        all.push(("a name of another kind".into(), "ra.san-mismatch", change));
    }
    all
}

fn with_tag(tag: u8, mut element: Vec<u8>) -> Vec<u8> {
    element[0] = tag;
    element
}

fn usages() -> Vec<(String, &'static str, Change)> {
    use KeyUsage::{ContentCommitment, CrlSign, DataEncipherment, DigitalSignature, KeyAgreement, KeyCertSign, KeyEncipherment};
    let mut all: Vec<(String, &str, Change)> = Vec::new();
    let table: [&[KeyUsage]; 7] = [
        &[KeyEncipherment],
        &[DigitalSignature, KeyEncipherment],
        &[DigitalSignature, ContentCommitment],
        &[DigitalSignature, KeyCertSign],
        &[DigitalSignature, CrlSign],
        &[DigitalSignature, DataEncipherment],
        &[KeyAgreement],
    ];
    for claimed in table {
        let set: KeyUsages = claimed.iter().copied().collect();
        let change: Change = Box::new(move |d| d.info.key_usage = set.clone());
        all.push((format!("{claimed:?}"), "ra.key-usage-mismatch", change));
    }
    let table: [&[&str]; 8] = [
        &["serverAuth"],
        &["clientAuth", "serverAuth"],
        &["clientAuth", "anyExtendedKeyUsage"],
        &["anyExtendedKeyUsage"],
        &["clientAuth", "msSmartcardLogon"],
        &["msEnrollmentAgent"],
        &["clientAuth", "codeSigning"],
        &["clientAuth", "1.2.3.4"],
    ];
    for claimed in table {
        let set: ExtendedKeyUsages = claimed.iter().map(|purpose| purpose.parse().unwrap()).collect();
        let change: Change = Box::new(move |d| d.info.extended_key_usage = set.clone());
        all.push((format!("{claimed:?}"), "ra.eku-mismatch", change));
    }
    all
}

fn extensions() -> Vec<(String, &'static str, Change)> {
    let push = |extension: Extension| -> Change { Box::new(move |d| d.info.extensions.push(extension.clone())) };
    let mut all: Vec<(String, &str, Change)> = Vec::new();
    for constraints in [Some(None), Some(Some(0))] {
        let extension = Extension::critical(oids::BASIC_CONSTRAINTS, encode_basic_constraints(constraints));
        all.push(("cA TRUE".into(), "ra.ca-requested", push(extension)));
    }
    let known = [
        "1.3.6.1.4.1.311.25.2",
        "1.3.6.1.4.1.311.21.10",
        "1.3.6.1.4.1.311.20.2",
        "1.3.6.1.4.1.311.21.7",
        "2.5.29.32",
        "2.5.29.30",
        "2.5.29.36",
        "2.5.29.35",
        "2.5.29.31",
        "2.5.29.18",
        "1.3.6.1.5.5.7.1.1",
        "1.3.6.1.5.5.7.1.24",
        "1.2.3.4",
    ];
    for oid in known {
        let extension = Extension::plain(oid.parse().unwrap(), write::null());
        all.push((oid.to_owned(), "ra.extension-not-allowed", push(extension)));
    }
    all
}

fn keys() -> Vec<(String, &'static str, Change)> {
    let mut all: Vec<(String, &str, Change)> = Vec::new();
    let longer: Change = Box::new(|d| {
        *d = Device { info: d.info.clone(), ..Device::new(key(KeyKind::Rsa(3072), 0), SUBJECT) };
    });
    all.push(("a longer key".into(), "ra.key-length-mismatch", longer));
    for kind in [KeyKind::EcP256, KeyKind::EcP384, KeyKind::EcP521, KeyKind::Ed25519] {
        // Nothing can be encrypted to such a key, so another one signs; which a first enrolment may not do.
        all.push((kind.to_string(), "scep.signer-key", Box::new(move |d| d.key = key(kind, 0))));
    }
    all.push(("a key of somebody else".into(), "scep.signer-key", Box::new(|d| d.key = rsa(1))));
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn one_field_that_differs_refuses_with_its_own_reason() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let order = Order {
        template: "device-client".into(),
        subject: Some(SUBJECT.into()),
        san: NAMES.map(str::to_owned).to_vec(),
        ..Order::default()
    };
    let table: Vec<_> = [subjects(), alternative_names(), usages(), extensions(), keys()].into_iter().flatten().collect();
    assert!(table.len() >= 80, "{}", table.len());
    for (what, reason, change) in &table {
        let challenge = server.admin.challenge(&order).await;
        let honest = Device::with_challenge(rsa(0), &challenge);
        let mut device = honest.clone();
        change(&mut device);
        let reply = endpoint.enrol(&device).await;
        reply.assert_refused(if reason.starts_with("scep.") { "1" } else { "2" });
        let story = server.admin.request(&reply.request_id).await;
        assert_eq!((story.state.as_str(), story.reason.as_deref()), ("denied", Some(*reason)), "{what}: {:?}", story.detail);
        let decision = audited_decision(&server, &reply.request_id).await;
        assert_eq!(decision, ("request-denied".into(), (*reason).to_owned()), "{what}");
        // A mismatch spends the challenge; a message that does not hold does not.
        let second = endpoint.enrol(&honest).await;
        if reason.starts_with("scep.") { second.assert_issued() } else { second.assert_refused("2") }
    }
    let issued = server.admin.certificates().await.len();
    assert_eq!(issued, table.iter().filter(|(_, reason, _)| reason.starts_with("scep.")).count());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shorter_key_than_the_challenge_says_is_refused() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let order = Order { key: Some("rsa:3072".into()), ..lanyard_testkit::server::order("wifi", "laptop-7") };
    let challenge = server.admin.challenge(&order).await;
    let reply = endpoint.enrol(&Device::with_challenge(rsa(0), &challenge)).await;
    reply.assert_refused("2");
    assert_eq!(server.admin.request(&reply.request_id).await.reason.as_deref(), Some("ra.key-length-mismatch"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_names_in_another_order_and_usages_left_out_are_no_deviation() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let order = Order {
        template: "device-client".into(),
        subject: Some(SUBJECT.into()),
        san: NAMES.map(str::to_owned).to_vec(),
        ..Order::default()
    };
    let mut device = Device::with_challenge(rsa(0), &server.admin.challenge(&order).await);
    device.info.san.reverse();
    device.info.subject.0.reverse();
    let issued = endpoint.enrol(&device).await.certificate().clone();
    // What was ordered is what is in it, in the order of the record.
    assert_eq!(issued.subject().unwrap(), name::parse(SUBJECT).unwrap());
    let names: Vec<String> = issued.subject_alt_names().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(names, NAMES);
}

//! Bar 1: whatever is tried without authority gets no certificate and stands in the audit log.

use std::collections::{BTreeMap, BTreeSet};

use lanyard_enroll::scep::attributes::MESSAGE_TYPE;
use lanyard_model::{secret::SecretBytes, time::Span};
use lanyard_pki::{certificate::Certificate, cms::signed::Identifier, crypto::random::random, write};
use lanyard_server::api::types::Order;
use lanyard_testkit::{
    http,
    keys::rsa,
    scep::{device::Device, endpoint::Endpoint, envelope::Envelope},
    server::{TestServer, order},
};

use super::{size, tell};

/// What a try is made of, all public or stolen but never enough.
struct Loot {
    endpoint: Endpoint,
    /// A challenge that somebody else spent.
    spent: String,
    /// A challenge that has expired.
    expired: String,
    /// A challenge of another installation.
    elsewhere: String,
    /// A living certificate, without its key.
    certificate: Certificate,
    /// A revoked certificate with its key.
    revoked: (Device, Certificate),
    /// A certificate of another installation with its key.
    foreign: (Device, Certificate),
    /// The envelope of an honest request.
    captured: Vec<u8>,
}

const TYPES: [&str; 12] = ["19", "17", "20", "21", "22", "18", "0", "3", "1", "16", "23", "255"];
const KINDS: usize = 12;

/// The n-th try: its kind in words and the message.
fn attempt(n: usize, loot: &Loot) -> (&'static str, Vec<u8>) {
    let message_type = TYPES[(n / KINDS) % TYPES.len()];
    let plain = Device { message_type: message_type.into(), ..Device::new(rsa(n % 3), &format!("CN=intruder-{n},O=Example")) };
    let with = |text: &str| plain.clone().challenge(text).message(&loot.endpoint);
    let signed_by = |(device, certificate): &(Device, Certificate)| {
        let renewal = Device { message_type: message_type.into(), ..device.renewal(certificate, rsa(n % 3)) };
        renewal.message(&loot.endpoint)
    };
    match n % KINDS {
        0 => ("no challenge", plain.message(&loot.endpoint)),
        1 => ("an empty challenge", with("")),
        2 => ("a password", with(&format!("password-{n}"))),
        3 => ("a forged challenge", {
            let mut text = loot.spent.clone().into_bytes();
            let place = 3 + n % (text.len() - 3);
            text[place] = if text[place] == b'A' { b'B' } else { b'A' };
            with(&String::from_utf8(text).unwrap())
        }),
        4 => ("a spent challenge", with(&loot.spent)),
        5 => ("an expired challenge", with(&loot.expired)),
        6 => ("a challenge of elsewhere", with(&loot.elsewhere)),
        7 => ("a revoked certificate", signed_by(&loot.revoked)),
        8 => ("a foreign certificate", signed_by(&loot.foreign)),
        9 => ("a certificate without its key", {
            let thief = Device { signer: loot.certificate.clone(), ..plain };
            let mut draft = thief.draft(&loot.endpoint);
            draft.key = rsa(n % 3);
            draft.sign()
        }),
        10 => ("a captured envelope", plain.draft_of(Some(loot.captured.clone())).sign()),
        _ => ("another content", {
            let content = match n % 4 {
                0 => Identifier::encode_issuer_and_serial(&loot.certificate),
                1 => write::sequence(&[loot.endpoint.issuing().subject_der(), plain.signer.subject_der()]),
                2 => random::<200>().unwrap().to_vec(),
                _ => Vec::new(),
            };
            let mut envelope = Envelope::seal(&content, &loot.endpoint.ra);
            if n % 8 > 3 {
                envelope.wrap(&loot.endpoint.ra, &SecretBytes::new(vec![1; 16]));
            }
            let mut draft = plain.draft_of(Some(envelope.encode()));
            draft.set(MESSAGE_TYPE, vec![write::printable_string(message_type)]);
            draft.sign()
        }),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bar_1_without_authority_there_is_no_certificate_and_every_try_is_audited() {
    let tries = size(240, 1200);
    let stranger = TestServer::start().await;
    let theirs = Endpoint::of(&stranger).await;
    let foreign = Device::with_challenge(rsa(3), &stranger.challenge("laptop-3").await);
    let foreign_certificate = theirs.enrol(&foreign).await.certificate().clone();
    let elsewhere = stranger.challenge("laptop-1").await.challenge;

    // Challenges to be spent late are refused for being used, not for being guessed: nothing here is slowed down too early.
    let server = TestServer::builder().config("wrong-challenges = 200", "wrong-challenges = 100000").start().await;
    let endpoint = Endpoint::of(&server).await;
    let late = Order { ttl: Some("60s".into()), ..order("wifi", "late") };
    let expired = server.admin.challenge(&late).await.challenge;
    server.advance(Span::from_secs(120));
    let used = server.challenge("laptop-0").await;
    let honest = Device::with_challenge(rsa(0), &used);
    let captured = Envelope::seal(&honest.csr(), &endpoint.ra).encode();
    let certificate = endpoint.enrol(&honest).await.certificate().clone();
    let lost = Device::with_challenge(rsa(1), &server.challenge("laptop-1").await);
    let revoked = endpoint.enrol(&lost).await.certificate().clone();
    server.admin.revoke(&revoked.serial().unwrap().to_string(), "keyCompromise").await;
    server.advance(Span::from_days(250));
    let before = server.admin.certificates().await.len();
    let loot = Loot {
        endpoint: endpoint.clone(),
        spent: used.challenge,
        expired,
        elsewhere,
        certificate,
        revoked: (lost, revoked),
        foreign: (foreign, foreign_certificate),
        captured,
    };

    let mut asked: BTreeMap<String, &str> = BTreeMap::new();
    for n in 0..tries {
        let (kind, message) = attempt(n, &loot);
        let response = if n % 5 == 4 {
            let text = lanyard_enroll::scep::query::encode_message(&message);
            http::get(server.http, &format!("{}?operation=PKIOperation&message={text}", endpoint.path)).await
        } else {
            endpoint.post(&message).await
        };
        assert!(matches!(response.status, 200 | 400), "{kind}: {}", response.status);
        asked.insert(response.field("lanyard-request-id").expect("an id").to_owned(), kind);
    }
    assert_eq!(asked.len(), tries, "every try has an id of its own");
    // The administrator's interface is not on the network at all.
    for (method, path) in [("POST", "/api/v1/challenges"), ("POST", "/api/v1/certificates"), ("GET", "/api/v1/requests")] {
        let answer = http::request(server.http, method, path, "Content-Type: application/json\r\n", b"{}").await.unwrap();
        assert_eq!(answer.status, 404, "{path}");
    }
    assert_eq!(server.admin.certificates().await.len(), before, "a certificate was issued");
    let mut audited: BTreeMap<String, usize> = BTreeMap::new();
    for event in server.admin.audit().await {
        if matches!(event.kind.as_str(), "request-denied" | "incident") && event.reason.is_some() {
            *audited.entry(event.request.unwrap_or_default()).or_default() += 1;
        }
    }
    let missing: BTreeSet<&str> = asked.iter().filter(|(id, _)| audited.get(*id) != Some(&1)).map(|(_, kind)| *kind).collect();
    assert!(missing.is_empty(), "not audited exactly once: {missing:?}");
    assert!(server.admin.verify_audit().await.intact);
    tell(1, &format!("{tries} tries of {KINDS} kinds with {} message types: 0 certificates, {tries} audited", TYPES.len()));
}

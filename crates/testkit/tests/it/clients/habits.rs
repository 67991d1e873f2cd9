//! Whole enrolments in the manner of clients that cannot run here.

use std::collections::BTreeSet;

use lanyard_model::client::Client;
use lanyard_pki::{crypto::cipher::ContentCipher, name, oids, signature::Digest, tlv::tag, write};
use lanyard_testkit::{
    http::{self, Response},
    keys::rsa,
    scep::{
        device::Device,
        endpoint::Endpoint,
        envelope::Envelope,
        habits::{self, CLIENTS, enrolment},
        reply::CertRep,
    },
    server::{TestServer, order},
};

use crate::support::csr_with_attributes;

async fn send(server: &TestServer, octets: &[u8]) -> Response {
    Response::parse(&http::raw(server.http, octets).await.unwrap())
}

/// What must be noted of each client, whatever else is.
fn expected(client: Client) -> &'static [&'static str] {
    match client {
        Client::Apple => &["ber", "raw-base64", "get-instead-of-post"],
        Client::Certmonger => &["get-instead-of-post", "signer-version-1", "signer-serial", "signer-time", "signer-life"],
        Client::Cisco => &["http-1.0", "get-instead-of-post", "lines-in-query"],
        Client::Java => &["get-instead-of-post"],
        Client::Sscep => &["get-instead-of-post", "lines-in-query"],
        Client::Windows => &["oaep", "signer-critical-aki"],
        _ => &[],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_client_enrols_as_it_does() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    for (n, client) in CLIENTS.into_iter().enumerate() {
        let identifier = habits::identifier(client).map(|id| format!("&message={id}")).unwrap_or_default();
        for operation in ["GetCACaps", "GetCACert"] {
            let target = format!("/scep/default?operation={operation}{identifier}");
            assert_eq!(http::get(server.http, &target).await.status, 200, "{client}");
        }
        let challenge = server.challenge(&format!("{client}-1")).await;
        let (device, wire) = enrolment(client, Device::with_challenge(rsa(n % 3), &challenge), &endpoint, false);
        let response = send(&server, &wire.http).await;
        let reply = CertRep::read(&response, &endpoint.ra, &device);
        reply.assert_issued();
        let told = server.admin.request(&reply.request_id).await;
        assert_eq!(told.client.as_deref(), Some(client.as_str()), "{told:?}");
        for word in expected(client) {
            assert!(told.accommodations.iter().any(|w| w == word), "{client}: {word} is missing in {:?}", told.accommodations);
        }
        assert!(told.story.iter().any(|line| line.starts_with(&format!("The client was recognised as {client} by "))));
        // The same octets again are a poll of the stored outcome.
        assert_eq!(CertRep::read(&send(&server, &wire.http).await, &endpoint.ra, &device).serial(), reply.serial());
    }
    assert_eq!(server.admin.certificates().await.len(), CLIENTS.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn old_versions_enrol_at_a_legacy_profile_alone() {
    let server = TestServer::start().await;
    let strict = Endpoint::of(&server).await;
    let legacy = Endpoint { path: "/scep/legacy".into(), ..strict.clone() };
    for (n, client) in [Client::Apple, Client::Cisco, Client::Java, Client::Mikrotik, Client::Sscep].into_iter().enumerate() {
        let mut wanted = order("wifi", &format!("{client}-1"));
        wanted.profile = Some("legacy".into());
        let challenge = server.admin.challenge(&wanted).await;
        let device = || Device::with_challenge(rsa(n % 3), &challenge);
        let (asking, wire) = enrolment(client, device(), &strict, true);
        let refused = CertRep::read(&send(&server, &wire.http).await, &strict.ra, &asking);
        refused.assert_refused("0");
        let (asking, wire) = enrolment(client, device(), &legacy, true);
        let reply = CertRep::read(&send(&server, &wire.http).await, &legacy.ra, &asking);
        reply.assert_issued();
        let cipher = if client == Client::Cisco { ContentCipher::Des } else { ContentCipher::TripleDes };
        assert_eq!(reply.cipher, Some(cipher), "mirrored");
        assert!(reply.fail_text.is_none());
        let noted = server.admin.request(&reply.request_id).await.accommodations;
        assert!(noted.iter().any(|word| word == "legacy-cipher"), "{noted:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn renewals_come_as_pkcs_req() {
    let always = [("renewal-window = \"120d\"", "renewal-window = \"364d\""), ("lifetime = \"365d\"", "lifetime = \"364d\"")];
    let server = TestServer::builder().template("wifi", "hosts", &always).start().await;
    let endpoint = Endpoint::of(&server).await;
    for (n, client) in [Client::Apple, Client::Certmonger, Client::Cisco, Client::Sscep].into_iter().enumerate() {
        let challenge = server.admin.challenge(&order("hosts", &format!("{client}-1"))).await;
        let (first, wire) = enrolment(client, Device::with_challenge(rsa(n), &challenge), &endpoint, false);
        let old = CertRep::read(&send(&server, &wire.http).await, &endpoint.ra, &first).certificate().clone();
        // The same key and the same transactionID, signed by the certificate.
        let renewal =
            Device { message_type: "19".into(), transaction: first.transaction.clone(), ..first.renewal(&old, first.key) };
        let message = habits::message(client, &renewal, &renewal.csr(), Digest::Sha256, ContentCipher::Aes128, &endpoint);
        let response = send(&server, &habits::http(client, &message, &endpoint.path)).await;
        let reply = CertRep::read(&response, &endpoint.ra, &renewal);
        let told = server.admin.certificate(&reply.serial()).await;
        assert_eq!(told.renews, Some(old.serial().unwrap().to_string()), "{client}");
        let request = server.admin.request(&reply.request_id).await;
        assert!(request.accommodations.iter().any(|word| word == "renewal-as-pkcsreq"), "{client}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_may_name_any_issuer() {
    let held = [("approval = \"automatic\"", "approval = \"person\"")];
    let server = TestServer::builder().template("wifi", "held", &held).start().await;
    let endpoint = Endpoint::of(&server).await;
    let challenge = server.admin.challenge(&order("held", "gear-1")).await;
    let (device, wire) = enrolment(Client::Sscep, Device::with_challenge(rsa(0), &challenge), &endpoint, false);
    let pending = CertRep::read(&send(&server, &wire.http).await, &endpoint.ra, &device);
    assert_eq!(pending.status, "3");
    let polling = Device { message_type: "20".into(), ..device.clone() };
    for issuer in [endpoint.ra.subject_der().to_vec(), endpoint.issuing().subject_der().to_vec(), write::sequence::<Vec<u8>>(&[])]
    {
        let asked = write::sequence(&[issuer, name::encode(&device.info.subject)]);
        let message = habits::message(Client::Sscep, &polling, &asked, Digest::Sha256, ContentCipher::Aes128, &endpoint);
        assert_eq!(endpoint.send(&message, &polling).await.status, "3");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_answer_has_a_nonce_of_its_own() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let device = Device::with_challenge(rsa(0), &server.challenge("java-1").await);
    let message = device.message(&endpoint);
    let mut nonces = BTreeSet::new();
    for _ in 0..20 {
        let reply = endpoint.send(&message, &device).await;
        assert_ne!(reply.sender_nonce, device.nonce);
        nonces.insert(reply.sender_nonce);
    }
    assert_eq!(nonces.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn nonces_of_other_lengths_are_echoed() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    for length in [1, 8, 15, 17, 64] {
        let challenge = server.challenge(&format!("laptop-{length}")).await;
        let device = Device { nonce: vec![7; length], ..Device::with_challenge(rsa(0), &challenge) };
        let reply = endpoint.enrol(&device).await;
        reply.assert_issued();
        assert_eq!(server.admin.request(&reply.request_id).await.accommodations, ["nonce-length"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_may_enrol_as_often_as_there_are_challenges() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    // Each linked Wi-Fi or VPN profile of an Apple device triggers an enrolment of its own.
    for n in 0..4 {
        let challenge = server.challenge(&format!("phone-{n}")).await;
        let (device, wire) = enrolment(Client::Apple, Device::with_challenge(rsa(0), &challenge), &endpoint, false);
        CertRep::read(&send(&server, &wire.http).await, &endpoint.ra, &device).assert_issued();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_with_characters_outside_printable_string_is_read() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let attribute = |oid, value: Vec<u8>| write::sequence(&[write::oid(oid), write::constructed(tag::SET, &[value])]);
    let friendly_name = attribute(
        "1.2.840.113549.1.9.20".parse().unwrap(),
        write::element(tag::BMP_STRING, &"device".bytes().flat_map(|b| [0, b]).collect::<Vec<u8>>()),
    );
    let challenge = server.challenge("certmonger-1").await;
    let device = Device::new(rsa(0), &challenge.subject);
    // Not a challenge of ours, but it arrives as it was sent, and the refusal says what it was.
    let wrong = attribute(oids::CHALLENGE_PASSWORD, write::element(tag::PRINTABLE_STRING, b"_@*!&"));
    let csr = csr_with_attributes(&device, &[friendly_name.clone(), wrong]);
    let reply = endpoint.send(&device.draft_of(Some(Envelope::seal(&csr, &endpoint.ra).encode())).sign(), &device).await;
    reply.assert_refused("2");
    let told = server.admin.request(&reply.request_id).await;
    assert_eq!(told.reason.as_deref(), Some("ra.challenge-malformed"));
    assert!(told.accommodations.iter().any(|word| word == "challenge-alphabet"), "{:?}", told.accommodations);
    // friendlyName before and after it, so that one of the two is out of order.
    let good = attribute(oids::CHALLENGE_PASSWORD, write::printable_string(&challenge.challenge));
    let csr = csr_with_attributes(&device, &[good, friendly_name]);
    let device = Device { nonce: vec![1; 16], ..device };
    let reply = endpoint.send(&device.draft_of(Some(Envelope::seal(&csr, &endpoint.ra).encode())).sign(), &device).await;
    reply.assert_issued();
    let noted = server.admin.request(&reply.request_id).await.accommodations;
    assert_eq!(noted, ["unsorted-csr-attributes"]);
}

//! GetCert and GetCRL (RFC 8894, sections 4.5 and 4.6).

use lanyard_pki::{certificate::Certificate, cms::signed::Identifier, cms::signed::SignedData, tlv::tag, write};
use lanyard_testkit::{
    http,
    keys::rsa,
    scep::{device::Device, endpoint::Endpoint, envelope::Envelope},
    server::TestServer,
};

/// A server whose profile `fetch` allows both.
async fn server() -> (TestServer, Endpoint) {
    let both = [("get-cert = false", "get-cert = true"), ("get-crl = false", "get-crl = true")];
    let server = TestServer::builder().profile("default", "fetch", &both).start().await;
    let endpoint = Endpoint::at(server.http, "fetch").await;
    (server, endpoint)
}

/// A device that asks with its certificate.
async fn enrolled(server: &TestServer, n: usize) -> (Device, Certificate) {
    let endpoint = Endpoint::of(server).await;
    let device = Device::with_challenge(rsa(n), &server.challenge(&format!("laptop-{n}")).await);
    let certificate = endpoint.enrol(&device).await.certificate().clone();
    (Device { signer: certificate.clone(), ..device }, certificate)
}

fn asking(device: &Device, message_type: &str, about: &[u8], endpoint: &Endpoint) -> (Device, Vec<u8>) {
    let device = Device { message_type: message_type.into(), ..device.clone() };
    let message = device.draft_of(Some(Envelope::seal(about, &endpoint.ra).encode())).sign();
    (device, message)
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc8894_4_5_a_certificate_is_fetched_by_issuer_and_serial_number() {
    let (server, endpoint) = server().await;
    let (device, own) = enrolled(&server, 0).await;
    let (_, other) = enrolled(&server, 1).await;
    for wanted in [&own, &other, endpoint.issuing(), &endpoint.ra] {
        let (device, message) = asking(&device, "21", &Identifier::encode_issuer_and_serial(wanted), &endpoint);
        let reply = endpoint.fetch(&message, &device).await;
        assert_eq!(reply.certificates.len(), 1);
        assert_eq!(reply.certificates[0].der(), wanted.der());
        assert!(reply.crls.is_empty());
    }
    let unknown = write::sequence(&[endpoint.issuing().subject_der(), &write::element(tag::INTEGER, &[5; 16])]);
    let foreign = Identifier::encode_issuer_and_serial(&Device::new(rsa(2), "CN=elsewhere").signer);
    let impossible = write::sequence(&[endpoint.issuing().subject_der(), &write::element(tag::INTEGER, &[0x85; 40])]);
    for about in [unknown, foreign, impossible] {
        for (message_type, about) in [("21", about.clone())] {
            let (device, message) = asking(&device, message_type, &about, &endpoint);
            let reply = endpoint.send(&message, &device).await;
            reply.assert_refused("4");
            assert_eq!(server.admin.request(&reply.request_id).await.reason.as_deref(), Some("scep.no-certificate"));
        }
    }
    let (device, message) = asking(&device, "21", b"no structure", &endpoint);
    endpoint.send(&message, &device).await.assert_refused("1");
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc8894_4_6_the_newest_list_is_fetched_as_crls() {
    let (server, endpoint) = server().await;
    let (device, own) = enrolled(&server, 0).await;
    let (_, other) = enrolled(&server, 1).await;
    server.admin.revoke(&other.serial().unwrap().to_string(), "keyCompromise").await;
    let published = http::get(server.http, "/crl/issuing.crl").await.body;
    let (device, message) = asking(&device, "22", &Identifier::encode_issuer_and_serial(&own), &endpoint);
    let reply = endpoint.fetch(&message, &device).await;
    assert!(reply.certificates.is_empty());
    assert_eq!(reply.crls, [published]);
    let foreign = Identifier::encode_issuer_and_serial(&Device::new(rsa(2), "CN=elsewhere").signer);
    let (device, message) = asking(&device, "22", &foreign, &endpoint);
    endpoint.send(&message, &device).await.assert_refused("4");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_living_certificate_of_ours_may_ask_and_only_where_the_profile_says_so() {
    let (server, endpoint) = server().await;
    let plain = Endpoint::of(&server).await;
    let (device, own) = enrolled(&server, 0).await;
    let about = Identifier::encode_issuer_and_serial(&own);
    let (revoked, certificate) = enrolled(&server, 1).await;
    server.admin.revoke(&certificate.serial().unwrap().to_string(), "superseded").await;
    let stranger = TestServer::start().await;
    let (foreign, _) = enrolled(&stranger, 2).await;
    let self_signed = Device::new(rsa(3), "CN=laptop-0,O=Example");
    for message_type in ["21", "22"] {
        let refused = async |device: &Device, endpoint: &Endpoint, reason: &str| {
            let (device, message) = asking(device, message_type, &about, endpoint);
            let reply = endpoint.send(&message, &device).await;
            reply.assert_refused("2");
            assert_eq!(server.admin.request(&reply.request_id).await.reason.as_deref(), Some(reason));
        };
        refused(&device, &plain, "scep.message-type").await;
        refused(&revoked, &endpoint, "scep.requester").await;
        refused(&foreign, &endpoint, "scep.requester").await;
        refused(&self_signed, &endpoint, "scep.requester").await;
    }
    server.advance(lanyard_model::time::Span::from_days(366));
    let (late, message) = asking(&device, "21", &about, &endpoint);
    endpoint.send(&message, &late).await.assert_refused("2");
}

#[test]
fn a_bag_of_lists_has_no_certificates_and_no_signers() {
    let bag = SignedData::decode(&lanyard_pki::cms::sign::crls_only(&[write::sequence(&[write::null()])])).unwrap();
    assert!(bag.certificates.is_empty() && bag.signers.is_empty() && bag.content.is_none());
    assert_eq!(bag.crls.len(), 1);
}

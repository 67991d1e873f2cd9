//! Without a good challenge there is no certificate.

use lanyard_model::{time::Span, usage::ExtendedKeyUsages};
use lanyard_server::api::types::Order;
use lanyard_testkit::{
    keys::rsa,
    scep::{device::Device, endpoint::Endpoint},
    server::{TestServer, order, subject},
};

use crate::support::audited_decision;

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_are_no_good_challenge_get_nothing() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let challenge = server.challenge("laptop-1").await;
    let good = challenge.challenge.clone();
    let other = TestServer::start().await.challenge("laptop-1").await.challenge;
    let mut tries: Vec<(String, &str)> = ["", " ", "\0", "0", "password", "LC1", "null", "*", "' OR 1=1 --"]
        .into_iter()
        .map(|text| (text.to_owned(), if text.is_empty() { "ra.challenge-missing" } else { "ra.challenge-malformed" }))
        .collect();
    tries.push((good.to_lowercase(), "ra.challenge-malformed"));
    tries.push((format!("{good}A"), "ra.challenge-malformed"));
    tries.push((format!(" {good}"), "ra.challenge-malformed"));
    tries.push((good[..87].to_owned(), "ra.challenge-malformed"));
    tries.push((format!("LC2{}", &good[3..]), "ra.challenge-malformed"));
    tries.push((good.repeat(2), "ra.challenge-malformed"));
    tries.push((other, "ra.challenge-unknown"));
    // One character changed at every place: version, id, expiry or signature.
    for place in 3..good.len() {
        let mut altered = good.clone().into_bytes();
        altered[place] = if altered[place] == b'B' { b'C' } else { b'B' };
        tries.push((String::from_utf8(altered).unwrap(), ""));
    }
    for (text, reason) in &tries {
        let device = Device::new(rsa(0), &challenge.subject).challenge(text);
        let reply = endpoint.enrol(&device).await;
        reply.assert_refused("2");
        let (kind, audited) = audited_decision(&server, &reply.request_id).await;
        assert_eq!(kind, "request-denied");
        let known = ["ra.challenge-malformed", "ra.challenge-unknown", "ra.challenge-signature"];
        assert!(if reason.is_empty() { known.contains(&audited.as_str()) } else { audited == *reason }, "{text:?}: {audited}");
    }
    let without = endpoint.enrol(&Device::new(rsa(0), &challenge.subject)).await;
    without.assert_refused("2");
    assert!(server.admin.certificates().await.is_empty());
    endpoint.enrol(&Device::with_challenge(rsa(0), &challenge)).await.assert_issued();
}

#[tokio::test(flavor = "multi_thread")]
async fn challenges_that_are_used_expired_elsewhere_or_for_the_blocked_get_nothing() {
    let server = TestServer::builder().profile("default", "other", &[]).start().await;
    let endpoint = Endpoint::of(&server).await;
    let admin = &server.admin;
    let refused = async |device: &Device, endpoint: &Endpoint, reason: &str| {
        let reply = endpoint.enrol(device).await;
        reply.assert_refused("2");
        assert_eq!(admin.request(&reply.request_id).await.reason.as_deref(), Some(reason));
    };

    let used = server.challenge("used").await;
    endpoint.enrol(&Device::with_challenge(rsa(0), &used)).await.assert_issued();
    // Another request of the same key.
    let mut again = Device::with_challenge(rsa(0), &used);
    again.info.extended_key_usage = ExtendedKeyUsages::from(["clientAuth".parse().unwrap()]);
    refused(&again, &endpoint, "ra.challenge-used").await;
    refused(&Device::with_challenge(rsa(1), &used), &endpoint, "ra.challenge-other-key").await;

    let elsewhere = server.challenge("elsewhere").await;
    let other = Endpoint::at(server.http, "other").await;
    refused(&Device::with_challenge(rsa(0), &elsewhere), &other, "ra.challenge-other-audience").await;

    let blocked = serde_json::json!({ "id": "D-1", "name": "laptop-1", "blocked": false });
    admin.save_device(blocked).await;
    let challenge = admin.challenge(&Order { device: Some("D-1".into()), ..order("wifi", "laptop-1") }).await;
    admin.save_device(serde_json::json!({ "id": "D-1", "name": "laptop-1", "blocked": true })).await;
    refused(&Device::with_challenge(rsa(0), &challenge), &endpoint, "ra.device-blocked").await;

    admin.save_user(serde_json::json!({ "name": "jo" })).await;
    let challenge = admin.challenge(&Order { user: Some("jo".into()), ..order("wifi", "laptop-2") }).await;
    admin.save_user(serde_json::json!({ "name": "jo", "disabled": true })).await;
    refused(&Device::with_challenge(rsa(0), &challenge), &endpoint, "ra.user-disabled").await;

    let expired = admin.challenge(&Order { ttl: Some("60s".into()), ..order("wifi", "late") }).await;
    server.advance(Span::from_secs(60));
    refused(&Device::with_challenge(rsa(0), &expired), &endpoint, "ra.challenge-expired").await;
    assert_eq!(admin.certificates().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_in_any_string_type_is_the_same_challenge() {
    use lanyard_pki::{crypto::random::random, tlv::tag, write};
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    for string in [tag::PRINTABLE_STRING, tag::UTF8_STRING, tag::IA5_STRING, tag::TELETEX_STRING, tag::BMP_STRING] {
        let name = format!("laptop-{string}");
        let challenge = server.challenge(&name).await.challenge;
        let mut device = Device::new(rsa(0), &subject(&name));
        device.nonce = random::<16>().unwrap().to_vec();
        let text: Vec<u8> = match string {
            tag::BMP_STRING => challenge.bytes().flat_map(|b| [0, b]).collect(),
            _ => challenge.into_bytes(),
        };
        let csr = crate::support::csr_with_challenge(&device, &write::element(string, &text));
        let envelope = lanyard_testkit::scep::envelope::Envelope::seal(&csr, &endpoint.ra);
        let reply = endpoint.send(&device.draft_of(Some(envelope.encode())).sign(), &device).await;
        reply.assert_issued();
    }
}

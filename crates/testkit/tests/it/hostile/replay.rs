//! The same message again is answered alike; anything else with its challenge or transaction is refused and is an incident.

use lanyard_testkit::{
    keys::rsa,
    scep::{
        device::{Device, random_text},
        endpoint::Endpoint,
        envelope::Envelope,
    },
    server::TestServer,
};

use crate::support::audited_decision;

#[tokio::test(flavor = "multi_thread")]
async fn the_same_octets_get_the_same_certificate_even_after_a_restart() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let device = Device::with_challenge(rsa(0), &server.challenge("laptop-1").await);
    let message = device.message(&endpoint);
    let first = endpoint.send(&message, &device).await;
    let again = endpoint.send(&message, &device).await;
    assert_eq!(first.certificate().der(), again.certificate().der());
    assert_eq!(first.request_id, again.request_id);
    assert_ne!(first.sender_nonce, again.sender_nonce, "jscep takes a repeated nonce for a replay");
    let server = server.restart().await;
    let endpoint = Endpoint::of(&server).await;
    assert_eq!(endpoint.send(&message, &device).await.certificate().der(), first.certificate().der());

    // The same CSR in a new message and a new transaction: a client that lost everything but its CSR.
    let device = Device { transaction: random_text(), ..device };
    assert_eq!(endpoint.enrol(&device).await.certificate().der(), first.certificate().der());
    assert_eq!(server.admin.certificates().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_answer_holds_no_revoked_certificate() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let device = Device::with_challenge(rsa(0), &server.challenge("laptop-1").await);
    let message = device.message(&endpoint);
    let serial = endpoint.send(&message, &device).await.serial();
    server.admin.revoke(&serial, "keyCompromise").await;
    endpoint.send(&message, &device).await.assert_refused("2");
    assert_eq!(server.admin.certificates().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_with_a_used_challenge_is_an_incident() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let challenge = server.challenge("laptop-1").await;
    endpoint.enrol(&Device::with_challenge(rsa(0), &challenge)).await.assert_issued();
    let thief = endpoint.enrol(&Device::with_challenge(rsa(1), &challenge)).await;
    thief.assert_refused("2");
    let decision = audited_decision(&server, &thief.request_id).await;
    assert_eq!(decision, ("incident".into(), "ra.challenge-other-key".into()));
    assert_eq!(server.admin.certificates().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_in_a_transaction_is_an_incident() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let device = Device::with_challenge(rsa(0), &server.challenge("laptop-1").await);
    endpoint.enrol(&device).await.assert_issued();
    let thief = Device::with_challenge(rsa(1), &server.challenge("laptop-2").await);
    let thief = Device { transaction: device.transaction.clone(), ..thief };
    let reply = endpoint.enrol(&thief).await;
    reply.assert_refused("2");
    let decision = audited_decision(&server, &reply.request_id).await;
    assert_eq!(decision, ("incident".into(), "ra.transaction-other-key".into()));
    assert_eq!(server.admin.certificates().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_captured_envelope_under_another_signature_gets_nothing_and_spends_nothing() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let device = Device::with_challenge(rsa(0), &server.challenge("laptop-1").await);
    let captured = Envelope::seal(&device.csr(), &endpoint.ra).encode();
    let thief = Device::new(rsa(1), "CN=laptop-1,O=Example");
    let reply = endpoint.send(&thief.draft_of(Some(captured.clone())).sign(), &thief).await;
    reply.assert_refused("1");
    assert_eq!(server.admin.request(&reply.request_id).await.reason.as_deref(), Some("scep.signer-key"));
    endpoint.send(&device.draft_of(Some(captured)).sign(), &device).await.assert_issued();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_spent_by_a_mismatch_stays_spent_after_a_restart() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let challenge = server.challenge("laptop-1").await;
    let mut wrong = Device::with_challenge(rsa(0), &challenge);
    wrong.info.san = vec!["dns:dc.example.org".parse().unwrap()];
    endpoint.enrol(&wrong).await.assert_refused("2");
    let server = server.restart().await;
    let endpoint = Endpoint::of(&server).await;
    endpoint.enrol(&Device::with_challenge(rsa(0), &challenge)).await.assert_refused("2");
    assert!(server.admin.certificates().await.is_empty());
}

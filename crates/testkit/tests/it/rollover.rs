//! The registration certificate renews itself, and what was encrypted to the old one is still understood.

use lanyard_model::time::Span;
use lanyard_server::jobs::runner::renew_service_certificates;
use lanyard_testkit::{
    keys::rsa,
    scep::{device::Device, endpoint::Endpoint},
    server::{Builder, TestServer, order},
};

fn builder() -> Builder {
    TestServer::builder().template("wifi", "held", &[("approval = \"automatic\"", "approval = \"person\"")])
}

/// Lets time pass until the registration certificate is due, and renews it.
async fn renewed(server: &TestServer) -> Endpoint {
    let old = Endpoint::of(server).await;
    let (first, last) = old.ra.validity().unwrap();
    let life = last.secs() - first.secs();
    renew_service_certificates(&server.server).await.unwrap();
    assert_eq!(Endpoint::of(server).await.ra.der(), old.ra.der(), "it is not due yet");
    server.advance(Span::from_secs(life * 3 / 4));
    renew_service_certificates(&server.server).await.unwrap();
    let new = Endpoint::of(server).await;
    assert_ne!(new.ra.der(), old.ra.der());
    new.ra.verify_issued_by(new.issuing()).unwrap();
    assert!(new.ra.is_valid_at(server.now()));
    let audit = server.admin.audit().await;
    assert!(audit.iter().any(|e| e.kind == "service-certificate-renewed" && e.actor == "job:service-certificates"));
    old
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_to_the_old_registration_certificate_are_answered_by_the_new_one() {
    let server = builder().start().await;
    let before = Endpoint::of(&server).await;
    let challenge = server.admin.challenge(&order("held", "waiting")).await;
    let waiting = Device::with_challenge(rsa(1), &challenge);
    let held = before.enrol(&waiting).await;
    assert_eq!(held.status, "3");

    let old = renewed(&server).await;
    let new = Endpoint::of(&server).await;
    for (n, encrypted_to) in [&old, &new].into_iter().enumerate() {
        let device = Device::with_challenge(rsa(0), &server.challenge(&format!("laptop-{n}")).await);
        new.send(&device.message(encrypted_to), &device).await.assert_issued();
    }
    let server = server.restart().await;
    let new = Endpoint::of(&server).await;
    let device = Device::with_challenge(rsa(0), &server.challenge("laptop-9").await);
    new.send(&device.message(&old), &device).await.assert_issued();
    // A poll to the old one finds its request, though that waited far too long.
    new.send(&waiting.poll(&old), &waiting).await.assert_refused("2");
    let record = server.admin.request(&held.request_id).await;
    assert_eq!((record.state.as_str(), record.reason.as_deref()), ("expired", Some("server.request-expired")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_registration_certificate_that_has_ended_opens_nothing() {
    let server = builder().start().await;
    let old = renewed(&server).await;
    let (first, last) = old.ra.validity().unwrap();
    server.advance(Span::from_secs((last.secs() - first.secs()) / 3));
    let server = server.restart().await;
    let new = Endpoint::of(&server).await;
    let device = Device::with_challenge(rsa(0), &server.challenge("laptop-1").await);
    new.send(&device.message(&old), &device).await.assert_refused("1");
    new.enrol(&device).await.assert_issued();
}

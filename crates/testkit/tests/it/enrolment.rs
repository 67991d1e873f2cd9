//! First enrolments that ought to succeed, and what is answered beside them.

use lanyard_testkit::{
    keys::rsa,
    scep::{device::Device, endpoint::Endpoint},
    server::TestServer,
};

#[tokio::test(flavor = "multi_thread")]
async fn rfc8894_3_3_1_a_request_that_agrees_with_its_challenge_gets_its_certificate() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let device = Device::with_challenge(rsa(0), &server.challenge("laptop-1").await);
    let reply = endpoint.enrol(&device).await;
    let certificate = reply.certificate();
    assert_eq!(certificate.subject().unwrap().to_string(), "CN=laptop-1,O=Example");
    certificate.verify_issued_by(endpoint.issuing()).unwrap();
    assert_eq!(server.admin.certificate(&reply.serial()).await.status, "valid");
    let story = server.admin.request(&reply.request_id).await;
    assert_eq!((story.state.as_str(), story.reason.as_deref()), ("issued", Some("ra.granted")));
    assert!(server.admin.verify_audit().await.intact);
}

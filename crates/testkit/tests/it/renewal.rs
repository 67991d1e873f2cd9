//! Renewals by RenewalReq and by PKCSReq, and every rule that refuses one, alone.

use lanyard_enroll::scep::attributes::MESSAGE_TYPE;
use lanyard_model::time::Span;
use lanyard_pki::{certificate::Certificate, write};
use lanyard_server::api::types::Order;
use lanyard_testkit::{
    keys::rsa,
    scep::{device::Device, endpoint::Endpoint},
    server::{TestServer, order},
};

/// 365 days, renewable in the last 120.
const OPEN: Span = Span::from_days(250);

async fn server() -> (TestServer, Endpoint) {
    let server = TestServer::builder().profile("default", "other", &[]).start().await;
    let endpoint = Endpoint::of(&server).await;
    (server, endpoint)
}

async fn enrolled(server: &TestServer, endpoint: &Endpoint, n: usize) -> (Device, Certificate) {
    enrolled_as(server, endpoint, n, &order("wifi", &format!("laptop-{n}"))).await
}

async fn enrolled_as(server: &TestServer, endpoint: &Endpoint, n: usize, order: &Order) -> (Device, Certificate) {
    let device = Device::with_challenge(rsa(n), &server.admin.challenge(order).await);
    let certificate = endpoint.enrol(&device).await.certificate().clone();
    (device, certificate)
}

async fn assert_refused(server: &TestServer, endpoint: &Endpoint, renewal: &Device, reason: &str) {
    let reply = endpoint.enrol(renewal).await;
    assert_eq!(reply.status, "2", "{reason}");
    assert_eq!(server.admin.request(&reply.request_id).await.reason.as_deref(), Some(reason));
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc8894_2_5_a_certificate_in_its_window_renews_itself() {
    let (server, endpoint) = server().await;
    let (device, old) = enrolled(&server, &endpoint, 0).await;
    server.advance(OPEN);
    let reply = endpoint.enrol(&device.renewal(&old, rsa(1))).await;
    let new = reply.certificate();
    assert_eq!(new.subject_der(), old.subject_der());
    assert_eq!(server.admin.certificate(&reply.serial()).await.renews, Some(old.serial().unwrap().to_string()));
    assert_eq!(server.admin.certificate(&old.serial().unwrap().to_string()).await.renewed_by, Some(reply.serial()));
    // The old one still counts until it ends: the device may not have got the new one yet.
    assert_eq!(server.admin.certificate(&old.serial().unwrap().to_string()).await.status, "valid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pkcs_req_signed_by_a_certificate_of_ours_is_a_renewal_too_with_old_or_new_key() {
    let (server, endpoint) = server().await;
    for (n, new_key) in [(0, 0), (1, 2)] {
        let (device, old) = enrolled(&server, &endpoint, n).await;
        server.advance(OPEN);
        let renewal = Device { message_type: "19".into(), ..device.renewal(&old, rsa(new_key)) };
        let reply = endpoint.enrol(&renewal).await;
        assert_eq!(server.admin.certificate(&reply.serial()).await.renews, Some(old.serial().unwrap().to_string()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn renewing_twice_leaves_one_living_successor() {
    let (server, endpoint) = server().await;
    let (device, old) = enrolled(&server, &endpoint, 0).await;
    server.advance(OPEN);
    let first = endpoint.enrol(&device.renewal(&old, rsa(1))).await.serial();
    let second = endpoint.enrol(&device.renewal(&old, rsa(2))).await.serial();
    let told = server.admin.certificate(&first).await;
    assert_eq!((told.status.as_str(), told.revocation_reason.as_deref()), ("revoked", Some("superseded")));
    assert_eq!(server.admin.certificate(&second).await.status, "valid");
    let old_serial = old.serial().unwrap().to_string();
    assert_eq!(server.admin.certificate(&old_serial).await.renewed_by, Some(second));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_renewal_again_gets_the_same_certificate() {
    let (server, endpoint) = server().await;
    let (device, old) = enrolled(&server, &endpoint, 0).await;
    server.advance(OPEN);
    let renewal = device.renewal(&old, rsa(1));
    let message = renewal.message(&endpoint);
    let first = endpoint.send(&message, &renewal).await.serial();
    assert_eq!(endpoint.send(&message, &renewal).await.serial(), first);
    assert_eq!(server.admin.certificates().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn outside_its_window_a_certificate_renews_nothing() {
    let (server, endpoint) = server().await;
    let (device, old) = enrolled(&server, &endpoint, 0).await;
    assert_refused(&server, &endpoint, &device.renewal(&old, rsa(1)), "ra.renewal-too-early").await;
    server.advance(Span::from_days(240));
    assert_refused(&server, &endpoint, &device.renewal(&old, rsa(1)), "ra.renewal-too-early").await;
    server.advance(Span::from_days(126));
    assert_refused(&server, &endpoint, &device.renewal(&old, rsa(1)), "ra.renewal-expired").await;
    assert_eq!(server.admin.certificates().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_certificate_renews_nothing() {
    let (server, endpoint) = server().await;
    let (device, old) = enrolled(&server, &endpoint, 0).await;
    server.advance(OPEN);
    server.admin.revoke(&old.serial().unwrap().to_string(), "cessation-of-operation").await;
    assert_refused(&server, &endpoint, &device.renewal(&old, rsa(1)), "ra.renewal-revoked").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_renews_nothing_at_another_profile() {
    let (server, endpoint) = server().await;
    let (device, old) = enrolled(&server, &endpoint, 0).await;
    server.advance(OPEN);
    let other = Endpoint::at(server.http, "other").await;
    assert_refused(&server, &other, &device.renewal(&old, rsa(1)), "ra.renewal-other-profile").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_cannot_change_names() {
    let (server, endpoint) = server().await;
    let (device, old) = enrolled(&server, &endpoint, 0).await;
    server.advance(OPEN);
    let mut renamed = device.renewal(&old, rsa(1));
    renamed.info.subject = lanyard_pki::name::parse("CN=dc-1,O=Example").unwrap();
    assert_refused(&server, &endpoint, &renamed, "ra.subject-mismatch").await;
    let mut named = device.renewal(&old, rsa(1));
    named.info.san.push("dns:dc-1.example.org".parse().unwrap());
    assert_refused(&server, &endpoint, &named, "ra.san-mismatch").await;
    // Nothing of it is spent: the honest renewal still works.
    endpoint.enrol(&device.renewal(&old, rsa(1))).await.assert_issued();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_device_or_disabled_user_renews_nothing() {
    let (server, endpoint) = server().await;
    let admin = &server.admin;
    admin.save_device(serde_json::json!({ "id": "D-1", "name": "laptop-0" })).await;
    let order_0 = Order { device: Some("D-1".into()), ..order("wifi", "laptop-0") };
    let (device, old) = enrolled_as(&server, &endpoint, 0, &order_0).await;
    admin.save_user(serde_json::json!({ "name": "jo" })).await;
    let order_1 = Order { user: Some("jo".into()), ..order("wifi", "laptop-1") };
    let (second, second_old) = enrolled_as(&server, &endpoint, 1, &order_1).await;
    server.advance(OPEN);
    admin.save_device(serde_json::json!({ "id": "D-1", "name": "laptop-0", "blocked": true })).await;
    assert_refused(&server, &endpoint, &device.renewal(&old, rsa(2)), "ra.device-blocked").await;
    admin.save_device(serde_json::json!({ "id": "D-1", "name": "laptop-9" })).await;
    assert_refused(&server, &endpoint, &device.renewal(&old, rsa(2)), "ra.record-changed").await;
    admin.save_user(serde_json::json!({ "name": "jo", "disabled": true })).await;
    assert_refused(&server, &endpoint, &second.renewal(&second_old, rsa(2)), "ra.user-disabled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_ours_in_other_hands_renews_nothing() {
    let (server, endpoint) = server().await;
    let (device, old) = enrolled(&server, &endpoint, 0).await;
    server.advance(OPEN);
    // The certificate is public; without its key it signs nothing.
    let thief = Device { signer_key: rsa(1), ..device.renewal(&old, rsa(1)) };
    let mut draft = thief.draft(&endpoint);
    draft.key = rsa(1);
    let response = endpoint.post(&draft.sign()).await;
    let id = response.field("lanyard-request-id").unwrap().to_owned();
    assert_eq!(server.admin.request(&id).await.reason.as_deref(), Some("scep.signature"));
    assert_eq!(server.admin.certificates().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_of_others_and_of_the_authority_itself_renew_nothing() {
    let (server, endpoint) = server().await;
    let stranger = TestServer::start().await;
    let theirs = Endpoint::of(&stranger).await;
    let (device, foreign) = enrolled(&stranger, &theirs, 0).await;
    server.advance(OPEN);
    let renewal = device.renewal(&foreign, rsa(1));
    assert_refused(&server, &endpoint, &renewal, "scep.renewal-signer").await;
    let mut draft = renewal.draft(&endpoint);
    draft.set(MESSAGE_TYPE, vec![write::printable_string("19")]);
    endpoint.send(&draft.sign(), &renewal).await.assert_refused("1");
    assert!(server.admin.certificates().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_challenge_in_a_renewal_is_not_ignored() {
    let (server, endpoint) = server().await;
    let (device, old) = enrolled(&server, &endpoint, 0).await;
    server.advance(OPEN);
    let renewal = device.renewal(&old, rsa(1)).challenge("LC1WRONG");
    assert_refused(&server, &endpoint, &renewal, "ra.challenge-malformed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn renewals_at_once_leave_one_living_successor() {
    let (server, endpoint) = server().await;
    let (device, old) = enrolled(&server, &endpoint, 0).await;
    server.advance(OPEN);
    let mut tasks = tokio::task::JoinSet::new();
    for n in 1..9 {
        let (endpoint, renewal) = (endpoint.clone(), device.renewal(&old, rsa(n)));
        tasks.spawn(async move { endpoint.enrol(&renewal).await.status });
    }
    let issued = tasks.join_all().await.into_iter().filter(|s| s == "0").count();
    assert!(issued >= 1);
    let living = server.admin.certificates().await.into_iter().filter(|c| c.renews.is_some() && c.status == "valid").count();
    assert_eq!(living, 1);
}

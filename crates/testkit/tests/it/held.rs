//! Requests that a person decides about: PENDING, CertPoll, and what follows.

use lanyard_model::time::Span;
use lanyard_testkit::{
    keys::rsa,
    scep::{
        device::{Device, random_text},
        endpoint::Endpoint,
    },
    server::{TestServer, order},
};

const PERSON: [(&str, &str); 1] = [("approval = \"automatic\"", "approval = \"person\"")];

async fn server() -> (TestServer, Endpoint) {
    let server = TestServer::builder().template("wifi", "held", &PERSON).start().await;
    let endpoint = Endpoint::of(&server).await;
    (server, endpoint)
}

/// A device whose request is held, and the id of that request.
async fn held(server: &TestServer, endpoint: &Endpoint, n: usize) -> (Device, Vec<u8>, String) {
    let challenge = server.admin.challenge(&order("held", &format!("laptop-{n}"))).await;
    let device = Device::with_challenge(rsa(n), &challenge);
    let message = device.message(endpoint);
    let reply = endpoint.send(&message, &device).await;
    assert_eq!(reply.status, "3");
    (device, message, reply.request_id)
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc8894_3_3_3_a_held_request_is_polled_until_it_is_approved() {
    let (server, endpoint) = server().await;
    let (device, message, id) = held(&server, &endpoint, 0).await;
    assert_eq!(endpoint.send(&device.poll(&endpoint), &device).await.status, "3");
    // micromdm's client never polls: it sends its request again.
    assert_eq!(endpoint.send(&message, &device).await.status, "3");
    assert_eq!(server.admin.requests("pending").await.len(), 1);
    let server = server.restart().await;
    let endpoint = Endpoint::of(&server).await;
    assert_eq!(endpoint.send(&device.poll(&endpoint), &device).await.status, "3");

    let approved = server.admin.approve(&id).await;
    assert_eq!(approved.state, "issued");
    assert!(approved.decided_by.is_some_and(|by| by.starts_with("admin:")));
    let first = endpoint.send(&device.poll(&endpoint), &device).await;
    let again = endpoint.send(&device.poll(&endpoint), &device).await;
    let same = endpoint.send(&message, &device).await;
    assert_eq!(first.serial(), again.serial());
    assert_eq!(first.serial(), same.serial());
    assert_eq!(server.admin.certificates().await.len(), 1);
    let twice = server.admin.call("POST", &format!("/requests/{id}/approve"), b"null").await;
    assert_eq!(twice.status, 409, "{}", twice.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_request_fails_and_stays_denied() {
    let (server, endpoint) = server().await;
    let (device, message, id) = held(&server, &endpoint, 0).await;
    let denied = server.admin.deny(&id, "not one of \u{1b}[31mours").await;
    assert_eq!((denied.state.as_str(), denied.reason.as_deref()), ("denied", Some("ra.approval-denied")));
    assert!(!denied.detail.unwrap().contains('\u{1b}'));
    endpoint.send(&device.poll(&endpoint), &device).await.assert_refused("2");
    endpoint.send(&message, &device).await.assert_refused("2");
    let late = server.admin.call("POST", &format!("/requests/{id}/approve"), b"null").await;
    assert_eq!(late.status, 409);
    assert!(server.admin.certificates().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn rfc8894_4_4_a_poll_by_another_key_or_for_nothing_is_refused() {
    let (server, endpoint) = server().await;
    let (device, _, id) = held(&server, &endpoint, 0).await;
    server.admin.approve(&id).await;
    let stranger = Device { transaction: device.transaction.clone(), ..Device::new(rsa(1), "CN=laptop-0,O=Example") };
    endpoint.send(&stranger.poll(&endpoint), &stranger).await.assert_refused("2");
    let unknown = Device { transaction: random_text(), ..device.clone() };
    endpoint.send(&unknown.poll(&endpoint), &unknown).await.assert_refused("2");
    // The names in a poll do not count: several clients name the registration certificate there.
    let mut renamed = device.clone();
    renamed.info.subject.0.clear();
    endpoint.send(&renamed.poll(&endpoint), &renamed).await.assert_issued();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_held_longer_than_the_profile_allows_is_not_approved() {
    let (server, endpoint) = server().await;
    let (device, _, id) = held(&server, &endpoint, 0).await;
    // The challenge itself has long expired by then, which does not matter: it was used in time.
    let (_, _, in_time) = held(&server, &endpoint, 1).await;
    server.advance(Span::from_days(29));
    assert_eq!(server.admin.approve(&in_time).await.state, "issued");
    server.advance(Span::from_days(2));
    let decided = server.admin.approve(&id).await;
    assert_eq!((decided.state.as_str(), decided.reason.as_deref()), ("denied", Some("ra.approval-expired")));
    endpoint.send(&device.poll(&endpoint), &device).await.assert_refused("2");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_does_not_outweigh_what_changed_meanwhile() {
    let (server, endpoint) = server().await;
    server.admin.save_device(serde_json::json!({ "id": "D-1", "name": "laptop-5" })).await;
    let mut order = order("held", "laptop-5");
    order.device = Some("D-1".into());
    let device = Device::with_challenge(rsa(0), &server.admin.challenge(&order).await);
    let reply = endpoint.enrol(&device).await;
    assert_eq!(reply.status, "3");
    server.admin.save_device(serde_json::json!({ "id": "D-1", "name": "laptop-5", "blocked": true })).await;
    let decided = server.admin.approve(&reply.request_id).await;
    assert_eq!((decided.state.as_str(), decided.reason.as_deref()), ("denied", Some("ra.device-blocked")));
    assert!(server.admin.certificates().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_several_decisions_at_once_one_counts() {
    let (server, endpoint) = server().await;
    for n in 0..4 {
        let (device, _, id) = held(&server, &endpoint, n).await;
        let mut tasks = tokio::task::JoinSet::new();
        for m in 0..8 {
            let (admin, id) = (server.admin.clone(), id.clone());
            tasks.spawn(async move {
                match m % 4 {
                    3 => admin.call("POST", &format!("/requests/{id}/deny"), br#"{"reason":"no"}"#).await.status,
                    _ => admin.call("POST", &format!("/requests/{id}/approve"), b"null").await.status,
                }
            });
        }
        let statuses = tasks.join_all().await;
        assert!(statuses.contains(&200), "{statuses:?}");
        let told = server.admin.request(&id).await;
        let issued: Vec<_> =
            server.admin.certificates().await.into_iter().filter(|c| c.request == id && c.status != "revoked").collect();
        let reply = endpoint.send(&device.poll(&endpoint), &device).await;
        match told.state.as_str() {
            "issued" => assert_eq!((issued.len(), reply.serial()), (1, issued[0].serial.clone())),
            "denied" => assert_eq!((issued.len(), reply.status.as_str()), (0, "2")),
            other => panic!("{other}"),
        }
    }
    assert!(server.admin.verify_audit().await.intact);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_may_come_by_get() {
    let (server, endpoint) = server().await;
    let device = Device::with_challenge(rsa(0), &server.admin.challenge(&order("held", "laptop-1")).await);
    let held = endpoint.get(&device.message(&endpoint), &device).await;
    assert_eq!(held.status, "3");
    assert_eq!(endpoint.get(&device.poll(&endpoint), &device).await.status, "3");
    server.admin.approve(&held.request_id).await;
    endpoint.get(&device.poll(&endpoint), &device).await.assert_issued();
}

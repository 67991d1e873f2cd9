//! Profiles that are assigned to groups, looked up at every use.

use lanyard_model::time::Span;
use lanyard_server::api::types::Order;
use lanyard_testkit::{
    keys::rsa,
    scep::{device::Device, endpoint::Endpoint},
    server::TestServer,
};
use serde_json::{Value, json};

const GROUPS: [(&str, &str); 1] = [("groups = []", "groups = [\"staff\", \"lab\"]")];

async fn post(server: &TestServer, method: &str, path: &str, body: Value) -> (u16, String) {
    let answered = server.admin.call(method, path, body.to_string().as_bytes()).await;
    (answered.status, answered.text())
}

async fn start() -> (TestServer, Endpoint) {
    let server = TestServer::builder().profile("default", "staffed", &GROUPS).start().await;
    server.admin.save_user(json!({ "name": "jo", "upn": "jo@example.org" })).await;
    server.admin.save_device(json!({ "id": "L-1", "name": "laptop-1" })).await;
    server.admin.save_device(json!({ "id": "L-2", "name": "laptop-2" })).await;
    assert_eq!(post(&server, "PUT", "/groups", json!({ "name": "staff", "description": "All" })).await.0, 200);
    let endpoint = Endpoint::at(server.http, "staffed").await;
    (server, endpoint)
}

fn order(device: Option<&str>, user: Option<&str>) -> Order {
    Order {
        template: "wifi".into(),
        profile: Some("staffed".into()),
        subject: device.is_none().then(|| "CN=laptop-9,O=Example".into()),
        device: device.map(str::to_owned),
        user: user.map(str::to_owned),
        ..Order::default()
    }
}

async fn refusal(server: &TestServer, order: &Order) -> String {
    let (status, text) = post(server, "POST", "/challenges", serde_json::to_value(order).unwrap()).await;
    assert_eq!(status, 422, "{text}");
    serde_json::from_str::<Value>(&text).unwrap()["code"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_for_its_groups_at_every_use() {
    let (server, endpoint) = start().await;
    for order in [order(Some("L-1"), None), order(None, Some("jo")), order(None, None)] {
        assert_eq!(refusal(&server, &order).await, "ra.not-assigned");
    }
    let set = |change: Value| post(&server, "POST", "/groups/staff", change);
    assert_eq!(set(json!({ "add-devices": ["L-1", "L-2"], "add-users": ["jo"] })).await.0, 200);
    assert_eq!(refusal(&server, &order(None, None)).await, "ra.not-assigned");
    let first = Device::with_challenge(rsa(0), &server.admin.challenge(&order(Some("L-1"), None)).await);
    let second = Device::with_challenge(rsa(1), &server.admin.challenge(&order(Some("L-2"), None)).await);
    let third = Device::with_challenge(rsa(2), &server.admin.challenge(&order(None, Some("jo"))).await);
    let issued = endpoint.enrol(&first).await;
    issued.assert_issued();

    // Between challenge and request the device left the group.
    assert_eq!(set(json!({ "remove-devices": ["L-1", "L-2"] })).await.0, 200);
    let reply = endpoint.enrol(&second).await;
    reply.assert_refused("2");
    assert_eq!(server.admin.request(&reply.request_id).await.reason.as_deref(), Some("ra.not-assigned"));
    endpoint.enrol(&third).await.assert_issued();
    // So for renewals: what was a right a year ago need not be one now.
    server.advance(Span::from_days(300));
    let renewal = first.renewal(issued.certificate(), rsa(3));
    let reply = endpoint.enrol(&renewal).await;
    reply.assert_refused("2");
    assert_eq!(server.admin.request(&reply.request_id).await.reason.as_deref(), Some("ra.not-assigned"));
    assert_eq!(set(json!({ "add-devices": ["L-1"] })).await.0, 200);
    endpoint.enrol(&first.renewal(issued.certificate(), rsa(3))).await.assert_issued();
    // A group that is gone is nobody's.
    assert_eq!(post(&server, "DELETE", "/groups/staff", Value::Null).await.0, 200);
    assert_eq!(refusal(&server, &order(Some("L-1"), None)).await, "ra.not-assigned");
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_changed_with_care() {
    let (server, _) = start().await;
    for (method, path, body, expected) in [
        ("PUT", "/groups", json!({ "name": "staff" }), 409),
        ("PUT", "/groups", json!({ "name": "../etc" }), 422),
        ("POST", "/groups/nobody", json!({}), 404),
        ("POST", "/groups/staff", json!({ "remove-users": ["jo"] }), 404),
        ("POST", "/groups/staff", json!({ "add-users": ["a b"] }), 400),
        ("POST", "/groups/staff", json!({ "add": ["jo"] }), 422),
        ("DELETE", "/groups/nobody", Value::Null, 404),
        ("DELETE", "/users/nobody", Value::Null, 404),
        ("DELETE", "/devices/nobody", Value::Null, 404),
        ("DELETE", "/users/jo", Value::Null, 200),
    ] {
        let (status, text) = post(&server, method, path, body.clone()).await;
        assert_eq!(status, expected, "{method} {path} {body}: {text}");
    }
    let events = server.admin.audit().await;
    assert!(events.iter().any(|e| e.object.as_deref() == Some("group staff") && e.actor.starts_with("admin:")));
}

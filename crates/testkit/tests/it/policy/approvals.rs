//! Who may approve, and how many have to.

use lanyard_server::api::types::{Challenge, Request};
use lanyard_testkit::{
    http::{self, Response, encode},
    keys::rsa,
    scep::{device::Device, endpoint::Endpoint},
    server::TestServer,
};
use serde_json::{Value, json};

use super::remote::token;

/// Somebody with a token.
#[derive(Clone)]
struct Someone {
    token: String,
    address: std::net::SocketAddr,
    root: lanyard_pki::certificate::Certificate,
}

impl Someone {
    async fn new(server: &TestServer, wish: Value) -> Self {
        Self { token: token(server, wish).await.0, address: server.https, root: server.site.root.clone() }
    }

    async fn named(server: &TestServer, user: &str) -> Self {
        Self::new(server, json!({ "role": "administrator", "description": user, "user": user })).await
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> Response {
        let fields = format!("Content-Type: application/json\r\nAuthorization: Bearer {}\r\n", self.token);
        let body = if method == "GET" { Vec::new() } else { body.to_string().into_bytes() };
        http::tls(self.address, &self.root, &encode(method, &format!("/api/v1{path}"), &fields, &body)).await
    }

    async fn approve(&self, id: &str) -> Response {
        self.call("POST", &format!("/requests/{id}/approve"), &Value::Null).await
    }

    async fn challenge(&self, template: &str, name: &str, user: Option<&str>) -> Challenge {
        let order = json!({ "template": template, "subject": format!("CN={name},O=Example"), "user": user });
        let made = self.call("POST", "/challenges", &order).await;
        assert_eq!(made.status, 200, "{}", made.text());
        serde_json::from_slice(&made.body).unwrap()
    }
}

async fn start() -> (TestServer, Endpoint) {
    let change = |to: &'static str| [("approval = \"automatic\"", to)];
    let server = TestServer::builder()
        .template("wifi", "held", &change("approval = \"person\""))
        .template("wifi", "twice", &change("approval = \"two-persons\""))
        .start()
        .await;
    let endpoint = Endpoint::of(&server).await;
    (server, endpoint)
}

async fn held(endpoint: &Endpoint, n: usize, challenge: &Challenge) -> (Device, String) {
    let device = Device::with_challenge(rsa(n), challenge);
    let reply = endpoint.enrol(&device).await;
    assert_eq!(reply.status, "3");
    (device, reply.request_id)
}

fn request(response: &Response) -> Request {
    assert_eq!(response.status, 200, "{}", response.text());
    serde_json::from_slice(&response.body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_approves_what_they_asked_for() {
    let (server, endpoint) = start().await;
    server.admin.save_user(json!({ "name": "jo" })).await;
    let (ann, again) = (Someone::named(&server, "ann").await, Someone::named(&server, "ann").await);
    let jo = Someone::named(&server, "jo").await;
    let challenge = ann.challenge("held", "laptop-1", Some("jo")).await;
    let (device, id) = held(&endpoint, 0, &challenge).await;
    for (who, why) in [(&ann, "made the challenge"), (&again, "made the challenge"), (&jo, "the certificate is for jo")] {
        let refused = who.approve(&id).await;
        assert_eq!(refused.status, 403, "{}", refused.text());
        assert!(refused.text().contains("ra.approval-own") && refused.text().contains(why), "{}", refused.text());
        assert_eq!(endpoint.send(&device.poll(&endpoint), &device).await.status, "3", "it goes on waiting");
    }
    let bob = Someone::new(&server, json!({ "role": "approver", "description": "service desk" })).await;
    assert_eq!(request(&bob.approve(&id).await).state, "issued");
    endpoint.send(&device.poll(&endpoint), &device).await.assert_issued();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_different_people_have_to_approve() {
    let (server, endpoint) = start().await;
    let [ann, bob, again, carl] = [
        Someone::named(&server, "ann").await,
        Someone::named(&server, "bob").await,
        Someone::named(&server, "bob").await,
        Someone::named(&server, "carl").await,
    ];
    let challenge = ann.challenge("twice", "laptop-1", None).await;
    let (device, id) = held(&endpoint, 0, &challenge).await;
    assert_eq!(ann.approve(&id).await.status, 403);
    let first = request(&bob.approve(&id).await);
    assert_eq!((first.state.as_str(), first.approvals.len()), ("pending", 1));
    assert!(first.approvals[0].starts_with("user:bob at "));
    for same in [&bob, &again] {
        let refused = same.approve(&id).await;
        assert_eq!(refused.status, 409, "{}", refused.text());
    }
    let listed = server.admin.requests("pending").await;
    assert_eq!(listed[0].approvals, first.approvals);
    assert!(server.admin.request(&id).await.story.iter().any(|l| l.contains("request-approved-in-part")));
    assert_eq!(endpoint.send(&device.poll(&endpoint), &device).await.status, "3");
    let server = server.restart().await;
    let endpoint = Endpoint::of(&server).await;
    let carl = Someone { address: server.https, ..carl };
    let second = request(&carl.approve(&id).await);
    assert_eq!((second.state.as_str(), second.approvals.len()), ("issued", 2));
    endpoint.send(&device.poll(&endpoint), &device).await.assert_issued();
    // The owner of the socket counts as one person, and not for an own challenge.
    let challenge = server.admin.challenge(&lanyard_testkit::server::order("twice", "laptop-2")).await;
    let (_, id) = held(&endpoint, 1, &challenge).await;
    let own = server.admin.call("POST", &format!("/requests/{id}/approve"), b"null").await;
    assert_eq!(own.status, 403, "{}", own.text());
    // One of them may still say no, with a reason.
    let bob = Someone { address: server.https, ..bob };
    assert_eq!(request(&bob.approve(&id).await).state, "pending");
    let denied = server.admin.deny(&id, "lost on the way").await;
    assert_eq!((denied.state.as_str(), denied.reason.as_deref()), ("denied", Some("ra.approval-denied")));
    assert_eq!(carl.approve(&id).await.status, 409);
    assert!(server.admin.verify_audit().await.intact);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn approvals_at_the_same_time_bring_one_certificate() {
    let (server, endpoint) = start().await;
    let mut people = Vec::new();
    for name in ["ann", "bob", "carl", "dora"] {
        people.push(Someone::named(&server, name).await);
    }
    for n in 0..4 {
        let challenge = server.admin.challenge(&lanyard_testkit::server::order("twice", &format!("laptop-{n}"))).await;
        let (device, id) = held(&endpoint, n, &challenge).await;
        let mut tasks = tokio::task::JoinSet::new();
        for person in &people {
            let (person, id) = (person.clone(), id.clone());
            tasks.spawn(async move { person.approve(&id).await.status });
        }
        let statuses = tasks.join_all().await;
        assert!(statuses.iter().all(|s| [200, 409].contains(s)), "{statuses:?}");
        let told = server.admin.request(&id).await;
        assert_eq!(told.state, "issued");
        assert!(told.approvals.len() >= 2, "{:?}", told.approvals);
        endpoint.send(&device.poll(&endpoint), &device).await.assert_issued();
        assert_eq!(server.admin.certificates().await.len(), n + 1);
    }
}

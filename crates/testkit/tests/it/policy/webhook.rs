//! The HTTP module: asked before issuing, told afterwards, and never taken for a yes when it says none.

use std::time::Duration;

use lanyard_model::{text::hex, time::Span};
use lanyard_pki::crypto::digest::hmac_sha256;
use lanyard_testkit::{
    keys::rsa,
    programs::program,
    scep::{device::Device, endpoint::Endpoint},
    server::{TestServer, order},
    service::{Asked, Says, Service},
    wait::until,
};
use serde_json::json;

use super::with_profile;

const SECRET: &str = "correct horse battery staple";

fn allow() -> Says {
    Says::json(&json!({ "decision": "allow" }))
}

fn module(service: &Service, more: &str) -> String {
    let url = format!("http://{}/hook?for=lanyard", service.address);
    format!(
        "[[module]]\nkind = \"http\"\nurl = \"{url}\"\nsecret-file = \"hook.secret\"\nallow-addresses = [\"127.0.0.0/8\"]\n\
         timeout = \"1s\"\n{more}"
    )
}

async fn start(more: &str) -> (Service, TestServer, Endpoint) {
    let service = Service::start(|_| allow()).await;
    let builder = TestServer::builder().template("wifi", "held", &[("approval = \"automatic\"", "approval = \"person\"")]);
    let builder = with_profile(builder, "asked", &module(&service, more));
    let server = builder.file("hook.secret", format!("{SECRET}\n")).start().await;
    let endpoint = Endpoint::at(server.http, "asked").await;
    (service, server, endpoint)
}

async fn device(server: &TestServer, template: &str, n: usize) -> Device {
    let mut order = order(template, &format!("laptop-{n}"));
    order.profile = Some("asked".into());
    Device::with_challenge(rsa(n), &server.admin.challenge(&order).await)
}

fn is_notice(asked: &Asked, outcome: &str) -> bool {
    asked.json()["event"] == "notify" && asked.json()["outcome"] == outcome
}

fn assert_signed(asked: &Asked) {
    let signature = asked.field("lanyard-signature").expect("a signature");
    let (t, v1) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    assert_eq!(v1, hex(&hmac_sha256(SECRET.as_bytes(), &[t.as_bytes(), b".", &asked.body])));
    assert_eq!(asked.field("content-type"), Some("application/json"));
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/hook?for=lanyard"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yes_lets_the_request_through_and_the_outcome_is_told() {
    let (service, server, endpoint) = start("").await;
    let device = device(&server, "wifi", 0).await;
    let reply = endpoint.enrol(&device).await;
    let verify = service.asked().remove(0);
    assert_signed(&verify);
    let body = verify.json();
    assert_eq!(body["event"], "verify");
    assert_eq!((&body["request"], &body["profile"]), (&json!(reply.request_id), &json!("asked")));
    assert_eq!(
        (&body["template"], &body["subject"], &body["key"]),
        (&json!("wifi"), &json!("CN=laptop-0,O=Example"), &json!("rsa:2048"))
    );
    assert_eq!((&body["transaction"], &body["renewal"]), (&json!(device.transaction), &json!(false)));
    assert!(body.get("csr").is_none(), "the CSR holds an unused challenge");
    assert!(!String::from_utf8_lossy(&verify.body).contains("LC1"));
    let notice = service.was_asked("the outcome", |a| is_notice(a, "issued")).await;
    assert_signed(&notice);
    assert_eq!(notice.json()["certificate"]["serial"], json!(reply.serial()));
    assert!(notice.json()["certificate"]["pem"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));

    // A renewal is asked about as well.
    service.forget();
    server.advance(Span::from_days(300));
    let renewed = endpoint.enrol(&device.renewal(reply.certificate(), rsa(1))).await;
    renewed.assert_issued();
    assert_eq!(service.asked()[0].json()["renewal"], json!(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_no_clear_yes_is_a_refusal_that_spends_nothing() {
    let (service, server, endpoint) = start("").await;
    let device = device(&server, "wifi", 0).await;
    let elsewhere = format!("Location: http://{}/elsewhere\r\n", service.address);
    let redirects = |status| Says { fields: elsewhere.clone(), body: allow().body, ..Says::status(status) };
    let cases = [
        (Says::json(&json!({ "decision": "deny", "reason": "not in the inventory\u{1b}[31m" })), "ra.module-denied"),
        (Says::json(&json!({ "decision": "deny" })), "ra.module-answer"),
        (Says::json(&json!({ "decision": "Allow" })), "ra.module-answer"),
        (Says::json(&json!({ "decision": "allow", "and": "more" })), "ra.module-answer"),
        (Says::json(&json!({ "decision": true })), "ra.module-answer"),
        (Says::json(&json!({})), "ra.module-answer"),
        (Says::json(&json!(["allow"])), "ra.module-answer"),
        (Says::text("allow"), "ra.module-answer"),
        (Says::text(""), "ra.module-answer"),
        (Says { status: 201, ..allow() }, "ra.module-answer"),
        (Says { status: 500, ..allow() }, "ra.module-answer"),
        (Says { status: 404, ..allow() }, "ra.module-answer"),
        (redirects(302), "ra.module-answer"),
        (redirects(307), "ra.module-answer"),
        (Says { after: Duration::from_secs(2), ..allow() }, "ra.module-timeout"),
        (Says::text(&format!("{}{{\"decision\":\"allow\"}}", " ".repeat(70_000))), "ra.module-answer"),
    ];
    for (says, reason) in cases {
        let answer = says.clone();
        service.now_says(move |asked| if asked.json()["event"] == "verify" { answer.clone() } else { Says::status(204) });
        let reply = endpoint.enrol(&device).await;
        reply.assert_refused("2");
        let told = server.admin.request(&reply.request_id).await;
        assert_eq!(told.reason.as_deref(), Some(reason), "{says:?}");
        assert!(!told.detail.unwrap().contains('\u{1b}'));
        let id = reply.request_id.clone();
        let notice = service.was_asked("the refusal", move |a| is_notice(a, "refused") && a.json()["request"] == json!(id)).await;
        assert_eq!(notice.json()["reason"], json!(reason));
    }
    assert!(service.asked().iter().all(|a| a.path != "/elsewhere"), "no redirect is followed");
    assert!(server.admin.certificates().await.is_empty());
    service.now_says(|_| allow());
    endpoint.enrol(&device).await.assert_issued();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_gone_is_a_refusal() {
    let (service, server, endpoint) = start("").await;
    let device = device(&server, "wifi", 0).await;
    drop(service);
    let reply = endpoint.enrol(&device).await;
    reply.assert_refused("2");
    assert_eq!(server.admin.request(&reply.request_id).await.reason.as_deref(), Some("ra.module-unreachable"));
}

#[tokio::test(flavor = "multi_thread")]
async fn held_requests_are_asked_about_before_a_person_sees_them_and_again_afterwards() {
    let (service, server, endpoint) = start("send-csr = true\n").await;
    let device = device(&server, "held", 0).await;
    let reply = endpoint.enrol(&device).await;
    assert_eq!(reply.status, "3");
    let first = service.asked().remove(0).json();
    assert!(first["csr"].is_string() && first["approved-by"].is_null());
    service.was_asked("that it waits", |a| is_notice(a, "pending")).await;
    service.forget();
    service.now_says(|_| Says::json(&json!({ "decision": "deny", "reason": "left the company" })));
    let decided = server.admin.approve(&reply.request_id).await;
    assert_eq!((decided.state.as_str(), decided.reason.as_deref()), ("denied", Some("ra.module-denied")));
    let second = service.asked().remove(0).json();
    assert!(second.get("csr").is_none() && second["approved-by"].as_str().unwrap().starts_with("admin:"));
    service.now_says(|_| allow());
    let other = self::device(&server, "held", 1).await;
    let reply = endpoint.enrol(&other).await;
    server.admin.deny(&reply.request_id, "no").await;
    let notice = service.was_asked("the denial", |a| is_notice(a, "refused") && a.json()["reason"] == "ra.approval-denied").await;
    assert_eq!(notice.json()["request"], json!(reply.request_id));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_is_not_taken_is_sent_again_and_changes_nothing() {
    let (service, server, endpoint) = start("events = [\"generate\", \"notify\"]\n").await;
    let device = device(&server, "wifi", 0).await;
    assert_eq!(service.asked().remove(0).json()["event"], "generate");
    let mut failures = 1;
    service.now_says(move |_| {
        failures -= 1;
        if failures >= 0 { Says::status(503) } else { Says::status(204) }
    });
    endpoint.enrol(&device).await.assert_issued();
    until("a second notice", || {
        let notices = service.asked().iter().filter(|a| is_notice(a, "issued")).count();
        async move { (notices == 2).then_some(()) }
    })
    .await;
    service.now_says(|_| Says::json(&json!({ "decision": "deny", "reason": "no more this month" })));
    let order = json!({ "template": "wifi", "profile": "asked", "subject": "CN=x,O=Example" }).to_string();
    let refused = server.admin.call("POST", "/challenges", order.as_bytes()).await;
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert!(refused.text().contains("no more this month"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_receiver_of_the_guide_decides() {
    let guide = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/policy-modules.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let script = guide.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a receiver");
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let folder = lanyard_testkit::temporary::folder("scratch");
    std::fs::write(folder.path().join("receiver.py"), script.replace("9000", &port.to_string())).unwrap();
    std::fs::write(folder.path().join("inventory.secret"), format!("{SECRET}\n")).unwrap();
    let mut receiver = tokio::process::Command::new(program("python3", "python3-venv"));
    receiver.arg("receiver.py").current_dir(folder.path()).kill_on_drop(true).stderr(std::process::Stdio::null());
    let _receiver = receiver.spawn().unwrap();
    until("the receiver to listen", || async move { tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok() }).await;
    let table = format!(
        "[[module]]\nkind = \"http\"\nurl = \"http://127.0.0.1:{port}/\"\nsecret-file = \"hook.secret\"\n\
         allow-addresses = [\"127.0.0.0/8\"]\n"
    );
    let builder = with_profile(TestServer::builder(), "asked", &table).file("hook.secret", SECRET);
    let server = builder.start().await;
    let endpoint = Endpoint::at(server.http, "asked").await;
    endpoint.enrol(&device(&server, "wifi", 7).await).await.assert_issued();
    let reply = endpoint.enrol(&device(&server, "wifi", 1).await).await;
    reply.assert_refused("2");
    assert!(server.admin.request(&reply.request_id).await.detail.unwrap().contains("laptop-1 is not in the inventory"));
}

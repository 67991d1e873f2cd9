//! The administrator's interface over TLS: tokens, their scopes and rates, and the command line from afar.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use lanyard_model::time::Span;
use lanyard_testkit::{
    http::{self, Response, encode},
    keys::rsa,
    process::{Process, lanyard},
    programs::{Done, run},
    scep::{device::Device, endpoint::Endpoint},
    server::TestServer,
};
use serde_json::{Value, json};
use tokio::process::Command;

/// Makes a token; its text and id.
pub async fn token(server: &TestServer, wish: Value) -> (String, String) {
    let made = server.admin.call("POST", "/tokens", wish.to_string().as_bytes()).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let made: Value = serde_json::from_slice(&made.body).unwrap();
    (made["token"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned())
}

async fn call(server: &TestServer, token: &str, method: &str, path: &str, body: &Value) -> Response {
    let fields = format!("Content-Type: application/json\r\nAuthorization: Bearer {token}\r\n");
    let body = if method == "GET" { Vec::new() } else { body.to_string().into_bytes() };
    http::tls(server.https, &server.site.root, &encode(method, &format!("/api/v1{path}"), &fields, &body)).await
}

fn wifi(name: &str) -> Value {
    json!({ "template": "wifi", "subject": format!("CN={name},O=Example") })
}

fn mint(templates: &[&str]) -> Value {
    json!({ "role": "mint", "profiles": ["default"], "templates": templates, "description": "the MDM" })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_mdm_makes_a_challenge_at_the_moment_of_enrolling() {
    let server = TestServer::start().await;
    let (token, id) = token(&server, mint(&["wifi", "vpn"])).await;
    let made = call(&server, &token, "POST", "/challenges", &wifi("laptop-1")).await;
    assert_eq!((made.status, made.field("cache-control")), (200, Some("no-store")), "{}", made.text());
    let made: lanyard_server::api::types::Challenge = serde_json::from_slice(&made.body).unwrap();
    let endpoint = Endpoint::of(&server).await;
    endpoint.enrol(&Device::with_challenge(rsa(0), &made)).await.assert_issued();
    let actor = format!("token:{id}");
    assert!(server.admin.audit().await.iter().any(|e| e.kind == "challenge-created" && e.actor == actor));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_permits_what_its_scope_says_and_nothing_else() {
    let server = TestServer::start().await;
    let minter = token(&server, mint(&["wifi"])).await.0;
    let approver = token(&server, json!({ "role": "approver", "description": "Jo" })).await.0;
    let administrator = token(&server, json!({ "role": "administrator", "description": "Ann" })).await.0;
    let serial = "00aa";
    let calls = [
        ("POST", "/challenges", wifi("a"), [200, 403, 200]),
        ("POST", "/challenges", json!({ "template": "vpn", "subject": "CN=a,O=Example" }), [403, 403, 200]),
        ("POST", "/challenges", json!({ "template": "wifi", "profile": "legacy", "subject": "CN=a,O=Example" }), [403, 403, 200]),
        ("GET", "/challenges", Value::Null, [403, 403, 405]),
        ("GET", "/requests", Value::Null, [403, 200, 200]),
        ("GET", "/requests/nothing", Value::Null, [403, 404, 404]),
        ("POST", "/requests/019a9f2e-5a10-7c3e-9d0a-0123456789ab/approve", Value::Null, [403, 404, 404]),
        ("GET", "/certificates", Value::Null, [403, 403, 200]),
        ("POST", &format!("/certificates/{serial}/revoke"), json!({ "reason": "superseded" }), [403, 403, 404]),
        ("GET", "/users", Value::Null, [403, 403, 200]),
        ("PUT", "/users", json!({ "name": "jo" }), [403, 403, 200]),
        ("GET", "/tokens", Value::Null, [403, 403, 200]),
        ("POST", "/tokens", mint(&["wifi"]), [403, 403, 200]),
        ("GET", "/audit", Value::Null, [403, 403, 200]),
        ("POST", "/policy/reload", Value::Null, [403, 403, 200]),
        ("GET", "/requestsX", Value::Null, [403, 403, 404]),
        ("GET", "/nothing", Value::Null, [403, 403, 404]),
        ("GET", "//requests", Value::Null, [403, 404, 404]),
        ("GET", "/requests/../certificates", Value::Null, [403, 404, 404]),
    ];
    for (method, path, body, expected) in calls {
        for (token, expected) in [&minter, &approver, &administrator].into_iter().zip(expected) {
            let answered = call(&server, token, method, path, &body).await;
            assert_eq!(answered.status, expected, "{method} {path}: {}", answered.text());
        }
    }
    let refused = crate::support::audited(&server).await;
    assert!(refused.get(&("access-refused".to_owned(), String::new())).is_some_and(|n| *n > 20), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_good_token_nobody_is_let_in_and_soon_nobody_is_heard() {
    let server = TestServer::start().await;
    let (good, id) = token(&server, json!({ "role": "administrator", "description": "Ann", "ttl": "1h" })).await;
    let (revoked, revoked_id) = token(&server, json!({ "role": "administrator", "description": "Bob" })).await;
    assert_eq!(call(&server, &revoked, "GET", "/users", &Value::Null).await.status, 200);
    server.admin.call("POST", &format!("/tokens/{revoked_id}/revoke"), b"null").await;
    let altered = good.replace(&id, &revoked_id);
    let mut cut = good.clone();
    cut.pop();
    for wrong in [revoked.as_str(), altered.as_str(), cut.as_str(), "", "LT1", "LT1.x.y", &"x".repeat(5000)] {
        let answered = call(&server, wrong, "GET", "/users", &Value::Null).await;
        assert_eq!((answered.status, answered.field("www-authenticate")), (401, Some("Bearer")), "{wrong}");
        assert!(answered.text().contains("server.access"));
    }
    // By plain HTTP there is no such interface, token or not.
    let fields = format!("Authorization: Bearer {good}\r\n");
    let plain = http::request(server.http, "GET", "/api/v1/users", &fields, &[]).await.unwrap();
    assert_eq!(plain.status, 404);
    assert_eq!(call(&server, &good, "GET", "/users", &Value::Null).await.status, 200);
    server.advance(Span::from_secs(3600));
    for _ in 0..3 {
        assert_eq!(call(&server, &good, "GET", "/users", &Value::Null).await.status, 401, "it has ended");
    }
    let (another, _) = token(&server, json!({ "role": "administrator", "description": "Ann" })).await;
    assert_eq!(call(&server, &another, "GET", "/users", &Value::Null).await.status, 429, "ten failures a minute are enough");
    let events = server.admin.audit().await;
    assert!(events.iter().filter(|e| e.kind == "access-refused").count() >= 2, "known tokens that ended are audited");
    assert!(events.iter().all(|e| !format!("{e:?}").contains(good.rsplit('.').next().unwrap())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_has_so_many_calls_a_minute() {
    let server = TestServer::start().await;
    let (token, _) = token(&server, json!({ "role": "administrator", "description": "Ann", "rate": 3 })).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(call(&server, &token, "GET", "/users", &Value::Null).await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 429]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_make_no_sense_are_not_made() {
    let server = TestServer::start().await;
    for (wish, expected) in [
        (json!({ "role": "king", "description": "x" }), 400),
        (json!({ "role": "mint", "description": "x" }), 400),
        (json!({ "role": "mint", "profiles": ["default"], "templates": [], "description": "x" }), 400),
        (json!({ "role": "mint", "profiles": ["nowhere"], "templates": ["wifi"], "description": "x" }), 404),
        (json!({ "role": "mint", "profiles": ["default"], "templates": ["nothing"], "description": "x" }), 404),
        (json!({ "role": "approver", "profiles": ["default"], "description": "x" }), 400),
        (json!({ "role": "approver", "description": "x", "ttl": "1s" }), 400),
        (json!({ "role": "approver", "description": "x", "rate": 0 }), 400),
        (json!({ "role": "approver", "description": "x", "more": 1 }), 422),
    ] {
        let answered = server.admin.call("POST", "/tokens", wish.to_string().as_bytes()).await;
        assert_eq!(answered.status, expected, "{wish}: {}", answered.text());
    }
}

async fn say(dir: &Path, arguments: &[&str]) -> Done {
    run(Command::new(lanyard()).args(arguments).current_dir(dir)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_works_from_afar() {
    let (site, _) = TestServer::builder().create().await;
    let process = Process::serve(&site).await;
    let folder = site.temp.path();
    let root = lanyard_pki::pem::encode(lanyard_pki::pem::CERTIFICATE, site.root.der());
    fs::write(folder.join("root.pem"), root).unwrap();
    let create = ["token", "create", "--dir", "data", "--role", "administrator", "--for", "Ann"];
    let made = say(folder, &create).await.good();
    assert_eq!(made.lines().count(), 1, "the token alone: {made:?}");
    let file = folder.join("ann.token");
    fs::write(&file, &made).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();

    let server = format!("https://localhost:{}", https_port(&process.logged()));
    let there = ["--server", &server, "--token-file", "ann.token", "--ca-file", "root.pem"];
    let create = ["challenge", "create", "--template", "wifi", "--subject", "CN=laptop-1,O=Example"];
    let challenge = say(folder, &[&create[..], &there].concat()).await.good();
    assert_eq!(challenge.trim().len(), 88);
    say(folder, &[&["user", "add", "jo", "--email", "jo@example.org"][..], &there].concat()).await.good();
    assert!(say(folder, &[&["user", "list"][..], &there].concat()).await.good().contains("jo@example.org"));
    let listed = say(folder, &[&["token", "list"][..], &there].concat()).await.good();
    assert!(listed.contains("Ann") && !listed.contains(made.trim()), "{listed}");
    assert!(say(folder, &[&["audit", "list"][..], &there].concat()).await.good().contains("token:"));

    // A token never goes to whom it should not.
    let wrong = |arguments: Vec<&'static str>, expected: &'static str| async move {
        let done = say(folder, &arguments).await;
        assert!(!done.success && done.output.contains(expected), "{arguments:?}: {}", done.output);
    };
    wrong(vec!["user", "list", "--server", "http://localhost:1", "--token-file", "ann.token"], "over TLS or not at all").await;
    wrong(vec!["user", "list", "--server", "https://localhost:1"], "--token-file").await;
    wrong(vec!["user", "list"], "--dir").await;
    let unknown = say(folder, &["user", "list", "--server", &server, "--token-file", "ann.token"]).await;
    assert!(!unknown.success && unknown.output.contains("--ca-file"), "{}", unknown.output);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let open = say(folder, &[&["user", "list"][..], &there].concat()).await;
    assert!(!open.success && open.output.contains("chmod"), "{}", open.output);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let id = made.split('.').nth(1).unwrap();
    say(folder, &["token", "revoke", "--dir", "data", id]).await.good();
    let revoked = say(folder, &[&["user", "list"][..], &there].concat()).await;
    assert!(!revoked.success && revoked.output.contains("server.access"), "{}", revoked.output);
    assert!(!process.logged().contains(made.trim()));
    process.kill().await;
}

fn https_port(log: &str) -> u16 {
    let (_, rest) = log.split_once("and https://127.0.0.1:").expect("the address of HTTPS");
    rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

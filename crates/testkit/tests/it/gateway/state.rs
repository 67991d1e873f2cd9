//! What Lanyard's server knows reaches the gateway within seconds: revocations, blocks, disabled users, and its absence.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use lanyard_pki::{crypto::software::SoftwareSigner, pem};
use lanyard_server::api::types::Order;
use lanyard_testkit::{
    gateway::{
        client::{basic, encode},
        pki::Identity,
        site::{Builder, TestGateway},
    },
    http::Response,
    keys::{Key, rsa},
    scep::{device::Device, endpoint::Endpoint},
    server::TestServer,
    wait::until,
};
use serde_json::{Value, json};

use super::{back_end::BackEnd, support::BY_HEADER};

const HOST: &str = "mail.example.org";

/// A certificate of Lanyard for a user's device.
pub async fn issue(server: &TestServer, n: usize, user: &str, device: &str) -> Identity {
    let order =
        Order { template: "user-client".into(), user: Some(user.into()), device: Some(device.into()), ..Order::default() };
    let endpoint = Endpoint::of(server).await;
    let reply = endpoint.enrol(&Device::with_challenge(rsa(n), &server.admin.challenge(&order).await)).await;
    reply.assert_issued();
    let pkcs8 = rsa(n).pkcs8.clone();
    let key = Key { signer: SoftwareSigner::from_pkcs8(&pkcs8).unwrap(), decrypter: None, pkcs8 };
    Identity { certificate: reply.certificate().clone(), key, above: vec![server.site.issuing.clone()] }
}

async fn token(server: &TestServer, role: &str) -> String {
    let wish = json!({ "description": "a gateway", "role": role }).to_string();
    let made = server.admin.call("POST", "/tokens", wish.as_bytes()).await;
    let made: Value = serde_json::from_slice(&made.body).unwrap();
    made["token"].as_str().unwrap().to_owned()
}

/// Alice and Bob with a device and a password each.
pub async fn people(server: &TestServer) {
    for (user, device) in [("alice", "phone-a"), ("bob", "phone-b")] {
        server
            .admin
            .save_user(json!({ "name": user, "upn": format!("{user}@corp.test"), "email": format!("{user}@example.org") }))
            .await;
        server.admin.save_device(json!({ "id": device, "user": user })).await;
        let set = json!({ "password": format!("{user}'s password") }).to_string();
        assert_eq!(server.admin.call("PUT", &format!("/users/{user}/password"), set.as_bytes()).await.status, 200);
    }
}

async fn site(server: &TestServer, back_end: &BackEnd, more: &str) -> TestGateway {
    site_of(server, back_end.address, more).await
}

/// A gateway that follows this server, in front of this back end.
pub async fn site_of(server: &TestServer, address: SocketAddr, more: &str) -> TestGateway {
    let port = server.https.port();
    let text = format!(
        "[server]\nurl = \"https://localhost:{port}\"\nca-file = \"lanyard-root.pem\"\ntoken-file = \"token\"\nmax-age = \"4s\"\n\
         [[trust]]\nname = \"staff\"\nca-file = \"lanyard-root.pem\"\nrevocation = \"server\"\n\
         [[accounts]]\nname = \"lanyard\"\nkind = \"lanyard\"\n\
         [[application]]\nname = \"mail\"\nhosts = [\"{HOST}\"]\nmode = \"certificate-else-basic\"\ntrust = [\"staff\"]\naccounts = \"lanyard\"\n\
         kind = \"activesync\"\nback-ends = [\"http://{address}\"]\n{BY_HEADER}\n{more}\n"
    );
    let builder = Builder::new().sections(&text).head("[lockout]\nattempts = 50");
    builder.file("lanyard-root.pem", pem::encode(pem::CERTIFICATE, server.site.root.der()));
    builder.file("token", token(server, "gateway").await);
    let gateway = builder.start().await;
    until("the first snapshot", || async { gateway.running.gateway.state.as_ref().unwrap().age() }).await;
    gateway
}

/// Status and substatus of a refusal.
pub fn number(response: &Response) -> String {
    response.text().split(' ').next().unwrap_or_default().to_owned()
}

fn back_end(seen: &super::back_end::Seen) -> Vec<u8> {
    if seen.path.contains("Ping") {
        return Vec::new();
    }
    let user = seen.field("x-webobjects-remote-user").unwrap_or_default().to_owned();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{user}", user.len()).into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_certificate_a_blocked_device_and_a_disabled_user_are_out_within_a_second_or_two() {
    let server = TestServer::start().await;
    people(&server).await;
    let alice = issue(&server, 0, "alice", "phone-a").await;
    let serial = alice.certificate.serial().unwrap().to_string();
    let back_end = BackEnd::start(back_end).await;
    let gateway = site(&server, &back_end, "").await;
    let client = gateway.client(Some(&alice));
    assert_eq!(client.get(HOST, "/", "").await.text(), "alice");
    // A certificate that was issued after the snapshot is known as soon.
    let bob = issue(&server, 1, "bob", "phone-b").await;
    let with_bob = gateway.client(Some(&bob));
    until("news of a certificate", || async { (with_bob.get(HOST, "/", "").await.status == 200).then_some(()) }).await;

    let ping = encode("POST", "/?Cmd=Ping&DeviceId=d&DeviceType=t", &format!("Host: {HOST}\r\n"), &[]);
    let hold = |client: lanyard_testkit::gateway::client::Client| {
        let (ping, back_end) = (ping.clone(), &back_end);
        async move {
            let mut connection = client.connect(HOST).await.unwrap();
            connection.send(&ping).await.unwrap();
            until("the held request", || async { (back_end.open() == 1).then_some(()) }).await;
            connection
        }
    };
    let mut held = hold(client.clone()).await;
    let before = Instant::now();
    server.admin.revoke(&serial, "keyCompromise").await;
    held.ended().await;
    let took = before.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(number(&client.get(HOST, "/", "").await), "403.13");
    until("the end of it at the back end", || async { (back_end.open() == 0).then_some(()) }).await;

    let mut held = hold(with_bob.clone()).await;
    server.admin.save_device(json!({ "id": "phone-b", "user": "bob", "blocked": true })).await;
    held.ended().await;
    let refused = with_bob.get(HOST, "/", "").await;
    assert_eq!((refused.status, refused.field("www-authenticate")), (403, None));
    assert_eq!(gateway.count("mail", "gateway.device-blocked"), 1);
    server.admin.save_device(json!({ "id": "phone-b", "user": "bob" })).await;
    until("the way back", || async { (with_bob.get(HOST, "/", "").await.status == 200).then_some(()) }).await;

    let nobody = gateway.client(None);
    let bobs = basic("bob", "bob's password");
    assert_eq!(nobody.get(HOST, "/", &bobs).await.text(), "bob");
    assert_eq!(nobody.get(HOST, "/", &basic("bob@corp.test", "bob's password")).await.text(), "bob");
    assert_eq!(nobody.get(HOST, "/", &basic("bob", "alice's password")).await.status, 401);
    let mut held = hold(with_bob.clone()).await;
    let mut by_password = nobody.connect(HOST).await.unwrap();
    assert_eq!(by_password.ask(HOST, "GET", "/", &bobs, &[]).await.unwrap().status, 200);
    server.admin.save_user(json!({ "name": "bob", "upn": "bob@corp.test", "disabled": true })).await;
    held.ended().await;
    by_password.ended().await;
    assert_eq!(number(&with_bob.get(HOST, "/", "").await), "403.12");
    assert_eq!(nobody.get(HOST, "/", &bobs).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_server_what_is_known_grows_stale_and_then_nobody_enters_unless_the_application_says_so() {
    let server = TestServer::start().await;
    people(&server).await;
    let alice = issue(&server, 0, "alice", "phone-a").await;
    let back_end = BackEnd::start(back_end).await;
    let gateway = site(&server, &back_end, "").await;
    let client = gateway.client(Some(&alice));
    assert_eq!(client.get(HOST, "/", "").await.status, 200);
    server.stop().await;
    assert_eq!(client.get(HOST, "/", "").await.status, 200);
    until("staleness", || async { (client.get(HOST, "/", "").await.status == 503).then_some(()) }).await;
    let stale = client.get(HOST, "/", "").await;
    assert!(stale.field("retry-after").is_some() && stale.field("www-authenticate").is_none());
    // Nobody can be asked about a password either.
    assert_eq!(gateway.client(None).get(HOST, "/", &basic("alice", "alice's password")).await.status, 503);
    gateway.change("kind = \"activesync\"", "stale = \"open\"\nkind = \"activesync\"").unwrap();
    assert_eq!(client.get(HOST, "/", "").await.text(), "alice");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_a_gateway_is_for_nothing_else_and_the_state_needs_one() {
    let server = TestServer::start().await;
    let ask = |token: String, method: &'static str, path: &'static str| {
        let fields = format!(
            "Host: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nAuthorization: Bearer {token}\r\n"
        );
        let octets = encode(method, path, &fields, &[]);
        let (address, root) = (server.https, server.site.root.clone());
        async move { lanyard_testkit::http::tls(address, &root, &octets).await.status }
    };
    let gateway = token(&server, "gateway").await;
    assert_eq!(ask(gateway.clone(), "GET", "/api/v1/gateway/state").await, 200);
    assert_eq!(ask(gateway.clone(), "GET", "/api/v1/gateway/state?after=1").await, 200);
    for (method, path) in [
        ("GET", "/api/v1/users"),
        ("GET", "/api/v1/audit"),
        ("POST", "/api/v1/gateway/state"),
        ("GET", "/api/v1/gateway"),
        ("POST", "/api/v1/challenges"),
    ] {
        assert_eq!(ask(gateway.clone(), method, path).await, 403, "{method} {path}");
    }
    assert_eq!(ask("wrong".into(), "GET", "/api/v1/gateway/state").await, 401);
    assert_eq!(ask(token(&server, "approver").await, "GET", "/api/v1/gateway/state").await, 403);
}

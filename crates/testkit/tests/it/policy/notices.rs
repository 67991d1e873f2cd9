//! What policy modules are to be told survives whatever happens after the decision: killed processes, services that are away, nodes.

use lanyard_model::time::Span;
use lanyard_server::api::types::Request;
use lanyard_testkit::{
    admin::Admin,
    keys::rsa,
    process::Process,
    programs::postgres::Postgres,
    scep::{device::Device, endpoint::Endpoint},
    server::{Builder, TestServer, order},
    service::{Asked, Says, Service},
    wait::until,
};

use super::with_profile;

fn builder(service: &Service) -> Builder {
    let table = format!(
        "[[module]]\nkind = \"http\"\nurl = \"http://{}/\"\nsecret-file = \"hook.secret\"\nallow-addresses = [\"127.0.0.0/8\"]\n\
         timeout = \"1s\"\nevents = [\"notify\"]\n",
        service.address
    );
    let held = [("approval = \"automatic\"", "approval = \"person\"")];
    let builder = TestServer::builder().template("wifi", "held", &held);
    with_profile(builder, "asked", &table).file("hook.secret", "correct horse battery staple\n")
}

async fn device(admin: &Admin, template: &str, n: usize) -> Device {
    let mut order = order(template, &format!("laptop-{n}"));
    order.profile = Some("asked".into());
    Device::with_challenge(rsa(n), &admin.challenge(&order).await)
}

fn told(service: &Service, request: &str, outcome: &str) -> Vec<Asked> {
    let is = |asked: &Asked| asked.json()["request"] == request && asked.json()["outcome"] == outcome;
    service.asked().into_iter().filter(is).collect()
}

async fn is_told(service: &Service, request: &str, outcome: &str) -> Asked {
    until("the outcome to be told", || {
        let found = told(service, request, outcome).pop();
        async move { found }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_survive_a_kill_between_decision_and_notice() {
    let service = Service::start(|_| Says::status(503)).await;
    let site = builder(&service).create().await.0;
    let server = Process::serve(&site).await;
    let endpoint = Endpoint::at(server.http, "asked").await;
    let mut outcomes = Vec::new();
    let issued = endpoint.enrol(&device(&server.admin, "wifi", 0).await).await;
    issued.assert_issued();
    outcomes.push((issued.request_id.clone(), "issued"));
    let held = endpoint.enrol(&device(&server.admin, "held", 1).await).await;
    outcomes.push((held.request_id.clone(), "pending"));
    let refused = endpoint.enrol(&Device::new(rsa(2), "CN=nobody,O=Example")).await;
    refused.assert_refused("2");
    outcomes.push((refused.request_id.clone(), "refused"));
    server.admin.deny(&held.request_id, "no").await;
    outcomes.push((held.request_id.clone(), "refused"));
    let before = is_told(&service, &issued.request_id, "issued").await;
    server.kill().await;

    service.forget();
    service.now_says(|_| Says::status(204));
    let server = Process::serve(&site).await;
    for (request, outcome) in &outcomes {
        let notice = is_told(&service, request, outcome).await;
        if request == &issued.request_id {
            assert_eq!(notice.body, before.body, "the same octets, however late");
        }
    }
    // Taken once, told once.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    for (request, outcome) in &outcomes {
        assert_eq!(told(&service, request, outcome).len(), 1, "{outcome}");
    }
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_stays_away_is_given_up_after_a_day_and_that_is_audited() {
    let service = Service::start(|_| Says::status(503)).await;
    let server = builder(&service).start().await;
    let endpoint = Endpoint::at(server.http, "asked").await;
    let reply = endpoint.enrol(&device(&server.admin, "wifi", 0).await).await;
    is_told(&service, &reply.request_id, "issued").await;
    let given_up = async || server.admin.audit().await.into_iter().find(|e| e.kind == "notice-given-up");
    server.advance(Span::from_secs(3600 * 23));
    let tries = told(&service, &reply.request_id, "issued").len();
    until("another try", || {
        let more = told(&service, &reply.request_id, "issued").len() > tries;
        async move { more.then_some(()) }
    })
    .await;
    assert!(given_up().await.is_none());
    server.advance(Span::from_secs(3600 * 2));
    let record = until("the end of it", given_up).await;
    assert_eq!((record.actor.as_str(), record.request), ("job:notices", Some(reply.request_id.clone())));
    assert!(record.detail.unwrap().contains("its status is 503"));
    service.forget();
    server.advance(Span::from_days(1));
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert!(told(&service, &reply.request_id, "issued").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_node_that_leads_tells_what_another_decided() {
    let service = Service::start(|_| Says::status(204)).await;
    let site = builder(&service).database(Postgres::shared().database()).create().await.0;
    let any = ["--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--mtls", "127.0.0.1:0"];
    let leader = Process::serve_with(&site, &any).await;
    let follower = Process::serve_with(&site, &any).await;
    let endpoint = Endpoint::at(follower.http, "asked").await;
    let reply = endpoint.enrol(&device(&leader.admin, "wifi", 0).await).await;
    reply.assert_issued();
    follower.kill().await;
    is_told(&service, &reply.request_id, "issued").await;
    leader.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_decisions_at_once_the_one_that_stands_is_answered() {
    let service = Service::start(|_| Says::status(204)).await;
    let server = builder(&service).start().await;
    let endpoint = Endpoint::at(server.http, "asked").await;
    for n in 0..8 {
        let held = endpoint.enrol(&device(&server.admin, "held", n).await).await.request_id;
        let (approve, deny) = (format!("/requests/{held}/approve"), format!("/requests/{held}/deny"));
        let (approved, denied) =
            tokio::join!(server.admin.call("POST", &approve, b"null"), server.admin.call("POST", &deny, br#"{"reason":"no"}"#),);
        let state = server.admin.request(&held).await.state;
        assert!(matches!(denied.status, 200 | 409), "{}: {}", denied.status, denied.text());
        assert!(matches!(approved.status, 200 | 409), "{}: {}", approved.status, approved.text());
        let expected = if denied.status == 200 { "denied" } else { "issued" };
        assert_eq!(state, expected, "{} {}", approved.text(), denied.text());
        if approved.status == 200 {
            let told: Request = serde_json::from_slice(&approved.body).unwrap();
            assert_eq!(told.state, state, "what is answered is what stands");
        }
        let outcome = if state == "issued" { "issued" } else { "refused" };
        is_told(&service, &held, outcome).await;
    }
}

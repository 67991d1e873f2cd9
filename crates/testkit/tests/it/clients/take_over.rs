//! The successor takes the place of the issuing CA (RFC 8894, section 4.7): with our own device, with strongSwan, and on two nodes.

use std::time::Duration;

use lanyard_agent::{
    scep::{
        EnrollOptions, EnrollOutcome, enroll,
        renew::{RenewOptions, renew},
    },
    store::DeviceStore,
};
use lanyard_model::{secret::SecretText, time::Span};
use lanyard_pki::{certificate::Certificate, name};
use lanyard_server::flow::successor::take_over_if_due;
use lanyard_testkit::{
    admin::Admin,
    http,
    keys::rsa,
    process::Process,
    programs::{
        openssl::verify,
        postgres::Postgres,
        strongswan::{Asking, Strongswan},
    },
    scep::{device::Device, endpoint::Endpoint},
    server::{Builder, TestServer, order, subject},
    wait::until,
};

const NEXT: &str = "/scep/default?operation=GetNextCACert";

/// Certificates that can be renewed at once, and held requests.
fn builder() -> Builder {
    let always = [("renewal-window = \"120d\"", "renewal-window = \"364d\""), ("lifetime = \"365d\"", "lifetime = \"364d\"")];
    let held = [("approval = \"automatic\"", "approval = \"person\"")];
    TestServer::builder().template("wifi", "hosts", &always).template("wifi", "held", &held)
}

async fn call(admin: &Admin, what: &str) -> String {
    let answer = admin.call("POST", &format!("/authorities/issuing/{what}"), b"null").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

fn under(certificate: &Certificate, issuer: &Certificate) {
    certificate.verify_issued_by(issuer).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_change_over_the_successor_issues_and_nobody_is_left_behind() {
    let server = builder().start().await;
    let old = Endpoint::of(&server).await;
    let nobody = server.admin.call("POST", "/authorities/issuing/take-over", b"null").await;
    assert_eq!(nobody.status, 409, "{}", nobody.text());

    let first = Device::with_challenge(rsa(0), &server.admin.challenge(&order("hosts", "laptop-0")).await);
    let certificate = old.enrol(&first).await.certificate().clone();
    let lost = old.enrol(&first.renewal(&certificate, rsa(1))).await.serial();
    let waiting = Device::with_challenge(rsa(2), &server.admin.challenge(&order("held", "waiting")).await);
    let held = old.enrol(&waiting).await;
    assert_eq!(held.status, "3");

    call(&server.admin, "successor").await;
    assert_eq!(call(&server.admin, "take-over").await, "\"issuing-2\"");
    let server = server.restart().await;
    let (new, old) = (Endpoint::of(&server).await, Endpoint { address: server.http, ..old });
    assert_ne!(new.ra.der(), old.ra.der());
    under(&new.ra, new.issuing());
    assert!(new.issuing().subject().unwrap().to_string().contains("Issuing CA 2"));
    assert_eq!(http::get(server.http, NEXT).await.status, 404);
    let caps = http::get(server.http, "/scep/default?operation=GetCACaps").await.text();
    assert!(!caps.contains("GetNextCACert"), "{caps}");

    // Devices of both times are answered, each by the registration certificate it knows.
    for (n, endpoint) in [&old, &new].into_iter().enumerate() {
        let device = Device::with_challenge(rsa(3), &server.challenge(&format!("since-{n}")).await);
        under(endpoint.enrol(&device).await.certificate(), new.issuing());
    }
    server.admin.approve(&held.request_id).await;
    under(old.send(&waiting.poll(&old), &waiting).await.certificate(), new.issuing());

    // A renewal goes over to the new CA; the one before whose answer was lost is revoked by the CA that issued it.
    let renewed = new.enrol(&first.renewal(&certificate, rsa(4))).await;
    under(renewed.certificate(), new.issuing());
    assert_eq!(server.admin.certificate(&renewed.serial()).await.renews, certificate.serial().map(|s| s.to_string()));
    let told = server.admin.certificate(&lost).await;
    assert_eq!((told.status.as_str(), told.revocation_reason.as_deref()), ("revoked", Some("superseded")));
    let authorities = server.admin.authorities().await;
    let ca = |name: &str| authorities.iter().find(|a| a.name == name && a.role == "issuing").unwrap();
    assert_eq!(ca("issuing").state.as_deref(), Some("followed by issuing-2"));
    assert_eq!(ca("issuing-2").state.as_deref(), Some("in use"));
    let number = ca("issuing").crl_number;
    server.admin.revoke(&certificate.serial().unwrap().to_string(), "key-compromise").await;
    let authorities = server.admin.authorities().await;
    let after = authorities.iter().find(|a| a.name == "issuing" && a.role == "issuing").unwrap();
    assert!(after.crl_number > number, "the CA before goes on signing its CRLs");
    assert_eq!(http::get(server.http, "/crl/issuing-2.crl").await.status, 200);
    let audit = server.admin.audit().await;
    assert!(audit.iter().any(|e| e.kind == "successor-took-over" && e.actor.starts_with("admin:")));
    assert!(server.admin.verify_audit().await.intact);

    // Rules that are read again issue from it as well, and it can be followed in its turn.
    assert_eq!(server.admin.call("POST", "/policy/reload", b"null").await.status, 200);
    let device = Device::with_challenge(rsa(5), &server.challenge("after-reload").await);
    under(new.enrol(&device).await.certificate(), new.issuing());
    assert_eq!(call(&server.admin, "successor").await, "\"issuing-3\"");
    assert_eq!(call(&server.admin, "take-over").await, "\"issuing-3\"");
    let third = Endpoint::of(&server).await;
    let name = third.issuing().subject().unwrap().to_string();
    assert!(name.contains("Issuing CA 3") && !name.contains("CA 2"), "{name}");
    for endpoint in [&old, &new, &third] {
        let device = Device::with_challenge(rsa(6), &server.challenge("third").await);
        under(endpoint.enrol(&device).await.certificate(), third.issuing());
    }

    // The registration certificate of the first CA is not renewed, and ends.
    let (_, last) = old.ra.validity().unwrap();
    server.advance(Span::from_secs(last.secs() - server.now().secs() + 1));
    let server = server.restart().await;
    let device = Device::with_challenge(rsa(7), &server.challenge("too-late").await);
    Endpoint::of(&server).await.send(&device.message(&old), &device).await.assert_refused("1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_successor_takes_over_when_certificates_would_be_cut_short() {
    let server = TestServer::start().await;
    call(&server.admin, "successor").await;
    take_over_if_due(&server.server).await.unwrap();
    let old = Endpoint::of(&server).await;
    assert_eq!(old.issuing().der(), server.site.issuing.der());
    // Both were made on one day: no longer life, no change. A successor of later does last longer.
    server.advance(Span::from_days(10 * 365 - 300));
    take_over_if_due(&server.server).await.unwrap();
    lanyard_server::jobs::runner::renew_service_certificates(&server.server).await.unwrap();
    assert_eq!(Endpoint::of(&server).await.issuing().der(), server.site.issuing.der());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_that_lasts_longer_takes_over_in_time() {
    let server = TestServer::start().await;
    server.advance(Span::from_days(5 * 365));
    call(&server.admin, "successor").await;
    take_over_if_due(&server.server).await.unwrap();
    assert!(server.server.keyring.get().announced_successor().is_some());
    server.advance(Span::from_days(5 * 365 - 300));
    take_over_if_due(&server.server).await.unwrap();
    assert_eq!(server.server.keyring.get().issuing().as_str(), "issuing-2");
    let audit = server.admin.audit().await;
    assert!(audit.iter().any(|e| e.kind == "successor-took-over" && e.actor == "job:successor"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_that_was_followed_and_has_ended_is_missed_by_nobody() {
    let server = TestServer::start().await;
    server.advance(Span::from_days(5 * 365));
    let server = server.restart().await;
    call(&server.admin, "successor").await;
    call(&server.admin, "take-over").await;
    server.advance(Span::from_days(5 * 365 + 1));
    let server = server.restart().await;
    assert!(server.now() > server.site.issuing.validity().unwrap().1);
    let health = http::get(server.http, "/healthz").await;
    assert_eq!(health.status, 200, "{}", health.text());
    let endpoint = Endpoint::of(&server).await;
    let device = Device::with_challenge(rsa(0), &server.challenge("laptop-1").await);
    under(endpoint.enrol(&device).await.certificate(), endpoint.issuing());
}

/// A node that has not yet heard of the change-over is asked by devices that have.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_the_announced_registration_certificate_is_answered_by_it() {
    let server = TestServer::start().await;
    call(&server.admin, "successor").await;
    let now = Endpoint::of(&server).await;
    let body = http::get(server.http, NEXT).await.body;
    let outer = lanyard_pki::cms::signed::SignedData::decode(&body).unwrap();
    let inner = lanyard_pki::cms::signed::SignedData::decode(outer.content.as_deref().unwrap()).unwrap();
    let next = Endpoint { ra: inner.certificates[0].clone(), certificates: inner.certificates, ..now.clone() };
    let device = Device::with_challenge(rsa(0), &server.challenge("laptop-1").await);
    under(next.enrol(&device).await.certificate(), now.issuing());
}

#[tokio::test(flavor = "multi_thread")]
async fn our_device_renews_across_the_change_over() {
    let server = builder().start().await;
    let folder = lanyard_testkit::temporary::folder("scratch");
    let store = DeviceStore::open(&folder.path().join("device")).unwrap();
    let challenge = server.admin.challenge(&order("hosts", "host-1")).await;
    let name = name::parse(&challenge.subject).unwrap();
    let mut options = EnrollOptions::new(&server.scep_url("default"), server.site.root.fingerprint(), name);
    options.challenge = Some(SecretText::new(challenge.challenge));
    options.key = Some(rsa(0).pkcs8.clone());
    options.session.retry_period = Duration::from_millis(10);
    let EnrollOutcome::Issued(first) = enroll(Some(&store), options, &mut |_| {}).await.unwrap() else { panic!("not issued") };
    under(&first.certificate, &server.site.issuing);

    call(&server.admin, "successor").await;
    let mut command = tokio::process::Command::new(lanyard_testkit::process::lanyard());
    command.args(["ca", "take-over", "--dir"]).arg(server.dir());
    let told = lanyard_testkit::programs::run(&mut command).await.good();
    assert!(told.contains("issuing-2 issues from now on"), "{told}");
    let renewal = RenewOptions { key: Some(rsa(1).pkcs8.clone()), ..RenewOptions::default() };
    let outcome = renew(&store, &first.id, &renewal, &mut |_| {}).await.unwrap();
    let EnrollOutcome::Issued(second) = outcome else { panic!("{outcome:?}") };
    let successor = Endpoint::of(&server).await.issuing().clone();
    verify(&second.certificate, &successor, &server.site.root).await.good();
    let record = server.admin.certificate(&second.certificate.serial().unwrap().to_string()).await;
    assert_eq!(record.renews, first.certificate.serial().map(|s| s.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn strongswan_renews_across_the_change_over_with_what_it_fetched_before_and_after() {
    let server = builder().start().await;
    let client = Strongswan::new(&server.scep_url("default"));
    client.fetch_certificates().await.good();
    let challenge = server.admin.challenge(&order("hosts", "gate-1")).await.challenge;
    let name = subject("gate-1");
    let asking =
        Asking { subject: &name, names: &[], challenge: Some(&challenge), cipher: "aes", digest: "sha256", padding: "pkcs1" };
    let first = client.certificate(&client.ask(rsa(0), &asking, None).await);
    call(&server.admin, "successor").await;
    call(&server.admin, "take-over").await;
    let successor = Endpoint::of(&server).await.issuing().clone();

    let asking = Asking { challenge: None, ..asking };
    let second = client.certificate(&client.ask(rsa(1), &asking, Some((&first, rsa(0)))).await);
    verify(&second, &successor, &server.site.root).await.good();
    client.fetch_certificates().await.good();
    assert_eq!(client.fetched("ca-1.pem").der(), successor.der());
    let third = client.certificate(&client.ask(rsa(2), &asking, Some((&second, rsa(1)))).await);
    verify(&third, &successor, &server.site.root).await.good();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_node_follows() {
    let site = builder().database(Postgres::shared().database()).create().await.0;
    let any = ["--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--mtls", "127.0.0.1:0"];
    let first = Process::serve_with(&site, &any).await;
    let second = Process::serve_with(&site, &any).await;
    let old = Endpoint::at(second.http, "default").await;
    call(&first.admin, "successor").await;
    until("the other node to announce the successor", || async {
        (http::get(second.http, NEXT).await.status == 200).then_some(())
    })
    .await;
    call(&first.admin, "take-over").await;
    let new = until("the other node to follow", || async {
        let now = Endpoint::at(second.http, "default").await;
        (now.ra.der() != old.ra.der()).then_some(now)
    })
    .await;
    assert_eq!(http::get(second.http, NEXT).await.status, 404);
    let on_first = Endpoint { address: first.http, ..new.clone() };
    for (n, endpoint) in [&old, &new, &on_first].into_iter().enumerate() {
        let challenge = first.admin.challenge(&order("wifi", &format!("node-{n}"))).await;
        let device = Device::with_challenge(rsa(n), &challenge);
        under(endpoint.enrol(&device).await.certificate(), new.issuing());
    }
}

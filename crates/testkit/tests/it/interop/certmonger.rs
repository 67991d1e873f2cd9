//! certmonger 0.79.17 in Debian 12: PKIOperation by GET, signer certificates of version 1, transactionIDs of 77 digits.

use lanyard_model::{key::KeyKind, time::Span};
use lanyard_server::api::types::Order;
use lanyard_testkit::{
    programs::{certmonger::Certmonger, openssl::verify},
    server::{Builder, TestServer, subject},
};

const DNS: &str = "host-1.example.org";

/// Its renewals come when its own clock says so, so the template's window is always open.
fn builder() -> Builder {
    let always = [("renewal-window = \"120d\"", "renewal-window = \"364d\""), ("lifetime = \"365d\"", "lifetime = \"364d\"")];
    TestServer::builder().template("wifi", "hosts", &always)
}

fn order() -> Order {
    Order { template: "hosts".into(), subject: Some(subject("host-1")), san: vec![format!("dns:{DNS}")], ..Order::default() }
}

async fn enrols_and_renews(ca_key: KeyKind) {
    let server = builder().ca_key(ca_key).start().await;
    let certmonger = Certmonger::start().await;
    certmonger.add_ca(&server.scep_url("default")).await;
    let challenge = server.admin.challenge(&order()).await;
    certmonger.request(&subject("host-1"), &[DNS], &challenge.challenge).await.good();
    let first = certmonger.monitored(None).await;
    verify(&first, &server.site.issuing, &server.site.root).await.good();

    // The same key and transactionID again, signed by the certificate.
    server.advance(Span::from_secs(60));
    certmonger.resubmit().await.good();
    let second = certmonger.monitored(Some(&first)).await;
    assert_eq!(first.spki_der(), second.spki_der());
    verify(&second, &server.site.issuing, &server.site.root).await.good();
    let record = server.admin.certificate(&second.serial().unwrap().to_string()).await;
    assert_eq!(record.renews, first.serial().map(|s| s.to_string()));

    certmonger.rekey().await.good();
    let third = certmonger.monitored(Some(&second)).await;
    assert_ne!(second.spki_der(), third.spki_der());
    verify(&third, &server.site.issuing, &server.site.root).await.good();
    assert_eq!(server.admin.certificates().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn certmonger_enrols_and_renews_under_a_p256_authority() {
    enrols_and_renews(KeyKind::EcP256).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certmonger_enrols_and_renews_under_a_p384_authority() {
    enrols_and_renews(KeyKind::EcP384).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certmonger_enrols_and_renews_under_an_rsa_authority() {
    enrols_and_renews(KeyKind::Rsa(3072)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certmonger_tracks_over_its_own_restart_and_renews_by_itself() {
    let server = builder().start().await;
    let certmonger = Certmonger::start().await;
    certmonger.add_ca(&server.scep_url("default")).await;
    let challenge = server.admin.challenge(&order()).await;
    certmonger.request(&subject("host-1"), &[DNS], &challenge.challenge).await.good();
    let first = certmonger.monitored(None).await;
    // Its clock says that the time has come.
    let (_, last) = first.validity().unwrap();
    let within = last.since(server.now()).secs() + 3600;
    let certmonger = certmonger.restart_renewing_within(within).await;
    let second = certmonger.monitored(Some(&first)).await;
    verify(&second, &server.site.issuing, &server.site.root).await.good();
    let record = server.admin.certificate(&second.serial().unwrap().to_string()).await;
    assert_eq!(record.renews, first.serial().map(|s| s.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn certmonger_retries_after_a_refusal_and_does_no_harm() {
    let server = builder().start().await;
    let certmonger = Certmonger::start().await;
    certmonger.add_ca(&server.scep_url("default")).await;
    certmonger.request(&subject("host-1"), &[DNS], "no_challenge_of_ours*!").await.good();
    // It cannot read a refusal without content.
    certmonger.in_state("CA_UNREACHABLE").await;
    assert!(!certmonger.certificate_path().exists());
    certmonger.resubmit().await;
    certmonger.in_state("CA_UNREACHABLE").await;
    assert!(server.admin.certificates().await.is_empty());
    let denied = server.admin.requests("denied").await;
    assert!(denied.len() >= 2 && denied.iter().all(|r| r.client.as_deref() == Some("certmonger")), "{denied:?}");
    assert!(denied.iter().all(|r| r.reason.as_deref() == Some("ra.challenge-malformed")), "{denied:?}");

    let challenge = server.admin.challenge(&order()).await;
    certmonger.resubmit_with(&challenge.challenge).await.good();
    let certificate = certmonger.monitored(None).await;
    verify(&certificate, &server.site.issuing, &server.site.root).await.good();
}

#[tokio::test(flavor = "multi_thread")]
async fn certmonger_goes_on_when_the_server_was_away() {
    // The address must be the same afterwards.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = builder().config("http = \"127.0.0.1:0\"", &format!("http = \"{address}\"")).start().await;
    let certmonger = Certmonger::start().await;
    certmonger.add_ca(&server.scep_url("default")).await;
    let challenge = server.admin.challenge(&order()).await;
    let (site, clock) = server.stop().await;
    certmonger.request(&subject("host-1"), &[DNS], &challenge.challenge).await.good();
    certmonger.in_state("CA_UNREACHABLE").await;

    let server = TestServer::on(site, clock).await;
    certmonger.resubmit().await.good();
    let first = certmonger.monitored(None).await;
    let (site, clock) = server.stop().await;
    certmonger.rekey().await.good();
    certmonger.in_state("CA_UNREACHABLE").await;
    let server = TestServer::on(site, clock).await;
    certmonger.resubmit().await.good();
    let second = certmonger.monitored(Some(&first)).await;
    verify(&second, &server.site.issuing, &server.site.root).await.good();
    assert_eq!(server.admin.certificates().await.len(), 2);
}

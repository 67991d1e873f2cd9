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

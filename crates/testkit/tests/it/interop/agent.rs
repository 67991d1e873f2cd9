//! Our own device agent, by the same public surface as everybody else.

use std::time::Duration;

use lanyard_agent::{
    scep::{
        EnrollOptions, EnrollOutcome, enroll,
        renew::{RenewOptions, renew},
        resume::resume,
    },
    store::DeviceStore,
};
use lanyard_model::{key::KeyKind, secret::SecretText};
use lanyard_pki::name;
use lanyard_testkit::{
    keys::rsa,
    programs::openssl::verify,
    server::{Builder, TestServer, order},
};

fn builder() -> Builder {
    let always = [("renewal-window = \"120d\"", "renewal-window = \"364d\""), ("lifetime = \"365d\"", "lifetime = \"364d\"")];
    TestServer::builder().template("wifi", "hosts", &always).template(
        "wifi",
        "held",
        &[("approval = \"automatic\"", "approval = \"person\"")],
    )
}

fn options(server: &TestServer, challenge: &lanyard_server::api::types::Challenge) -> EnrollOptions {
    let subject = name::parse(&challenge.subject).unwrap();
    let mut options = EnrollOptions::new(&server.scep_url("default"), server.site.root.fingerprint(), subject);
    options.challenge = Some(SecretText::new(challenge.challenge.clone()));
    options.key = Some(rsa(0).pkcs8.clone());
    options.session.retry_count = 0;
    options.session.retry_period = Duration::from_millis(10);
    options
}

async fn enrols_and_renews(ca_key: KeyKind) {
    let server = builder().ca_key(ca_key).start().await;
    let folder = lanyard_testkit::temporary::folder("scratch");
    let store = DeviceStore::open(&folder.path().join("device")).unwrap();
    let challenge = server.admin.challenge(&order("hosts", "host-1")).await;
    let outcome = enroll(Some(&store), options(&server, &challenge), &mut |_| {}).await.unwrap();
    let EnrollOutcome::Issued(first) = outcome else { panic!("{outcome:?}") };
    verify(&first.certificate, &server.site.issuing, &server.site.root).await.good();

    let renewal = RenewOptions { key: Some(rsa(1).pkcs8.clone()), ..RenewOptions::default() };
    let outcome = renew(&store, &first.id, &renewal, &mut |_| {}).await.unwrap();
    let EnrollOutcome::Issued(second) = outcome else { panic!("{outcome:?}") };
    verify(&second.certificate, &server.site.issuing, &server.site.root).await.good();
    assert_ne!(first.certificate.spki_der(), second.certificate.spki_der());
    let record = server.admin.certificate(&second.certificate.serial().unwrap().to_string()).await;
    assert_eq!(record.renews, first.certificate.serial().map(|s| s.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn our_device_enrols_and_renews_under_a_p256_authority() {
    enrols_and_renews(KeyKind::EcP256).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_device_enrols_and_renews_under_a_p384_authority() {
    enrols_and_renews(KeyKind::EcP384).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_device_enrols_and_renews_under_an_rsa_authority() {
    enrols_and_renews(KeyKind::Rsa(3072)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_device_resumes_a_held_request_after_it_was_approved() {
    let server = builder().start().await;
    let folder = lanyard_testkit::temporary::folder("scratch");
    let store = DeviceStore::open(&folder.path().join("device")).unwrap();
    let challenge = server.admin.challenge(&order("held", "host-1")).await;
    let options = options(&server, &challenge);
    let session = options.session.clone();
    let outcome = enroll(Some(&store), options, &mut |_| {}).await.unwrap();
    let EnrollOutcome::StillPending { id, request_id, .. } = outcome else { panic!("{outcome:?}") };
    server.admin.approve(request_id.as_deref().expect("the server's name of the request")).await;
    let outcome = resume(&store, &id, &session, &mut |_| {}).await.unwrap();
    let EnrollOutcome::Issued(issued) = outcome else { panic!("{outcome:?}") };
    verify(&issued.certificate, &server.site.issuing, &server.site.root).await.good();
}

#[tokio::test(flavor = "multi_thread")]
async fn our_device_believes_no_server_with_another_fingerprint() {
    let server = builder().start().await;
    let challenge = server.admin.challenge(&order("hosts", "host-1")).await;
    let mut options = options(&server, &challenge);
    options.ca_fingerprint[0] ^= 1;
    assert!(enroll(None, options, &mut |_| {}).await.is_err());
    // Nothing was sent to it, so the challenge is unspent.
    assert!(server.admin.requests("denied").await.is_empty() && server.admin.certificates().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn our_device_enrols_over_tls_under_the_given_root_and_under_no_other() {
    let server = builder().start().await;
    let pem = |certificate: &lanyard_pki::certificate::Certificate| {
        lanyard_pki::pem::encode(lanyard_pki::pem::CERTIFICATE, certificate.der()).into_bytes()
    };
    let url = format!("https://127.0.0.1:{}/scep/default", server.https.port());
    let asking = async |roots: Option<Vec<u8>>, name: &str| {
        let challenge = server.admin.challenge(&order("hosts", name)).await;
        let mut options = options(&server, &challenge);
        options.url.clone_from(&url);
        options.session.tls_roots = roots;
        enroll(None, options, &mut |_| {}).await
    };
    let outcome = asking(Some(pem(&server.site.root)), "host-1").await.unwrap();
    let EnrollOutcome::Issued(issued) = outcome else { panic!("{outcome:?}") };
    verify(&issued.certificate, &server.site.issuing, &server.site.root).await.good();

    let stranger = TestServer::start().await;
    for roots in [Some(pem(&stranger.site.root)), None] {
        let error = asking(roots, "host-2").await.unwrap_err();
        assert!(error.to_string().contains("HTTP") || error.code().starts_with("agent."), "{error}");
    }
    // A wrong root ends the handshake: nothing of the request was sent.
    assert!(server.admin.requests("denied").await.is_empty());
    assert_eq!(server.admin.certificates().await.len(), 1);
}

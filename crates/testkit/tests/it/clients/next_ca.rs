//! GetNextCACert (RFC 8894, section 4.7).

use lanyard_enroll::scep::client::{rollover::next_ca_certificates, trust::CaCertificates};
use lanyard_pki::cms::signed::SignedData;
use lanyard_testkit::{
    http,
    keys::rsa,
    scep::{device::Device, endpoint::Endpoint},
    server::TestServer,
};

const NEXT: &str = "/scep/default?operation=GetNextCACert";

#[tokio::test(flavor = "multi_thread")]
async fn rfc8894_4_7_the_next_ca_is_announced_once_it_is_prepared() {
    let server = TestServer::start().await;
    let caps = async |server: &TestServer| http::get(server.http, "/scep/default?operation=GetCACaps").await.text();
    assert_eq!(http::get(server.http, NEXT).await.status, 404);
    assert!(!caps(&server).await.contains("GetNextCACert"));

    let prepared = server.admin.call("POST", "/authorities/issuing/successor", b"null").await;
    assert_eq!((prepared.status, prepared.text().as_str()), (200, "\"issuing-2\""));
    let twice = server.admin.call("POST", "/authorities/issuing/successor", b"null").await;
    assert_eq!(twice.status, 409, "{}", twice.text());
    let server = server.restart().await;
    assert!(caps(&server).await.lines().any(|line| line == "GetNextCACert"));

    let answer = http::get(server.http, NEXT).await;
    assert_eq!((answer.status, answer.field("content-type")), (200, Some("application/x-x509-next-ca-cert")));
    assert_eq!(answer.field("content-length"), Some(answer.body.len().to_string().as_str()));
    let endpoint = Endpoint::of(&server).await;
    let fingerprint = server.site.root.fingerprint();
    let body = http::get(server.http, "/scep/default?operation=GetCACert").await.body;
    let current = CaCertificates::decode(&body, &fingerprint, server.now()).unwrap();
    let next = next_ca_certificates(&answer.body, &current, &fingerprint, server.now()).unwrap();
    assert_ne!(next.encryption.der(), current.encryption.der());
    let [successor] = next.intermediates.as_slice() else { panic!("not one issuing CA") };
    assert!(successor.subject().unwrap().to_string().contains("Issuing CA 2"));
    successor.verify_issued_by(&server.site.root).unwrap();
    next.signing.verify_issued_by(successor).unwrap();

    // A degenerate message inside, signed by what signs now.
    let outer = SignedData::decode(&answer.body).unwrap();
    assert!(outer.signers[0].identifier.names(&endpoint.ra));
    let inner = SignedData::decode(outer.content.as_deref().unwrap()).unwrap();
    assert!(inner.signers.is_empty() && inner.content.is_none() && inner.certificates.len() == 3);
    let mut altered = answer.body.clone();
    let place = altered.len() / 2;
    altered[place] ^= 1;
    assert!(next_ca_certificates(&altered, &current, &fingerprint, server.now()).is_err());
    // Somebody else's signature, and none at all.
    assert!(next_ca_certificates(&answer.body, &next, &fingerprint, server.now()).is_err());
    assert!(next_ca_certificates(outer.content.as_deref().unwrap(), &current, &fingerprint, server.now()).is_err());

    // Until the change-over everything goes on as before.
    let device = Device::with_challenge(rsa(0), &server.challenge("laptop-1").await);
    let reply = endpoint.enrol(&device).await;
    reply.certificate().verify_issued_by(endpoint.issuing()).unwrap();
    assert_eq!(http::get(server.http, "/crl/issuing-2.crl").await.status, 200);
    assert_eq!(http::get(server.http, "/healthz").await.status, 200);
    let audit = server.admin.audit().await;
    assert!(audit.iter().any(|e| e.kind == "successor-prepared" && e.actor.starts_with("admin:")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_prepares_a_successor() {
    let server = TestServer::start().await;
    let mut command = tokio::process::Command::new(lanyard_testkit::process::lanyard());
    command.args(["ca", "successor", "--dir"]).arg(server.dir());
    let told = lanyard_testkit::programs::run(&mut command).await.good();
    assert!(told.contains("issuing-2 is made and announced"), "{told}");
}

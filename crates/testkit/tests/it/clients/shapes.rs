//! What GetCACert offers to whom.

use lanyard_model::client::Client;
use lanyard_model::{key::KeyKind, usage::KeyUsage};
use lanyard_pki::{certificate::Certificate, cms::signed::SignedData, extension, oids};
use lanyard_testkit::{
    http::{self, Response},
    scep::{endpoint::Endpoint, habits},
    server::TestServer,
};

async fn get_ca_cert(server: &TestServer, profile: &str, agent: Option<&str>) -> Response {
    let fields = agent.map(|agent| format!("User-Agent: {agent}\r\n")).unwrap_or_default();
    http::request(server.http, "GET", &format!("/scep/{profile}?operation=GetCACert"), &fields, &[]).await.unwrap()
}

fn bag(response: &Response) -> Vec<Certificate> {
    assert_eq!(response.field("content-type"), Some("application/x-x509-ca-ra-cert"));
    SignedData::decode(&response.body).unwrap().certificates
}

fn bare(response: &Response) -> Certificate {
    assert_eq!(response.field("content-type"), Some("application/x-x509-ca-cert"));
    Certificate::decode(&response.body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_and_apple_get_contradictory_shapes_from_one_profile() {
    let contradictory = [("go = \"rsa\"", "windows = \"registration\"\napple = \"chain\"\nmikrotik = \"rsa\"")];
    let other_way = [
        ("ca-certificates = \"chain\"", "ca-certificates = \"registration\""),
        ("go = \"rsa\"", "windows = \"chain\""),
        ("include-root = true", "include-root = false"),
    ];
    let builder = TestServer::builder().profile("default", "shapes", &contradictory).profile("default", "other", &other_way);
    let server = builder.start().await;
    let ra = Endpoint::of(&server).await.ra;
    let agent = |client| habits::user_agent(client);
    assert_eq!(bare(&get_ca_cert(&server, "shapes", agent(Client::Windows)).await).der(), ra.der());
    assert_eq!(bag(&get_ca_cert(&server, "shapes", agent(Client::Apple)).await).len(), 3);
    assert_eq!(bag(&get_ca_cert(&server, "shapes", None).await).len(), 3);
    // Of an EC authority, nothing but the registration certificate is RSA.
    assert_eq!(bare(&get_ca_cert(&server, "shapes", agent(Client::Mikrotik)).await).der(), ra.der());
    assert_eq!(bare(&get_ca_cert(&server, "other", agent(Client::Apple)).await).der(), ra.der());
    assert_eq!(bag(&get_ca_cert(&server, "other", agent(Client::Windows)).await).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_in_go_are_offered_rsa_alone() {
    const GO: Option<&str> = Some("Go-http-client/1.1");
    let server = TestServer::start().await;
    let ra = Endpoint::of(&server).await.ra;
    assert_eq!(bare(&get_ca_cert(&server, "default", GO).await).der(), ra.der());
    let server = TestServer::builder().ca_key(KeyKind::Rsa(2048)).start().await;
    assert_eq!(bag(&get_ca_cert(&server, "default", GO).await).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_identifier_gets_the_same_answer() {
    let server = TestServer::start().await;
    let first = http::get(server.http, "/scep/default?operation=GetCACert").await.body;
    for identifier in ["0", "1", "31", "default", "ca", "SCEP%20Authority", "LAB-CA", "%zz", "a=b", ""] {
        for operation in ["GetCACert", "GetCAChain"] {
            let target = format!("/scep/default?operation={operation}&message={identifier}");
            assert!(http::get(server.http, &target).await.body == first, "{identifier}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_registration_certificate_suits_apple_jscep_and_windows() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let extensions = endpoint.ra.extensions().unwrap();
    let usage = extension::find(&extensions, oids::KEY_USAGE).unwrap();
    let usages = extension::decode_key_usage(&usage.value).unwrap();
    assert!(usage.critical && usages == [KeyUsage::DigitalSignature, KeyUsage::KeyEncipherment].into());
    assert!(!endpoint.ra.is_ca() && endpoint.ra.public_key().unwrap().kind.is_rsa());
    endpoint.ra.verify_issued_by(endpoint.issuing()).unwrap();
    // CAs carry what SCEP asks of them, and nothing is signed with SHA-1 or PSS.
    let extensions = endpoint.issuing().extensions().unwrap();
    let usage = extension::find(&extensions, oids::KEY_USAGE).unwrap();
    assert!(extension::decode_key_usage(&usage.value).unwrap().contains(&KeyUsage::DigitalSignature));
    for certificate in &endpoint.certificates {
        use lanyard_pki::signature::{Digest, SignatureAlgorithm};
        let algorithm = certificate.signature_algorithm().unwrap();
        assert!(algorithm.digest() != Digest::Sha1 && !matches!(algorithm, SignatureAlgorithm::RsaPss(_)));
        // Devices with slow clocks discard what is not valid yet.
        assert!(certificate.is_valid_at(server.now() - lanyard_model::time::Span::from_secs(300)));
    }
}

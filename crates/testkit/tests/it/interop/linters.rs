//! What other people's verifiers say about everything the authority signs.

use std::collections::BTreeSet;

use lanyard_model::key::KeyKind;
use lanyard_pki::{certificate::Certificate, pem};
use lanyard_server::api::types::Order;
use lanyard_testkit::{
    http,
    keys::{key, rsa},
    programs::{
        openssl::verify,
        pkilint::{lint_certificate, lint_crl},
    },
    scep::{device::Device, endpoint::Endpoint},
    server::{Builder, TestServer},
};
use serde_json::json;

async fn with_records(builder: Builder) -> TestServer {
    let server = builder.start().await;
    let admin = &server.admin;
    let user = json!({ "name": "jo", "display-name": "Jo Döe", "upn": "jo@example.org", "email": "jo@example.org" });
    admin.save_user(user).await;
    let device = json!({ "id": "D-1", "name": "laptop-1", "dns-name": "laptop-1.example.org", "serial": "S1", "user": "jo" });
    admin.save_device(device).await;
    server
}

async fn assert_sound(server: &TestServer, what: &str, certificate: &Certificate) {
    let verified = verify(certificate, &server.site.issuing, &server.site.root).await;
    assert!(verified.success, "{what}: {}", verified.output);
    assert_eq!(lint_certificate(certificate, "WARNING").await, BTreeSet::new(), "{what}");
}

/// One certificate of every template, with all names the records give. Keys of encrypted mail are made and archived by the server; what
/// stands in the certificate does not depend on that, so here its template is opened to SCEP.
async fn certificates_of_every_template(ca_key: KeyKind) {
    let opened = [("protocols = [\"pfx\"]", "protocols = [\"scep\"]"), ("archival = \"required\"", "archival = \"never\"")];
    let builder = TestServer::builder().ca_key(ca_key).template("smime-encryption", "smime-encryption", &opened);
    let server = with_records(builder).await;
    let endpoint = Endpoint::of(&server).await;
    for (n, (file, text)) in lanyard_ra::template::builtin().iter().enumerate() {
        let template = file.trim_end_matches(".toml");
        let order = Order {
            template: template.into(),
            user: text.contains("{user.").then(|| "jo".into()),
            device: text.contains("{device.").then(|| "D-1".into()),
            ..Order::default()
        };
        let challenge = server.admin.challenge(&order).await;
        let key = if challenge.key == "rsa:2048" { rsa(n) } else { key(challenge.key.parse().unwrap(), n) };
        let device = Device::with_challenge(key, &challenge);
        let mut reply = endpoint.enrol(&device).await;
        if reply.status == "3" {
            server.admin.approve(&reply.request_id).await;
            reply = endpoint.send(&device.poll(&endpoint), &device).await;
        }
        assert_sound(&server, template, reply.certificate()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_of_every_template_pass_under_a_p256_authority() {
    certificates_of_every_template(KeyKind::EcP256).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_of_every_template_pass_under_a_p384_authority() {
    certificates_of_every_template(KeyKind::EcP384).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_of_every_template_pass_under_an_rsa_authority() {
    certificates_of_every_template(KeyKind::Rsa(3072)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_for_every_kind_of_key_pass() {
    let server = with_records(TestServer::builder()).await;
    for kind in [KeyKind::Rsa(2048), KeyKind::Rsa(3072), KeyKind::EcP256, KeyKind::EcP384] {
        let mut device = Device::new(rsa(0), "CN=server.example.org,O=Example");
        device.key = key(kind, 0);
        device.info.san = vec!["dns:server.example.org".parse().unwrap(), "ip:192.0.2.7".parse().unwrap()];
        let order = Order {
            template: "tls-server".into(),
            subject: Some("CN=server.example.org,O=Example".into()),
            san: vec!["dns:server.example.org".into(), "ip:192.0.2.7".into()],
            csr: Some(pem::encode("CERTIFICATE REQUEST", &device.csr())),
            ..Order::default()
        };
        let issued = server.admin.issue(&order).await;
        let record = server.admin.certificate(issued.certificate.as_deref().expect("a certificate")).await;
        let der = pem::decode(pem::CERTIFICATE, record.pem.as_deref().unwrap()).unwrap();
        assert_sound(&server, &kind.to_string(), &Certificate::decode(&der).unwrap()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_authoritys_own_certificates_and_lists_pass() {
    for ca_key in [KeyKind::EcP256, KeyKind::EcP384, KeyKind::Rsa(3072)] {
        let server = TestServer::builder().ca_key(ca_key).start().await;
        let authorities = server.admin.authorities().await;
        assert_eq!(authorities.len(), 4);
        for authority in authorities {
            let der = pem::decode(pem::CERTIFICATE, &authority.pem).unwrap();
            let certificate = Certificate::decode(&der).unwrap();
            let mut found = lint_certificate(&certificate, "ERROR").await;
            // The linter takes a host name without a dot for an error; on the machine itself this one is what people type.
            found.retain(|finding| !(finding.contains("pkix.invalid_domain_name_syntax") && finding.contains("\"localhost\"")));
            assert_eq!(found, BTreeSet::new(), "{} of {ca_key}", authority.role);
            let verified = verify(&certificate, &server.site.issuing, &server.site.root).await;
            assert!(verified.success, "{}: {}", authority.role, verified.output);
        }
        // A list with an entry of every reason.
        for reason in
            ["unspecified", "keyCompromise", "affiliationChanged", "superseded", "cessationOfOperation", "privilegeWithdrawn"]
        {
            let device = Device::with_challenge(rsa(0), &server.challenge(reason).await);
            let serial = Endpoint::of(&server).await.enrol(&device).await.serial();
            server.admin.revoke(&serial, reason).await;
        }
        for name in ["root", "issuing"] {
            let crl = http::get(server.http, &format!("/crl/{name}.crl")).await;
            assert_eq!(lint_crl(&crl.body, "ERROR").await, BTreeSet::new(), "{name} of {ca_key}");
        }
    }
}

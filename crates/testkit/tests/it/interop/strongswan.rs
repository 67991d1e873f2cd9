//! strongSwan 5.9.8 in Debian 12: `pki --scepca`, then `pki --scep` with everything it offers.

use lanyard_model::key::KeyKind;
use lanyard_server::api::types::Order;
use lanyard_testkit::{
    keys::rsa,
    programs::{
        openssl::verify,
        strongswan::{Asking, Strongswan},
    },
    scep::endpoint::Endpoint,
    server::{Builder, TestServer, subject},
};

const DNS: &str = "gate-1.example.org";

fn builder() -> Builder {
    let always = [("renewal-window = \"120d\"", "renewal-window = \"364d\""), ("lifetime = \"365d\"", "lifetime = \"364d\"")];
    let held = [("approval = \"automatic\"", "approval = \"person\"")];
    TestServer::builder().template("wifi", "gates", &always).template("wifi", "held", &held)
}

fn order(template: &str, profile: &str, with_name: bool) -> Order {
    Order {
        template: template.into(),
        profile: Some(profile.into()),
        subject: Some(subject("gate-1")),
        san: if with_name { vec![format!("dns:{DNS}")] } else { Vec::new() },
        ..Order::default()
    }
}

async fn client(server: &TestServer, profile: &str) -> Strongswan {
    let client = Strongswan::new(&server.scep_url(profile));
    client.fetch_certificates().await.good();
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn scepca_tells_root_issuing_ca_and_registration_certificate_apart() {
    for kind in [KeyKind::EcP256, KeyKind::EcP384, KeyKind::Rsa(3072)] {
        let server = builder().ca_key(kind).start().await;
        let client = client(&server, "default").await;
        assert_eq!(client.fetched("ca.pem").der(), server.site.root.der());
        assert_eq!(client.fetched("ca-1.pem").der(), server.site.issuing.der());
        assert_eq!(client.fetched("ra.pem").der(), Endpoint::of(&server).await.ra.der());
    }
}

/// Enrols and renews with a new key, once for each combination.
async fn enrols_and_renews(server: &TestServer, profile: &str, ciphers: &[&str], digests: &[&str], paddings: &[&str]) -> usize {
    let client = client(server, profile).await;
    let mut done = 0;
    for cipher in ciphers {
        for digest in digests {
            for padding in paddings {
                for with_name in [true, false] {
                    let challenge = server.admin.challenge(&order("gates", profile, with_name)).await.challenge;
                    let names: &[&str] = if with_name { &[DNS] } else { &[] };
                    let name = subject("gate-1");
                    let asking = Asking { subject: &name, names, challenge: Some(&challenge), cipher, digest, padding };
                    let first = client.certificate(&client.ask(rsa(0), &asking, None).await);
                    verify(&first, &server.site.issuing, &server.site.root).await.good();
                    let asking = Asking { challenge: None, ..asking };
                    let second = client.certificate(&client.ask(rsa(1), &asking, Some((&first, rsa(0)))).await);
                    assert_ne!(first.spki_der(), second.spki_der());
                    let told = server.admin.certificate(&second.serial().unwrap().to_string()).await;
                    assert_eq!(told.renews, first.serial().map(|s| s.to_string()), "{cipher} {digest} {padding} {with_name}");
                    done += 1;
                }
            }
        }
    }
    done
}

#[tokio::test(flavor = "multi_thread")]
async fn strongswan_enrols_and_renews_with_every_cipher_digest_and_padding() {
    let server = builder().start().await;
    let digests = ["sha256", "sha384", "sha512"];
    assert_eq!(enrols_and_renews(&server, "default", &["aes"], &digests, &["pkcs1", "pss"]).await, 12);
    let requests = server.admin.requests("issued").await;
    assert!(requests.iter().all(|r| r.client.as_deref() == Some("strongswan")), "{requests:?}");
    assert_eq!(requests.iter().filter(|r| r.accommodations.iter().any(|word| word == "pss")).count(), 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn strongswan_enrols_and_renews_with_3des_and_sha1_where_a_profile_says_so() {
    // It refuses a single certificate for GetCACert, so this legacy profile offers the chain.
    let chain = [("rsa-certificates-only = true", "rsa-certificates-only = false")];
    let server = builder().profile("legacy", "old-gates", &chain).start().await;
    assert_eq!(enrols_and_renews(&server, "old-gates", &["des3", "aes"], &["sha1", "sha256"], &["pkcs1"]).await, 8);
    assert_eq!(enrols_and_renews(&server, "old-gates", &["des3"], &["sha384", "sha512"], &["pkcs1", "pss"]).await, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn strongswan_is_told_what_the_default_profile_refuses() {
    let server = builder().start().await;
    let client = client(&server, "default").await;
    for (cipher, digest, padding) in [("des3", "sha256", "pkcs1"), ("aes", "sha1", "pkcs1"), ("aes", "sha224", "pkcs1")] {
        let challenge = server.admin.challenge(&order("gates", "default", false)).await.challenge;
        let name = subject("gate-1");
        let asking = Asking { subject: &name, names: &[], challenge: Some(&challenge), cipher, digest, padding };
        let refused = client.ask(rsa(0), &asking, None).await;
        assert!(!refused.success, "{cipher} {digest}: {}", refused.output);
    }
    assert!(server.admin.certificates().await.is_empty());
    let name = subject("gate-1");
    let asking =
        Asking { subject: &name, names: &[], challenge: Some("wrong"), cipher: "aes", digest: "sha256", padding: "pkcs1" };
    let refused = client.ask(rsa(0), &asking, None).await;
    assert!(!refused.success && refused.output.contains("badRequest"), "{}", refused.output);
}

#[tokio::test(flavor = "multi_thread")]
async fn strongswan_polls_until_a_person_approves() {
    let server = builder().start().await;
    let client = client(&server, "default").await;
    let challenge = server.admin.challenge(&order("held", "default", false)).await.challenge;
    let name = subject("gate-1");
    let asking =
        Asking { subject: &name, names: &[], challenge: Some(&challenge), cipher: "aes", digest: "sha256", padding: "pkcs1" };
    let approving = async {
        let id = lanyard_testkit::wait::until("a held request", || async {
            server.admin.requests("pending").await.into_iter().next().map(|r| r.id)
        })
        .await;
        server.admin.approve(&id).await;
    };
    let (done, ()) = tokio::join!(client.ask(rsa(0), &asking, None), approving);
    let certificate = client.certificate(&done);
    verify(&certificate, &server.site.issuing, &server.site.root).await.good();
}

#[tokio::test(flavor = "multi_thread")]
async fn strongswan_renews_by_renewal_req_or_by_pkcs_req() {
    let server = builder().start().await;
    for (client, expected) in [
        (Strongswan::new(&server.scep_url("default")), "RenewalReq"),
        (Strongswan::new(&server.scep_url("default")).renewing_by_pkcs_req(), "PKCSReq"),
    ] {
        client.fetch_certificates().await.good();
        let challenge = server.admin.challenge(&order("gates", "default", false)).await.challenge;
        let name = subject("gate-1");
        let asking =
            Asking { subject: &name, names: &[], challenge: Some(&challenge), cipher: "aes", digest: "sha256", padding: "pkcs1" };
        let first = client.certificate(&client.ask(rsa(0), &asking, None).await);
        let asking = Asking { challenge: None, ..asking };
        let _ = client.certificate(&client.ask(rsa(1), &asking, Some((&first, rsa(0)))).await);
        let renewal = server.admin.requests("issued").await.into_iter().next().unwrap();
        let by_pkcs_req = renewal.accommodations.iter().any(|word| word == "renewal-as-pkcsreq");
        assert!(renewal.renewal && by_pkcs_req == (expected == "PKCSReq"), "{expected}: {renewal:?}");
    }
}

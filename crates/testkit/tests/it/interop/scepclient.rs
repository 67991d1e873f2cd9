//! `scepclient` 2.1.0 speaks single DES and SHA-1 and nothing else, so it needs a profile with legacy algorithms.

use lanyard_model::key::KeyKind;
use lanyard_server::api::types::Order;
use lanyard_testkit::{
    programs::{
        openssl::verify,
        scepclient::{FURTHER_SUBJECT, ScepClient},
    },
    scep::endpoint::Endpoint,
    server::{Builder, ORGANIZATION, TestServer},
};

/// A template that can be renewed at once, and a legacy profile that wants better signatures on renewals.
fn builder() -> Builder {
    let always = [("renewal-window = \"120d\"", "renewal-window = \"364d\""), ("lifetime = \"365d\"", "lifetime = \"364d\"")];
    let strict = [("sha1-renewals = true", "sha1-renewals = false")];
    let held = [("approval = \"automatic\"", "approval = \"person\"")];
    TestServer::builder().template("wifi", "gear", &always).template("wifi", "held", &held).profile("legacy", "strict", &strict)
}

fn order(name: &str, profile: &str) -> Order {
    Order {
        template: "gear".into(),
        profile: Some(profile.into()),
        subject: Some(format!("CN={name},O={ORGANIZATION},{FURTHER_SUBJECT}")),
        ..Order::default()
    }
}

fn client(server: &TestServer, profile: &str) -> ScepClient {
    ScepClient::new(&server.scep_url(profile), "gear-1", ORGANIZATION)
}

async fn enrols_and_renews(server: &TestServer, client: &ScepClient) {
    let challenge = server.admin.challenge(&order("gear-1", "legacy")).await;
    client.run(Some(&challenge.challenge)).await.good();
    let first = client.certificate();
    verify(&first, &server.site.issuing, &server.site.root).await.good();

    client.run(None).await.good();
    let second = client.certificate();
    assert_ne!(first.serial(), second.serial());
    verify(&second, &server.site.issuing, &server.site.root).await.good();
    let record = server.admin.certificate(&second.serial().unwrap().to_string()).await;
    assert_eq!(record.renews, first.serial().map(|s| s.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn scepclient_enrols_and_renews_under_a_p256_authority() {
    let server = builder().start().await;
    enrols_and_renews(&server, &client(&server, "legacy")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scepclient_enrols_and_renews_under_a_p384_authority() {
    let server = builder().ca_key(KeyKind::EcP384).start().await;
    enrols_and_renews(&server, &client(&server, "legacy")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scepclient_enrols_and_renews_under_an_rsa_authority() {
    let server = builder().ca_key(KeyKind::Rsa(3072)).start().await;
    enrols_and_renews(&server, &client(&server, "legacy")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_signed_with_sha1_needs_a_challenge_where_the_profile_says_so() {
    let server = builder().start().await;
    let client = client(&server, "strict");
    let challenge = server.admin.challenge(&order("gear-1", "strict")).await;
    client.run(Some(&challenge.challenge)).await.good();
    let first = client.certificate();

    let refused = client.run(None).await;
    assert!(!refused.success, "{}", refused.output);
    assert_eq!(server.admin.requests("denied").await[0].reason.as_deref(), Some("ra.renewal-weak-signature"));
    assert_eq!(client.certificate().der(), first.der());

    let challenge = server.admin.challenge(&order("gear-1", "strict")).await;
    client.run(Some(&challenge.challenge)).await.good();
    assert_ne!(client.certificate().serial(), first.serial());
}

#[tokio::test(flavor = "multi_thread")]
async fn scepclient_is_told_bad_alg_by_the_default_profile() {
    let server = builder().start().await;
    let client = client(&server, "default").encrypt_to(&Endpoint::of(&server).await.ra);
    let challenge = server.admin.challenge(&order("gear-1", "default")).await;
    let refused = client.run(Some(&challenge.challenge)).await;
    assert!(!refused.success && refused.output.contains("badAlg"), "{}", refused.output);
    assert_eq!(server.admin.requests("denied").await[0].reason.as_deref(), Some("scep.legacy-algorithm"));
    assert!(server.admin.certificates().await.is_empty());
}

/// It waits 30 seconds before it asks again, with the very same message.
#[tokio::test(flavor = "multi_thread")]
async fn scepclient_sends_its_request_again_until_a_person_approves() {
    let server = builder().start().await;
    let client = client(&server, "legacy");
    let challenge = server.admin.challenge(&Order { template: "held".into(), ..order("gear-1", "legacy") }).await;
    let approving = async {
        let held = lanyard_testkit::wait::until("a held request", || async {
            server.admin.requests("pending").await.into_iter().next()
        })
        .await;
        server.admin.approve(&held.id).await;
    };
    let (done, ()) = tokio::join!(client.run(Some(&challenge.challenge)), approving);
    done.good();
    verify(&client.certificate(), &server.site.issuing, &server.site.root).await.good();
    assert_eq!(server.admin.certificates().await.len(), 1);
}

/// Its messages are read and recognised for what they are.
#[tokio::test(flavor = "multi_thread")]
async fn scepclient_is_recognised_with_everything_that_is_done_for_it() {
    let server = builder().start().await;
    let client = client(&server, "legacy");
    let challenge = server.admin.challenge(&order("gear-1", "legacy")).await;
    client.run(Some(&challenge.challenge)).await.good();
    let told = &server.admin.requests("issued").await[0];
    assert_eq!((told.client.as_deref(), told.recognised_by.as_deref()), (Some("go"), Some("its User-Agent")));
    for word in ["ber", "legacy-digest", "legacy-cipher"] {
        assert!(told.accommodations.iter().any(|w| w == word), "{word}: {:?}", told.accommodations);
    }
}

//! Renewal by itself and with a password, and every check that refuses one, alone.

use lanyard_mdm::{
    provisioning::ProvisioningDocument,
    soap::{Fault, Security},
    wstep::{CertificateRequest, RequestSecurityToken},
};
use lanyard_model::time::Span;
use lanyard_pki::certificate::Certificate;
use lanyard_server::flow::device_identity::{identity_seen, proven};
use lanyard_testkit::{
    keys::rsa,
    mdm::{Door, password, renewal},
    server::{Builder, TestServer, builtin_template},
};

use super::support::{PASSWORD, assert_refused, certificate, enrol, start};

/// Identities live 52 days, of which the device renews in the last 50.
pub fn builder() -> Builder {
    let template = builtin_template("mdm-identity")
        .replace("lifetime = \"365d\"", "lifetime = \"52d\"")
        .replace("renewal-window = \"120d\"", "renewal-window = \"52d\"");
    let builder = TestServer::builder().config("renew-period = \"40d\"", "renew-period = \"50d\"");
    let builder = builder.config("renew-spread = \"20d\"", "renew-spread = \"0s\"");
    builder.file("templates/mdm-identity.toml", template)
}

pub async fn server() -> TestServer {
    start(builder()).await
}

const OPEN: Span = Span::from_days(2);

async fn enrolled(server: &TestServer, n: usize) -> Certificate {
    certificate(&enrol(server, n, "user1").await.unwrap())
}

async fn by_itself(server: &TestServer, n: usize, old: &Certificate, new: usize) -> Result<ProvisioningDocument, Fault> {
    let request = renewal(n, (old, rsa(n)), rsa(new), server.now(), false);
    Door::devices(server, old, rsa(n)).token(Security::default(), &request).await
}

async fn status(server: &TestServer, certificate: &Certificate) -> String {
    server.admin.certificate(&certificate.serial().unwrap().to_string()).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn renewal_9_the_old_certificate_lives_until_the_new_one_was_used() {
    let server = server().await;
    let old = enrolled(&server, 0).await;
    server.advance(OPEN);
    let document = by_itself(&server, 0, &old, 1).await.unwrap();
    let new = certificate(&document);
    assert_eq!(new.subject_der(), old.subject_der());
    assert!(document.application.account.is_none() && document.dm_client.is_none());
    assert_eq!(document.application.provider_id, "Lanyard");
    assert_eq!((status(&server, &old).await, status(&server, &new).await), ("valid".into(), "valid".into()));
    // The answer was lost: the same key gets the same certificate, another key another one, and only one of them lives.
    let repeated = certificate(&by_itself(&server, 0, &old, 1).await.unwrap());
    assert_eq!(repeated.der(), new.der());
    let third = certificate(&by_itself(&server, 0, &old, 2).await.unwrap());
    assert_ne!(third.der(), new.der());
    assert_eq!((status(&server, &new).await, status(&server, &third).await), ("revoked".into(), "valid".into()));
    // Both prove the device until the new one is used.
    proven(&server.server, old.der()).await.unwrap();
    let seen = proven(&server.server, third.der()).await.unwrap();
    let (enrollment, _) = identity_seen(&server.server, seen, &third.fingerprint()).await.unwrap();
    assert_eq!(enrollment.identity.fingerprint, third.fingerprint());
    assert_eq!(status(&server, &old).await, "revoked");
    assert!(proven(&server.server, old.der()).await.is_err());
    assert_refused(&server, by_itself(&server, 0, &old, 3).await, "mdm.renewal-not-current", 0x8018_0016).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn renewal_1_a_password_renews_where_nobody_is_asked_for_a_certificate() {
    let server = server().await;
    let old = enrolled(&server, 0).await;
    server.advance(OPEN);
    let request = renewal(0, (&old, rsa(0)), rsa(1), server.now(), true);
    let door = Door::first(&server);
    let nobody = door.token(Security::default(), &request).await;
    assert_refused(&server, nobody, "mdm.credentials-missing", 0x8018_0002).await;
    let wrong = door.token(password("user1", "wrong"), &request).await;
    assert_refused(&server, wrong, "mdm.credentials", 0x8018_0002).await;
    let other = door.token(password("user2", PASSWORD), &request).await;
    assert_refused(&server, other, "mdm.renewal-other-user", 0x8018_0003).await;
    let new = certificate(&door.token(password("user1@example.org", PASSWORD), &request).await.unwrap());
    assert_eq!(new.subject_der(), old.subject_der());
}

#[tokio::test(flavor = "multi_thread")]
async fn renewal_5_each_check_fails_alone() {
    let server = server().await;
    let old = enrolled(&server, 0).await;
    let second = enrolled(&server, 1).await;
    assert_refused(&server, by_itself(&server, 0, &old, 2).await, "mdm.renewal-too-early", 0x8018_0016).await;
    server.advance(OPEN);
    let door = Door::devices(&server, &old, rsa(0));
    let ask = async |request: &RequestSecurityToken| door.token(Security::default(), request).await;
    let good = || renewal(0, (&old, rsa(0)), rsa(2), server.now(), false);

    // The signature: of another key than the certificate's, and over something that was changed.
    let forged = renewal(0, (&old, rsa(3)), rsa(2), server.now(), false);
    assert_refused(&server, ask(&forged).await, "mdm.renewal", 0x8018_0004).await;
    let mut changed = good();
    if let CertificateRequest::Renew { pkcs7, .. } = &mut changed.request {
        let place = pkcs7.windows(15).position(|w| w == b"ConfigMgrEnroll").unwrap();
        pkcs7[place] ^= 1;
    }
    assert_refused(&server, ask(&changed).await, "mdm.renewal", 0x8018_0004).await;
    // Another authority's certificate.
    let elsewhere = start(TestServer::builder()).await;
    let foreign = certificate(&enrol(&elsewhere, 0, "user1").await.unwrap());
    let foreign = renewal(0, (&foreign, rsa(0)), rsa(2), server.now(), false);
    assert_refused(&server, ask(&foreign).await, "mdm.renewal-not-ours", 0x8018_0002).await;
    // Another certificate in TLS than in the message.
    let other = renewal(1, (&second, rsa(1)), rsa(2), server.now(), false);
    assert_refused(&server, ask(&other).await, "mdm.renewal-other-tls", 0x8018_0002).await;
    // Another device, another user.
    let mut device = good();
    device.context.device_id = Some("somebody else".into());
    assert_refused(&server, ask(&device).await, "mdm.renewal-other-device", 0x8018_0003).await;
    let named = door.token(password("user2", ""), &good()).await;
    assert_refused(&server, named, "mdm.renewal-other-user", 0x8018_0003).await;
    // A disabled user, a blocked device.
    server.admin.save_user(serde_json::json!({ "name": "user1", "disabled": true })).await;
    assert_refused(&server, ask(&good()).await, "mdm.user-disabled", 0x8018_0003).await;
    server.admin.save_user(serde_json::json!({ "name": "user1", "upn": "user1@example.org" })).await;
    let id = format!("{:064X}", 0);
    server.admin.save_device(serde_json::json!({ "id": id, "user": "user1", "blocked": true })).await;
    assert_refused(&server, ask(&good()).await, "mdm.device-blocked", 0x8018_0003).await;
    server.admin.save_device(serde_json::json!({ "id": id, "user": "user1" })).await;
    // After all of that the honest renewal succeeds, with the empty password that some clients send.
    door.token(password("user1@example.org", ""), &good()).await.unwrap();
    // A revoked certificate.
    server.admin.revoke(&second.serial().unwrap().to_string(), "key-compromise").await;
    assert_refused(&server, by_itself(&server, 1, &second, 2).await, "mdm.renewal-revoked", 0x8018_0016).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn renewal_10_an_expired_certificate_opens_no_door() {
    let server = server().await;
    let old = enrolled(&server, 0).await;
    server.advance(Span::from_days(53));
    let request = renewal(0, (&old, rsa(0)), rsa(1), server.now(), true);
    let octets = lanyard_testkit::http::encode("GET", lanyard_testkit::mdm::DISCOVERY, "", b"");
    assert!(Door::devices(&server, &old, rsa(0)).exchange(&octets).await.is_err());
    let late = Door::first(&server).token(password("user1", PASSWORD), &request).await;
    assert_refused(&server, late, "mdm.renewal-expired", 0x8018_0016).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn renewal_6_a_device_of_the_old_issuing_ca_is_let_in_and_renews_under_the_new_one() {
    let server = server().await;
    let old = enrolled(&server, 0).await;
    let made = server.admin.call("POST", "/authorities/issuing/successor", b"{}").await;
    assert_eq!(made.status, 200, "{}", made.text());
    let path = server.dir().join("templates/mdm-identity.toml");
    let template = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, template.replace("issuing-ca = \"issuing\"", "issuing-ca = \"issuing-2\"")).unwrap();
    assert_eq!(server.admin.call("POST", "/policy/reload", b"{}").await.status, 200);
    server.advance(OPEN);
    let first = certificate(&by_itself(&server, 0, &old, 1).await.unwrap());
    let document = by_itself(&server, 0, &old, 2).await.unwrap();
    let new = certificate(&document);
    new.verify_issued_by(&document.certificate_store.intermediates[0]).unwrap();
    assert!(new.verify_issued_by(&server.site.issuing).is_err());
    assert_eq!((status(&server, &first).await, status(&server, &old).await), ("revoked".into(), "valid".into()));
    // The new one opens the door as well.
    let early = renewal(0, (&new, rsa(2)), rsa(3), server.now(), false);
    let early = Door::devices(&server, &new, rsa(2)).token(Security::default(), &early).await;
    assert_refused(&server, early, "mdm.renewal-too-early", 0x8018_0016).await;
    let probe = lanyard_testkit::http::encode("GET", lanyard_testkit::mdm::DISCOVERY, "", b"");
    assert_eq!(Door::devices(&server, &new, rsa(2)).exchange(&probe).await.unwrap().status, 200);
}

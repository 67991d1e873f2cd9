//! First enrolment: discovery, policy, the two ways of a password, and every rule that refuses.

use lanyard_mdm::{
    discovery::{AuthPolicy, Discover, DiscoverResult},
    policy::{GetPolicies, GetPoliciesResponse},
    soap::{Action, Answer, Security},
};
use lanyard_testkit::{
    http::encode,
    keys::rsa,
    mdm::{DISCOVERY, Door, ENROLLMENT, POLICY, issue, password},
    server::TestServer,
};

use super::support::{PASSWORD, assert_refused, certificate, enrol, server, start};

fn discover(policies: Vec<AuthPolicy>) -> Discover {
    Discover {
        email_address: "user1@example.org".into(),
        request_version: "5.0".parse().unwrap(),
        device_type: "CIMClient_Windows".into(),
        application_version: "10.0.22631.4169".parse().ok(),
        os_edition: Some(4),
        auth_policies: policies,
    }
}

async fn body(door: &Door<'_>, path: &str, action: Action, body: lanyard_mdm::xml::Element) -> lanyard_mdm::xml::Element {
    match door.ask(path, action, Security::default(), body).await.unwrap() {
        Answer::Response(response) => response.body,
        Answer::Fault(fault) => panic!("{fault:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn enrollment_3_the_probe_and_discover_lead_to_services_that_ask_for_no_certificate() {
    let server = server().await;
    let door = Door::first(&server);
    let probe = door.exchange(&encode("GET", DISCOVERY, "Pragma: no-cache\r\n", b"")).await.unwrap();
    assert_eq!((probe.status, probe.field("content-length"), probe.body.len()), (200, Some("0"), 0));
    for (offered, chosen) in [
        (vec![AuthPolicy::Federated, AuthPolicy::OnPremise], AuthPolicy::OnPremise),
        (vec![AuthPolicy::Federated], AuthPolicy::Federated),
        (vec![], AuthPolicy::OnPremise),
    ] {
        let found = body(&door, DISCOVERY, Action::Discover, discover(offered).encode()).await;
        let found = DiscoverResult::decode(&found).unwrap();
        assert_eq!(found.auth_policy, chosen);
        let base = format!("https://localhost:{}", server.https.port());
        assert_eq!(found.enrollment_service_url, format!("{base}{ENROLLMENT}"));
        assert_eq!(found.enrollment_policy_service_url, Some(format!("{base}{POLICY}")));
        let page = (chosen == AuthPolicy::Federated).then(|| format!("{base}/EnrollmentServer/Authentication"));
        assert_eq!(found.authentication_service_url, page);
    }
    let policies = body(&door, POLICY, Action::GetPolicies, GetPolicies::default().encode()).await;
    let policies = GetPoliciesResponse::decode(&policies).unwrap();
    let first = &policies.policies[0];
    assert_eq!(first.minimal_key_length, 2048);
    let hash = policies.oid(first.hash_algorithm_oid_reference.unwrap()).unwrap();
    assert_eq!(hash.to_string(), "2.16.840.1.101.3.4.2.1");
    let unknown = door.ask(DISCOVERY, Action::Discover, Security::default(), discover(vec![AuthPolicy::Certificate]).encode());
    assert!(matches!(unknown.await.unwrap(), Answer::Fault(fault) if fault.hresult().0 == 0x8018_0015));
}

#[tokio::test(flavor = "multi_thread")]
async fn enrollment_6_a_password_brings_an_identity_with_names_of_the_record_and_a_whole_document() {
    let server = server().await;
    for (n, user) in [(0, "user1"), (1, "user1@example.org"), (2, "EXAMPLE\\user1")] {
        let document = enrol(&server, n, user).await.unwrap();
        document.check_key(rsa(n).public()).unwrap();
        let certificate = certificate(&document);
        assert_eq!(certificate.subject().unwrap().to_string(), format!("CN={n:064X}"));
        assert!(certificate.extensions().unwrap().iter().all(|e| e.oid.to_string() != "1.3.6.1.4.1.311.66.1.0"));
        let store = &document.certificate_store;
        assert_eq!(store.roots[0].der(), server.site.root.der());
        assert_eq!(store.intermediates[0].der(), server.site.issuing.der());
        let renew = store.renew.as_ref().unwrap();
        assert_eq!((renew.robo_support, renew.retry_interval), (true, 4));
        assert!((40..=60).contains(&renew.renew_period), "{}", renew.renew_period);
        let base = format!("https://localhost:{}", server.mdm.port());
        assert_eq!(renew.server_url, Some(format!("{base}{DISCOVERY}")));
        let account = document.application.account.as_ref().unwrap();
        assert_eq!(account.addr, format!("{base}/ManagementServer/MDM.svc"));
        assert!(account.client_credential.is_some() && account.server_credential.is_some());
        let client = document.dm_client.as_ref().unwrap();
        assert_eq!(client.upn.as_deref(), Some("user1@example.org"));
        let id = client.ent_dmid.as_ref().unwrap().parse().unwrap();
        let (enrollment, _) = server.server.store.load_enrollment(id).await.unwrap().unwrap();
        assert_eq!(enrollment.identity.fingerprint, certificate.fingerprint());
        assert_eq!((enrollment.user.as_str(), enrollment.client.clone()), ("user1", format!("{n:032X}")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn enrollment_9_each_refusal_has_its_fault() {
    let builder = TestServer::builder()
        .config("devices-per-user = 10", "devices-per-user = 1")
        .config("device-types = []", "device-types = [\"CIMClient_Windows\"]")
        .config("minimum-version = \"10.0\"", "minimum-version = \"10.0.19045\"");
    let server = start(builder).await;
    let door = Door::first(&server);
    let wrong = door.token(password("user1", "wrong"), &issue(0, rsa(0))).await;
    assert_refused(&server, wrong, "mdm.credentials", 0x8018_0002).await;
    let nobody = door.token(password("nobody", PASSWORD), &issue(0, rsa(0))).await;
    assert_refused(&server, nobody, "mdm.credentials", 0x8018_0002).await;
    let none = door.token(Security::default(), &issue(0, rsa(0))).await;
    assert_refused(&server, none, "mdm.credentials-missing", 0x8018_0002).await;
    let empty = door.token(password("user1", ""), &issue(0, rsa(0))).await;
    assert_refused(&server, empty, "mdm.credentials-missing", 0x8018_0002).await;

    let mut phone = issue(0, rsa(0));
    phone.context.device_type = Some("WindowsPhone".into());
    let phone = door.token(password("user1", PASSWORD), &phone).await;
    assert_refused(&server, phone, "mdm.platform", 0x8018_0014).await;
    let mut old = issue(0, rsa(0));
    old.context.os_version = "10.0.10240".parse().ok();
    let old = door.token(password("user1", PASSWORD), &old).await;
    assert_refused(&server, old, "mdm.version", 0x8018_0014).await;
    let mut nameless = issue(0, rsa(0));
    nameless.context.device_id = None;
    let nameless = door.token(password("user1", PASSWORD), &nameless).await;
    assert_refused(&server, nameless, "mdm.enrollment-data", 0x8018_0019).await;

    enrol(&server, 0, "user1").await.unwrap();
    assert_refused(&server, enrol(&server, 1, "user1").await, "mdm.quota", 0x8018_0013).await;
    assert_refused(&server, enrol(&server, 0, "user2").await, "mdm.device-of-another", 0x8018_0003).await;
    server.admin.save_user(serde_json::json!({ "name": "user2", "disabled": true })).await;
    assert_refused(&server, enrol(&server, 2, "user2").await, "mdm.user-disabled", 0x8018_0003).await;
    server.admin.save_device(serde_json::json!({ "id": format!("{:064X}", 0), "user": "user1", "blocked": true })).await;
    assert_refused(&server, enrol(&server, 0, "user1").await, "mdm.device-blocked", 0x8018_0003).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_of_an_account_make_it_wait_and_no_other() {
    let server = start(TestServer::builder().config("wrong-passwords = 10", "wrong-passwords = 2")).await;
    let door = Door::first(&server);
    for _ in 0..2 {
        let wrong = door.token(password("user1", "wrong"), &issue(0, rsa(0))).await;
        assert_refused(&server, wrong, "mdm.credentials", 0x8018_0002).await;
    }
    assert_refused(&server, enrol(&server, 0, "user1").await, "mdm.attempts", 0x8018_0002).await;
    enrol(&server, 0, "user2").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_enrols_again_takes_its_own_place() {
    let server = server().await;
    let old = certificate(&enrol(&server, 0, "user1").await.unwrap());
    let again = Door::first(&server).token(password("user1", PASSWORD), &issue(0, rsa(1))).await.unwrap();
    let new = certificate(&again);
    assert_eq!(old.subject_der(), new.subject_der());
    let shown = server.admin.certificate(&old.serial().unwrap().to_string()).await;
    assert_eq!(shown.status, "revoked");
    // The listener for managed devices lets the certificate in, and the enrolment is over.
    let door = Door::devices(&server, &old, rsa(0));
    let over = door.ask(DISCOVERY, Action::Discover, Security::default(), discover(vec![]).encode()).await.unwrap();
    assert!(matches!(over, Answer::Fault(_)));
    let door = Door::devices(&server, &new, rsa(1));
    let found = body(&door, DISCOVERY, Action::Discover, discover(vec![AuthPolicy::OnPremise]).encode()).await;
    let base = format!("https://localhost:{}", server.mdm.port());
    assert_eq!(DiscoverResult::decode(&found).unwrap().enrollment_service_url, format!("{base}{ENROLLMENT}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_listener_for_managed_devices_lets_nobody_in_without_a_certificate_of_ours() {
    let server = server().await;
    let door = Door { address: server.mdm, ..Door::first(&server) };
    let get = encode("GET", DISCOVERY, "", b"");
    assert!(door.exchange(&get).await.is_err());
    let other = start(TestServer::builder()).await;
    let foreign = certificate(&enrol(&other, 0, "user1").await.unwrap());
    assert!(Door::devices(&server, &foreign, rsa(0)).exchange(&get).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_section_the_services_are_not_there() {
    let builder = TestServer::builder();
    let (site, clock) = builder.create().await;
    let path = site.dir.join("lanyard.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, _) = text.split_once("[mdm]").unwrap();
    std::fs::write(&path, before).unwrap();
    let shared: std::sync::Arc<dyn lanyard_server::clock::Clock> = clock;
    let unseal = lanyard_server::serve::Unseal::File(site.unseal.clone());
    let server = lanyard_server::serve::open(&site.dir, unseal, shared).await.unwrap();
    let running = lanyard_server::serve::start(server).await.unwrap();
    assert_eq!(running.mdm, None);
    for target in [DISCOVERY, "/EnrollmentServer/Authentication?appru=ms-app://x"] {
        let answer = lanyard_testkit::http::tls(running.https, &site.root, &encode("GET", target, "", b"")).await;
        assert_eq!(answer.status, 404, "{target}");
    }
    running.stop().await;
}

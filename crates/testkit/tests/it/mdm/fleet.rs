//! What devices get by policy, and what an administrator does to them.

use lanyard_mdm::{
    profile::trusted_certificate::thumbprint,
    session::device::{DeviceSession, Next},
    syncml::{self, alert::LoginStatus},
};
use lanyard_model::{fleet::EnrollmentState, time::Span};
use lanyard_pki::pem;
use lanyard_server::{
    api::fleet_types::{EnrollmentView, FleetCertificate, FleetDetails, FleetDevice, FleetJob},
    flow::fleet_watch,
};
use lanyard_testkit::{http, keys::rsa, server::TestServer};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use super::managed::{Managed, SYNCML, policy, server, uri};
use crate::support::audited;

/// An administrator's call that must succeed.
pub async fn call<T: DeserializeOwned>(server: &TestServer, method: &str, path: &str, body: &impl Serialize) -> T {
    let body = if method == "GET" { Vec::new() } else { serde_json::to_vec(body).unwrap() };
    let response = server.admin.call(method, path, &body).await;
    assert_eq!(response.status, 200, "{method} {path}: {}", response.text());
    serde_json::from_slice(&response.body).unwrap()
}

pub const WIFI: &str = r#"
[[scep]]
name = "wifi"
template = "wifi"
renew-before = "30d"

[[wifi]]
ssid = "Example Net"
eap = { scep = "wifi", server-names = ["radius.example.org"] }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_becomes_roots_a_certificate_and_a_network_in_this_order() {
    let server = server(WIFI).await;
    let mut device = Managed::enrolled(&server, 1).await;
    assert!(matches!(device.sync(&server).await, Next::Ended { .. }));
    let root = thumbprint(server.site.root.der());
    let node = uri(&format!("./Device/Vendor/MSFT/RootCATrustedCertificates/Root/{root}/EncodedCertificate"));
    assert!(device.tree.value(&node).is_some());
    assert_eq!(device.state(&server, "certificate wifi").await, "acknowledged", "the device has not fetched it yet");
    assert_eq!(device.state(&server, "wireless network").await, "queued", "it waits for the certificate");
    let certificate = device.fetch_by_scep(&server, "wifi-1", rsa(70)).await;
    assert_eq!(certificate.subject().unwrap().to_string(), "CN=laptop-1,O=Example");
    assert_eq!(device.state(&server, "certificate wifi").await, "acknowledged", "nobody has seen it yet");
    assert!(matches!(device.sync(&server).await, Next::Ended { .. }));
    assert_eq!(device.state(&server, "certificate wifi").await, "verified");
    assert_eq!(device.state(&server, "wireless network").await, "verified");
    let profile = device.tree.value(&uri("./Device/Vendor/MSFT/WiFi/Profile/Example%20Net/WlanXml")).unwrap();
    assert!(profile.contains("IssuerHash") && profile.contains("radius.example.org"));
    // It has a new certificate since it told which it has: it is asked once more. Then nothing, until the certificate nears its end.
    device.sync(&server).await;
    let jobs = device.jobs(&server).await.len();
    device.sync(&server).await;
    assert_eq!(device.jobs(&server).await.len(), jobs);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_replaced_before_its_end_without_a_gap() {
    let server = server(&format!("inventory-every = \"3650d\"\n{WIFI}")).await;
    let mut device = Managed::enrolled(&server, 1).await;
    device.sync(&server).await;
    device.fetch_by_scep(&server, "wifi-1", rsa(71)).await;
    device.sync(&server).await;
    server.advance(Span::from_days(336));
    device.sync(&server).await;
    let old = uri("./Device/Vendor/MSFT/ClientCertificateInstall/SCEP/wifi-1/CertThumbprint");
    assert!(device.tree.value(&old).is_some(), "the old one stays until there is a new one");
    assert_eq!(device.state(&server, "certificate wifi").await, "acknowledged");
    device.fetch_by_scep(&server, "wifi-2", rsa(72)).await;
    device.sync(&server).await;
    assert_eq!(device.state(&server, "certificate wifi").await, "verified");
    device.sync(&server).await;
    assert_eq!(device.state(&server, "remove what scep/wifi replaces").await, "verified");
    assert!(device.tree.value(&old).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pushed_root_is_seen_in_the_inventory_and_can_be_removed() {
    let server = server("trust-own = false\n").await;
    let mut device = Managed::enrolled(&server, 1).await;
    device.sync(&server).await;
    let root = pem::encode(pem::CERTIFICATE, server.site.root.der());
    let name = thumbprint(server.site.root.der());
    let jobs: Vec<FleetJob> = call(&server, "POST", "/fleet/L-1/jobs", &json!({ "what": "root", "value": root })).await;
    assert_eq!((jobs.len(), jobs[0].state.as_str()), (1, "queued"));
    call::<Vec<FleetJob>>(&server, "POST", "/fleet/L-1/jobs", &json!({ "what": "inventory" })).await;
    device.sync(&server).await;
    assert_eq!(device.state(&server, "trust ").await, "verified");
    // The questions of one session may come before the change: what counts is what the device shows afterwards.
    call::<Vec<FleetJob>>(&server, "POST", "/fleet/L-1/jobs", &json!({ "what": "inventory" })).await;
    device.sync(&server).await;
    let shown: Vec<FleetCertificate> = call(&server, "GET", "/fleet/L-1/certificates", &()).await;
    let found = shown.iter().find(|one| one.thumbprint.as_deref() == Some(&name)).expect("the root");
    assert_eq!((found.place.as_str(), found.tree.as_str()), ("Root", "device"));
    assert_eq!(found.subject, Some(server.site.root.subject().unwrap().to_string()));
    call::<Vec<FleetJob>>(&server, "POST", "/fleet/L-1/jobs", &json!({ "what": "remove-root", "value": name })).await;
    device.sync(&server).await;
    assert_eq!(device.state(&server, "remove ").await, "verified");
    call::<Vec<FleetJob>>(&server, "POST", "/fleet/L-1/jobs", &json!({ "what": "inventory" })).await;
    device.sync(&server).await;
    let shown: Vec<FleetCertificate> = call(&server, "GET", "/fleet/L-1/certificates", &()).await;
    assert!(shown.iter().all(|one| one.thumbprint.as_deref() != Some(&name)), "{shown:?}");
    let bad = json!({ "what": "root", "value": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" });
    assert_eq!(server.admin.call("POST", "/fleet/L-1/jobs", bad.to_string().as_bytes()).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_is_pushed_and_its_removal_taken_back() {
    let server = server("").await;
    let mut device = Managed::enrolled(&server, 1).await;
    let network = "ssid = \"Guest\"\n[eap]\nserver-names = [\"radius.example.org\"]\n";
    call::<Vec<FleetJob>>(&server, "POST", "/fleet/L-1/jobs", &json!({ "what": "wifi", "value": network })).await;
    device.sync(&server).await;
    assert_eq!(device.state(&server, "wireless network Guest").await, "verified");
    // Trust by name: this installation's roots for the server, its issuing authority for the certificate to show.
    let spaced = |certificate: &lanyard_pki::certificate::Certificate| {
        let digits = thumbprint(certificate.der()).to_ascii_lowercase();
        digits.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).into_owned()).collect::<Vec<_>>().join(" ")
    };
    let guest = uri("./Device/Vendor/MSFT/WiFi/Profile/Guest/WlanXml");
    let trusts = |text: String, root: &str, issuer: &str| {
        text.contains(&format!("<TrustedRootCA>{root}</TrustedRootCA>"))
            && text.contains(&format!("<IssuerHash>{issuer}</IssuerHash>"))
    };
    let (root, issuing) = (spaced(&server.site.root), spaced(&server.site.issuing));
    assert!(trusts(device.tree.value(&guest).unwrap(), &root, &issuing));
    // By the names of authorities, and by thumbprints.
    let ours = thumbprint(server.site.issuing.der());
    for eap in [
        "roots = [\"issuing\"]\nissuers = [\"issuing\"]\n".to_owned(),
        format!("trusted-roots = [\"{}\"]\nissuers = [\"{ours}\"]\n", thumbprint(server.site.root.der())),
    ] {
        let text = format!("{network}{eap}");
        call::<Vec<FleetJob>>(&server, "POST", "/fleet/L-1/jobs", &json!({ "what": "wifi", "value": text })).await;
        device.tree.set(&guest, "");
        device.sync(&server).await;
        assert!(trusts(device.tree.value(&guest).unwrap(), &root, &issuing), "{eap}");
    }
    for eap in ["roots = [\"nobody\"]", "issuers = [\"nobody\"]", "roots = []", "issuers = []", "anything = 1"] {
        let order = json!({ "what": "wifi", "value": format!("{network}{eap}\n") });
        let refused = server.admin.call("POST", "/fleet/L-1/jobs", order.to_string().as_bytes()).await;
        assert_eq!(refused.status, 400, "{eap}: {}", refused.text());
    }
    // Somebody who takes a job back before it was sent.
    let jobs: Vec<FleetJob> = call(&server, "POST", "/fleet/L-1/jobs", &json!({ "what": "remove-wifi", "value": "Guest" })).await;
    let taken: FleetJob = call(&server, "POST", &format!("/fleet-jobs/{}/cancel", jobs[0].id), &()).await;
    assert_eq!(taken.state, "cancelled");
    let again = server.admin.call("POST", &format!("/fleet-jobs/{}/cancel", jobs[0].id), b"").await;
    assert_eq!(again.status, 409);
    device.sync(&server).await;
    assert!(device.tree.value(&uri("./Device/Vendor/MSFT/WiFi/Profile/Guest/WlanXml")).is_some());
    let details: FleetDetails = call(&server, "GET", "/fleet/L-1", &()).await;
    assert!(details.given.iter().all(|one| one.progress == "done"), "{details:?}");
    assert_eq!(details.open_jobs, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_blocks_unblocks_and_dismisses_a_device() {
    let server = server(WIFI).await;
    let mut device = Managed::enrolled(&server, 1).await;
    device.sync(&server).await;
    call::<usize>(&server, "POST", "/fleet/L-1/block", &json!({})).await;
    let (_, message) = DeviceSession::start(device.config(&server));
    let text = syncml::encode(&message).unwrap();
    assert_eq!(device.post(&server, SYNCML, text.as_bytes()).await.status, 403);
    let listed: Vec<FleetDevice> = call(&server, "GET", "/fleet?user=user1", &()).await;
    assert!(listed[0].blocked && listed[0].enrollment.as_ref().unwrap().state == "blocked");
    call::<bool>(&server, "POST", "/fleet/L-1/unblock", &()).await;
    call::<EnrollmentView>(&server, "POST", "/fleet/L-1/unenroll", &json!({})).await;
    assert_eq!(device.sync(&server).await, Next::Unenroll);
    assert_eq!(device.stored(&server).await.state, EnrollmentState::Leaving, "nothing counts before the device says so");
    let goodbye = DeviceSession::goodbye(device.config(&server));
    device.send(&server, &goodbye).await;
    assert_eq!(device.stored(&server).await.state, EnrollmentState::Ended);
    let jobs = device.jobs(&server).await;
    assert_eq!(Managed::state_in(&jobs, "leave the management"), "verified");
    assert_eq!(Managed::state_in(&jobs, "certificate wifi"), "cancelled");
    let serial = device.certificate.serial().unwrap().to_string();
    assert_eq!(server.admin.certificate(&serial).await.status, "revoked");
    assert!(server.admin.verify_audit().await.intact);
    // Another one, whose device is lost.
    let lost = Managed::enrolled(&server, 2).await;
    call::<EnrollmentView>(&server, "POST", "/fleet/L-2/unenroll", &json!({ "now": true })).await;
    assert_eq!(lost.stored(&server).await.state, EnrollmentState::Ended);
    assert_eq!(server.admin.certificate(&lost.certificate.serial().unwrap().to_string()).await.status, "revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_fetched_anew_when_an_administrator_wants_it() {
    let server = server(WIFI).await;
    let mut device = Managed::enrolled(&server, 1).await;
    assert_eq!(server.admin.call("POST", "/fleet/L-1/renew", b"{}").await.status, 409, "it has none yet");
    device.sync(&server).await;
    device.fetch_by_scep(&server, "wifi-1", rsa(73)).await;
    device.sync(&server).await;
    assert_eq!(call::<usize>(&server, "POST", "/fleet/L-1/renew", &json!({ "name": "wifi" })).await, 1);
    device.sync(&server).await;
    let fresh = device.fetch_by_scep(&server, "wifi-2", rsa(74)).await;
    device.sync(&server).await;
    let details: FleetDetails = call(&server, "GET", "/fleet/L-1", &()).await;
    let given = details.given.iter().find(|one| one.key == "scep/wifi").unwrap();
    assert_eq!(given.certificate, Some(fresh.serial().unwrap().to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_does_not_renew_is_found_and_told_once() {
    let server = server("trust-own = false\n").await;
    let device = Managed::enrolled(&server, 1).await;
    let overdue = async |server: &TestServer| call::<Vec<FleetDevice>>(server, "GET", "/fleet?overdue=true", &()).await.len();
    assert_eq!(overdue(&server).await, 0);
    fleet_watch::look(&server.server).await.unwrap();
    server.advance(Span::from_days(365 - 42 + 9));
    for _ in 0..2 {
        fleet_watch::look(&server.server).await.unwrap();
        server.advance(Span::from_secs(7200));
    }
    assert_eq!(overdue(&server).await, 1);
    let told = audited(&server).await;
    assert_eq!(told.get(&("device-overdue".to_owned(), String::new())), Some(&1));
    let metrics = http::get(server.http, "/metrics").await.text();
    assert!(metrics.contains("lanyard_mdm_devices{state=\"overdue\"} 1"), "{metrics}");
    assert!(device.stored(&server).await.is_overdue(server.now()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_changes_changes_the_devices() {
    let server = server(WIFI).await;
    let mut device = Managed::enrolled(&server, 1).await;
    device.sync(&server).await;
    device.fetch_by_scep(&server, "wifi-1", rsa(75)).await;
    device.sync(&server).await;
    std::fs::write(server.dir().join("fleet/default.toml"), policy("")).unwrap();
    call::<String>(&server, "POST", "/policy/reload", &()).await;
    device.sync(&server).await;
    let network = uri("./Device/Vendor/MSFT/WiFi/Profile/Example%20Net/WlanXml");
    assert!(device.tree.value(&network).is_none(), "what is no longer wanted is taken back");
    assert!(device.tree.value(&uri("./Device/Vendor/MSFT/ClientCertificateInstall/SCEP/wifi-1/Status")).is_none());
    std::fs::write(server.dir().join("fleet/default.toml"), policy("nonsense = 1\n")).unwrap();
    let refused = server.admin.call("POST", "/policy/reload", b"").await;
    assert!(refused.status >= 400 && refused.text().contains("nonsense"), "{}", refused.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_on_record_gets_no_certificate_and_that_is_told() {
    let server = server(WIFI).await;
    let mut device = Managed::enrolled(&server, 1).await;
    server.admin.save_device(json!({ "id": "L-1", "user": "user1" })).await;
    device.sync(&server).await;
    let details: FleetDetails = call(&server, "GET", "/fleet/L-1", &()).await;
    assert!(details.impossible.iter().any(|(key, why)| key == "scep/wifi" && why.contains("device.name")), "{details:?}");
    assert!(details.impossible.iter().any(|(key, _)| key == "wifi/Example Net"));
    // Nor does a record that lost a name take a certificate from a device that has it.
    let whole = json!({ "id": "L-1", "name": "laptop-1", "dns-name": "laptop-1.example.org", "user": "user1" });
    server.admin.save_device(whole).await;
    device.sync(&server).await;
    device.fetch_by_scep(&server, "wifi-1", rsa(76)).await;
    device.sync(&server).await;
    server.admin.save_device(json!({ "id": "L-1", "user": "user1" })).await;
    device.sync(&server).await;
    assert!(device.tree.value(&uri("./Device/Vendor/MSFT/ClientCertificateInstall/SCEP/wifi-1/Status")).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_the_device_cannot_fetch_is_told_and_tried_anew() {
    let server = server(WIFI).await;
    let mut device = Managed::enrolled(&server, 1).await;
    device.sync(&server).await;
    let node = uri("./Device/Vendor/MSFT/ClientCertificateInstall/SCEP/wifi-1");
    device.tree.set(&node.child("Status"), "2");
    device.sync(&server).await;
    assert_eq!(device.state(&server, "certificate wifi").await, "acknowledged", "pending, as while a person has to approve");
    device.tree.set(&node.child("Status"), "16");
    device.tree.set(&node.child("ErrorCode"), "-2146893802");
    device.sync(&server).await;
    let jobs: Vec<FleetJob> = call(&server, "GET", "/fleet/L-1/jobs", &()).await;
    let failed = jobs.iter().find(|job| job.purpose.starts_with("certificate wifi")).unwrap();
    assert_eq!(failed.state, "failed");
    let result = failed.result.clone().unwrap();
    assert!(result.contains("mdm.job-not-shown") && result.contains("-2146893802"), "{result}");
    assert_eq!(device.state(&server, "wireless network").await, "queued");
    server.advance(Span::from_secs(3601));
    device.sync(&server).await;
    device.fetch_by_scep(&server, "wifi-2", rsa(77)).await;
    device.sync(&server).await;
    assert_eq!(device.state(&server, "certificate wifi").await, "verified");
    assert_eq!(device.state(&server, "wireless network").await, "verified");
    let told = audited(&server).await;
    assert_eq!(told.get(&("job-ended".to_owned(), "mdm.job-not-shown".to_owned())), Some(&1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_the_users_waits_for_the_user() {
    let mail = "trust-own = false\n[[mail]]\nguid = \"{c556e16f-56c4-4edb-9c64-d9469ee1fbe0}\"\naccount-name = \"Example\"\n\
        server-name = \"mail.example.org\"\nuser-name = \"{user.name}\"\n";
    let server = server(mail).await;
    let mut device = Managed::enrolled(&server, 1).await;
    device.login = LoginStatus::Others;
    device.sync(&server).await;
    assert_eq!(device.state(&server, "mail account").await, "queued");
    device.login = LoginStatus::User;
    device.sync(&server).await;
    assert_eq!(device.state(&server, "mail account").await, "verified");
    let node = uri("./User/Vendor/MSFT/ActiveSync/Accounts/{c556e16f-56c4-4edb-9c64-d9469ee1fbe0}");
    assert_eq!(device.tree.value(&node.child("EmailAddress")).as_deref(), Some("user1@example.org"));
    // Another host: the account is made anew, for nothing of it can be changed.
    let moved = mail.replace("mail.example.org", "mail2.example.org");
    std::fs::write(server.dir().join("fleet/default.toml"), policy(&moved)).unwrap();
    call::<String>(&server, "POST", "/policy/reload", &()).await;
    device.sync(&server).await;
    assert_eq!(device.state(&server, "mail account").await, "verified");
    assert_eq!(device.tree.value(&node.child("ServerName")).as_deref(), Some("mail2.example.org"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_cannot_list_a_tree_is_asked_store_by_store() {
    let server = server("").await;
    let mut device = Managed::enrolled(&server, 1).await;
    device.knows_listings = false;
    device.sync(&server).await;
    let before: Result<Vec<FleetCertificate>, _> =
        serde_json::from_slice(&server.admin.call("GET", "/fleet/L-1/certificates", b"").await.body);
    assert!(before.map_or(true, |shown| shown.is_empty()), "it did not know what it was asked");
    // By the policy's period, and when an administrator asks.
    server.advance(Span::from_days(8));
    device.sync(&server).await;
    let shown: Vec<FleetCertificate> = call(&server, "GET", "/fleet/L-1/certificates", &()).await;
    let root = thumbprint(server.site.root.der());
    assert!(shown.iter().any(|one| one.place == "Root" && one.thumbprint.as_deref() == Some(&root)), "{shown:?}");
    let jobs = device.jobs(&server).await;
    assert!(jobs.iter().all(|(_, state)| state == "verified"), "{jobs:?}");
    let other = pem::encode(pem::CERTIFICATE, device.certificate.der());
    call::<Vec<FleetJob>>(&server, "POST", "/fleet/L-1/jobs", &json!({ "what": "intermediate", "value": other })).await;
    device.sync(&server).await;
    call::<Vec<FleetJob>>(&server, "POST", "/fleet/L-1/jobs", &json!({ "what": "inventory" })).await;
    device.sync(&server).await;
    let shown: Vec<FleetCertificate> = call(&server, "GET", "/fleet/L-1/certificates", &()).await;
    let pushed = thumbprint(device.certificate.der());
    assert!(shown.iter().any(|one| one.place == "CA" && one.thumbprint.as_deref() == Some(&pushed)), "{shown:?}");
}

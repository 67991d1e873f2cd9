//! Management sessions over mutual TLS: who may have one, and what is answered.

use lanyard_mdm::{
    session::device::{DeviceCredentials, DeviceSession, Next},
    syncml::{self, Command, StatusCode, SyncMl},
};
use lanyard_model::fleet::{EnrollmentState, JobState};
use lanyard_server::flow::device_document;
use lanyard_store::ports::EnrollmentChange;
use lanyard_testkit::{http::encode, keys::rsa, server::TestServer};

use super::managed::{Managed, PATH, SYNCML, as_identity, identity, server};
use crate::support::audited;

const NOTHING: &str = "trust-own = false\n";

fn header_code(message: &SyncMl) -> StatusCode {
    let mut codes = message.body.commands.iter().filter_map(|command| match command {
        Command::Status(status) if status.cmd_ref == 0 => Some(status.code),
        _ => None,
    });
    codes.next_back().expect("a status of the header")
}

async fn refusals(server: &TestServer, reason: &str) -> usize {
    audited(server).await.get(&("device-refused".to_owned(), reason.to_owned())).copied().unwrap_or(0)
}

async fn change(server: &TestServer, device: &Managed, change: impl FnOnce(&mut lanyard_model::fleet::Enrollment)) {
    let (mut enrollment, version) = server.server.store.load_enrollment(device.enrollment).await.unwrap().unwrap();
    change(&mut enrollment);
    let changes = vec![EnrollmentChange { enrollment, seen: Some(version) }];
    assert!(server.server.store.save_enrollments(changes, vec![]).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enrolled_device_has_a_session_and_tells_what_it_is() {
    let server = server("").await;
    let mut device = Managed::enrolled(&server, 1).await;
    assert!(matches!(device.sync(&server).await, Next::Ended { .. }));
    let stored = device.stored(&server).await;
    assert!(stored.seen_at.is_some());
    assert_eq!(stored.client_info.maker.as_deref(), Some("Example Computers"));
    let jobs = device.jobs(&server).await;
    assert!(jobs.iter().filter(|(purpose, _)| purpose.starts_with("trust ")).all(|(_, state)| state == "verified"), "{jobs:?}");
    assert_eq!(Managed::state_in(&jobs, "which certificates the device has"), "verified");
    let again = device.sync(&server).await;
    assert!(matches!(again, Next::Ended { .. }));
    assert_eq!(device.jobs(&server).await.len(), jobs.len(), "nothing is queued twice");
    assert!(server.admin.verify_audit().await.intact);
}

#[tokio::test(flavor = "multi_thread")]
async fn http_carries_syncml_in_xml_and_nothing_else() {
    let server = server(NOTHING).await;
    let device = Managed::enrolled(&server, 1).await;
    assert_eq!(device.post(&server, "application/vnd.syncml.dm+wbxml", b"x").await.status, 415);
    assert_eq!(device.post(&server, "text/xml", b"<SyncML/>").await.status, 415);
    assert_eq!(device.post(&server, SYNCML, b"<SyncML/>").await.status, 400);
    assert_eq!(device.post(&server, SYNCML, &vec![b'x'; 1024 * 1024 + 1]).await.status, 413);
    let get = device.request(&server, &encode("GET", PATH, "", &[])).await;
    assert_eq!((get.status, get.field("allow")), (405, Some("POST")));
    let elsewhere = device.request(&server, &encode("POST", "/scep/default", &format!("Content-Type: {SYNCML}\r\n"), b"x")).await;
    assert_eq!(elsewhere.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_cannot_be_another_one() {
    let server = server(NOTHING).await;
    let mut a = Managed::enrolled(&server, 1).await;
    let mut b = Managed::enrolled(&server, 2).await;
    // In the header.
    let mut config = a.config(&server);
    config.device_id.clone_from(&b.client);
    let (_, message) = DeviceSession::start(config);
    assert_eq!(header_code(&a.send(&server, &message).await), StatusCode::FORBIDDEN);
    // In DevInfo alone.
    let mut config = a.config(&server);
    config.dev_info = vec![("./DevInfo/DevId".into(), b.client.clone())];
    let (_, message) = DeviceSession::start(config);
    assert_eq!(header_code(&a.send(&server, &message).await), StatusCode::FORBIDDEN);
    assert_eq!(refusals(&server, "mdm.other-device").await, 2);
    // Nothing of it reached the other one's record, and its own session is as it should be.
    assert_eq!(b.stored(&server).await.seen_at, None);
    assert!(b.jobs(&server).await.is_empty());
    assert!(matches!(b.sync(&server).await, Next::Ended { .. }));
    assert!(matches!(a.sync(&server).await, Next::Ended { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_admitted_is_refused_and_audited_once() {
    let server = server(NOTHING).await;
    let mut device = Managed::enrolled(&server, 1).await;
    let (_, message) = DeviceSession::start(device.config(&server));
    let text = syncml::encode(&message).unwrap();
    let post = async |device: &Managed| device.post(&server, SYNCML, text.as_bytes()).await.status;
    for (state, reason) in [(EnrollmentState::Blocked, "mdm.device-blocked"), (EnrollmentState::Ended, "mdm.enrollment-ended")] {
        change(&server, &device, |enrollment| enrollment.state = state).await;
        assert_eq!((post(&device).await, post(&device).await), (403, 403));
        assert_eq!(refusals(&server, reason).await, 1);
    }
    change(&server, &device, |enrollment| enrollment.state = EnrollmentState::Active).await;
    assert_eq!(post(&device).await, 200);
    // A certificate of ours that is nobody's identity.
    let stranger =
        Managed { certificate: identity(&server, "L-1", rsa(60)).await, key: rsa(60), ..Managed::enrolled(&server, 2).await };
    assert_eq!(post(&stranger).await, 403);
    assert_eq!(refusals(&server, "mdm.certificate-unknown").await, 1);
    server.admin.revoke(&device.certificate.serial().unwrap().to_string(), "keyCompromise").await;
    assert_eq!(post(&device).await, 403);
    assert_eq!(refusals(&server, "mdm.certificate-revoked").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_identity_takes_over_when_it_is_seen_in_use() {
    let server = server(NOTHING).await;
    let mut old = Managed::enrolled(&server, 1).await;
    let renewed = identity(&server, "L-1", rsa(61)).await;
    change(&server, &old, |enrollment| enrollment.renewed = Some(as_identity(&renewed))).await;
    assert!(matches!(old.sync(&server).await, Next::Ended { .. }), "the answer of the renewal may have been lost");
    let mut new = Managed {
        certificate: renewed.clone(),
        key: rsa(61),
        tree: old.tree.clone(),
        client: old.client.clone(),
        device: old.device.clone(),
        ..old
    };
    new.sessions = 10;
    assert!(matches!(new.sync(&server).await, Next::Ended { .. }));
    let stored = new.stored(&server).await;
    assert_eq!((stored.identity, stored.renewed), (as_identity(&renewed), None));
    assert!(stored.retired.is_some());
    old = Managed { certificate: old.certificate, key: rsa(41), ..new };
    let (_, message) = DeviceSession::start(old.config(&server));
    assert_eq!(old.post(&server, SYNCML, syncml::encode(&message).unwrap().as_bytes()).await.status, 403);
    assert_eq!(refusals(&server, "mdm.certificate-retired").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_message_gets_the_same_answer_and_changes_nothing() {
    let server = server("").await;
    let mut device = Managed::enrolled(&server, 1).await;
    let (_, message) = DeviceSession::start(device.config(&server));
    let text = syncml::encode(&message).unwrap();
    let first = device.post(&server, SYNCML, text.as_bytes()).await;
    let jobs = device.jobs(&server).await;
    let again = device.post(&server, SYNCML, text.as_bytes()).await;
    assert_eq!((first.status, &first.body), (200, &again.body));
    assert_eq!(device.jobs(&server).await, jobs);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_cut_off_is_taken_up_by_the_next_one() {
    let server = server("").await;
    let mut device = Managed::enrolled(&server, 1).await;
    // The device does what it is told, and its answer is lost.
    let (mut session, message) = DeviceSession::start(device.config(&server));
    let answer = device.send(&server, &message).await;
    assert!(matches!(session.receive(&answer, &mut device.tree), Next::Send(_)));
    assert_eq!(device.state(&server, "trust ").await, JobState::Sent.as_str());
    let server = server.restart().await;
    assert!(matches!(device.sync(&server).await, Next::Ended { .. }));
    let jobs = device.jobs(&server).await;
    assert!(jobs.iter().all(|(_, state)| state == "verified"), "{jobs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_leaves_is_ended_and_its_identity_revoked() {
    let server = server(NOTHING).await;
    let mut device = Managed::enrolled(&server, 1).await;
    device.sync(&server).await;
    let goodbye = DeviceSession::goodbye(device.config(&server));
    device.send(&server, &goodbye).await;
    let stored = device.stored(&server).await;
    assert_eq!(stored.state, EnrollmentState::Ended);
    assert!(stored.ended_at.is_some());
    let certificate = server.admin.certificate(&device.certificate.serial().unwrap().to_string()).await;
    assert_eq!(
        (certificate.status.as_str(), certificate.revocation_reason.as_deref()),
        ("revoked", Some("cessationOfOperation"))
    );
    let events = audited(&server).await;
    assert_eq!(events.get(&("device-unenrolled".to_owned(), String::new())), Some(&1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_with_an_account_proves_it_with_a_new_nonce_each_time() {
    let server = server(NOTHING).await;
    let mut device = Managed::enrolled(&server, 1).await;
    let (stored, given) = device_document::fresh_credentials(&server.server, device.enrollment).unwrap();
    change(&server, &device, |enrollment| enrollment.credentials = Some(stored)).await;
    let user = given.name.unwrap();
    let good = |nonce| DeviceCredentials::Md5 { user: user.clone(), secret: given.secret.expose().to_owned(), nonce };
    let mut nonces = vec![given.nonce.clone()];
    device.credentials = Some(good(Some(given.nonce)));
    for _ in 0..3 {
        assert!(matches!(device.sync(&server).await, Next::Ended { .. }));
        let nonce = device.stored(&server).await.credentials.unwrap().nonce;
        assert!(!nonces.contains(&nonce));
        nonces.push(nonce);
    }
    // A device that has lost its nonce is given another one; one without the secret is not.
    device.credentials = Some(good(None));
    assert!(matches!(device.sync(&server).await, Next::Ended { .. }));
    device.credentials = Some(DeviceCredentials::Md5 { user, secret: "guessed".into(), nonce: None });
    assert!(matches!(device.sync(&server).await, Next::Refused(_)));
    assert_eq!(refusals(&server, "mdm.session-credentials").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_message_twice_at_the_same_moment_is_one_message() {
    let server = server("").await;
    let mut device = Managed::enrolled(&server, 1).await;
    let (_, message) = DeviceSession::start(device.config(&server));
    let text = syncml::encode(&message).unwrap();
    let post = || device.post(&server, SYNCML, text.as_bytes());
    let (a, b, c) = tokio::join!(post(), post(), post());
    assert_eq!((a.status, b.status, c.status), (200, 200, 200));
    assert!(a.body == b.body && b.body == c.body);
    let jobs = device.jobs(&server).await;
    let purposes: std::collections::BTreeSet<&String> = jobs.iter().map(|(purpose, _)| purpose).collect();
    assert_eq!(purposes.len(), jobs.len(), "{jobs:?}");
}

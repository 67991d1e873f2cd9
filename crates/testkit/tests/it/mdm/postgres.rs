//! The life of managed devices with everything kept in PostgreSQL, on one node and on two.

use std::sync::Arc;

use lanyard_agent::{
    mdm::{RenewalProof, join, leave, renew, sync},
    scep::options::Clock,
    store::DeviceStore,
};
use lanyard_mdm::{
    session::device::{DeviceSession, Next},
    syncml,
};
use lanyard_model::{fleet::EnrollmentState, time::Span};
use lanyard_server::serve::{self, Unseal};
use lanyard_testkit::{http::encode, mdm::Door, programs::postgres::Postgres, server::TestServer};

use super::{
    agent::options,
    managed::{Managed, PATH, SYNCML, policy},
    renewal,
    support::{PASSWORD, start},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_device_joins_is_managed_renews_and_leaves() {
    let server = start(renewal::builder().database(Postgres::shared().database())).await;
    let folder = tempfile::tempdir().unwrap();
    let store = DeviceStore::open(&folder.path().join("dev1")).unwrap();
    join(Some(&store), options(&server, PASSWORD)).await.unwrap();
    let synced = async |server: &TestServer| {
        let now = server.now();
        let clock: Clock = Arc::new(move || now);
        sync(&store, &clock).await.unwrap()
    };
    let account = store.joined().unwrap();
    let stored = async || server.server.store.find_enrollments_by_client(&account.device_id).await.unwrap().remove(0).0;
    let jobs = async || server.server.store.list_jobs(stored().await.id, false).await.unwrap();
    synced(&server).await;
    assert!(!jobs().await.is_empty() && jobs().await.iter().all(|job| job.state.as_str() == "verified"));
    assert!(server.server.store.load_inventory(stored().await.id).await.unwrap().is_some());
    server.advance(Span::from_days(2));
    let first = stored().await.identity;
    renew(&store, RenewalProof::Automatic, server.now()).await.unwrap();
    synced(&server).await;
    assert_ne!(stored().await.identity, first);
    assert_eq!(server.admin.certificate(&first.serial.to_string()).await.status, "revoked");
    // Everything is still known to a server that was started anew.
    let server = server.restart().await;
    let account = store.joined().unwrap();
    let stored = async || server.server.store.find_enrollments_by_client(&account.device_id).await.unwrap().remove(0).0;
    assert!(stored().await.seen_at.is_some());
    // Its port is another one now, which devices are not told; the enrolment is ended as for one that is lost.
    assert!(leave(&store).await.is_ok());
    let ended = server.admin.call("POST", &format!("/fleet/{}/unenroll", account.device_id), br#"{"now":true}"#).await;
    assert_eq!(ended.status, 200, "{}", ended.text());
    assert_eq!(stored().await.state, EnrollmentState::Ended);
    let serial = stored().await.identity.serial.to_string();
    assert_eq!(server.admin.certificate(&serial).await.status, "revoked");
    assert!(server.admin.verify_audit().await.intact);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_says_goodbye_and_its_enrolment_ends() {
    let server = start(TestServer::builder().database(Postgres::shared().database())).await;
    let folder = tempfile::tempdir().unwrap();
    let store = DeviceStore::open(&folder.path().join("dev1")).unwrap();
    join(Some(&store), options(&server, PASSWORD)).await.unwrap();
    let account = store.joined().unwrap();
    assert!(leave(&store).await.unwrap(), "the server was told");
    let ended = server.server.store.find_enrollments_by_client(&account.device_id).await.unwrap().remove(0).0;
    assert_eq!(ended.state, EnrollmentState::Ended);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_begun_on_one_node_goes_on_on_the_other() {
    let builder = TestServer::builder().database(Postgres::shared().database());
    let first = builder.file("fleet/default.toml", policy("")).start().await;
    let clock: Arc<dyn lanyard_server::clock::Clock> = Arc::<lanyard_server::clock::ShiftedClock>::clone(&first.clock);
    let other = serve::open(first.dir(), Unseal::File(first.site.unseal.clone()), clock).await.unwrap();
    let running = serve::start(Arc::clone(&other)).await.unwrap();
    let mut device = Managed::enrolled(&first, 1).await;
    let addresses = [first.mdm, running.mdm.unwrap()];
    assert_ne!(addresses[0], addresses[1]);
    // Each message to the other node than the one before, and one of them twice.
    let (mut session, mut message) = DeviceSession::start(device.config(&first));
    let mut sent = 0;
    for turn in 0.. {
        assert!(turn < 20, "the session does not end");
        let text = syncml::encode(&message).unwrap();
        let octets = encode("POST", PATH, &format!("Content-Type: {SYNCML}\r\n"), text.as_bytes());
        let at = |n: usize| Door {
            address: addresses[n % 2],
            root: &first.site.root,
            identity: Some((&device.certificate, device.key)),
        };
        let answer = at(turn).exchange(&octets).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let repeated = at(turn + 1).exchange(&octets).await.unwrap();
        assert_eq!(repeated.body, answer.body, "whichever node gets it again, the answer is the same");
        sent += 1;
        match session.receive(&syncml::decode(&answer.body).unwrap(), &mut device.tree) {
            Next::Send(next) => message = *next,
            Next::Ended { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(sent >= 3, "{sent} messages");
    let jobs = device.jobs(&first).await;
    assert!(!jobs.is_empty() && jobs.iter().all(|(_, state)| state == "verified"), "{jobs:?}");
    // The next session, wholly on the other node, finds nothing more to do.
    let config = device.config(&first);
    let (mut session, message) = DeviceSession::start(config);
    let octets = encode("POST", PATH, &format!("Content-Type: {SYNCML}\r\n"), syncml::encode(&message).unwrap().as_bytes());
    let door = Door { address: addresses[1], root: &first.site.root, identity: Some((&device.certificate, device.key)) };
    let answer = door.exchange(&octets).await.unwrap();
    assert!(matches!(session.receive(&syncml::decode(&answer.body).unwrap(), &mut device.tree), Next::Ended { .. }));
    assert_eq!(device.jobs(&first).await.len(), jobs.len());
    running.stop().await;
}

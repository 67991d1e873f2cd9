//! The process ends between granting a request and signing it: nothing is lost, nothing is signed twice.

use std::path::Path;

use lanyard_testkit::{
    keys::rsa,
    programs::program,
    scep::{
        device::{Device, random_text},
        endpoint::Endpoint,
    },
    server::{TestServer, order},
};
use tokio::process::Command;

/// Runs SQL on the server's database from outside, as no user would.
async fn sql(server: &TestServer, statement: &str) {
    let database: &Path = &server.dir().join("lanyard.db");
    let mut command = Command::new(program("sqlite3", "sqlite3"));
    command.args(["-cmd", ".timeout 20000"]).arg(database).arg(statement);
    let done = command.output().await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// From now on no signature can be stored.
async fn break_signing(server: &TestServer) {
    let fail = "BEFORE UPDATE OF signed ON certificates BEGIN SELECT RAISE(ABORT, 'no signature today'); END";
    sql(server, &format!("CREATE TRIGGER broken {fail}")).await;
}

async fn mend_signing(server: &TestServer) {
    sql(server, "DROP TRIGGER broken").await;
}

async fn statuses(server: &TestServer) -> Vec<String> {
    server.admin.certificates().await.into_iter().map(|c| c.status).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_enrolment_is_taken_up_when_the_device_asks_again() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let device = Device::with_challenge(rsa(0), &server.challenge("laptop-1").await);
    let message = device.message(&endpoint);
    break_signing(&server).await;
    assert_eq!(endpoint.post(&message).await.status, 500);
    mend_signing(&server).await;
    assert_eq!(statuses(&server).await, ["intended"]);

    let server = server.restart().await;
    let endpoint = Endpoint::of(&server).await;
    let reply = endpoint.send(&message, &device).await;
    reply.assert_issued();
    let mut found = statuses(&server).await;
    found.sort();
    assert_eq!(found, ["revoked", "valid"], "the abandoned serial number is revoked");
    assert_eq!(endpoint.send(&message, &device).await.serial(), reply.serial(), "and now there is an outcome");
    assert!(server.admin.verify_audit().await.intact);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_enrolment_is_taken_up_for_a_new_message_with_the_same_csr() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let device = Device::with_challenge(rsa(0), &server.challenge("laptop-1").await);
    break_signing(&server).await;
    assert_eq!(endpoint.post(&device.message(&endpoint)).await.status, 500);
    mend_signing(&server).await;
    let server = server.restart().await;
    let endpoint = Endpoint::of(&server).await;
    let again = Device { transaction: random_text(), ..device };
    endpoint.enrol(&again).await.assert_issued();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_cannot_take_up_an_interrupted_enrolment() {
    let server = TestServer::start().await;
    let endpoint = Endpoint::of(&server).await;
    let challenge = server.challenge("laptop-1").await;
    break_signing(&server).await;
    assert_eq!(endpoint.post(&Device::with_challenge(rsa(0), &challenge).message(&endpoint)).await.status, 500);
    mend_signing(&server).await;
    let server = server.restart().await;
    let endpoint = Endpoint::of(&server).await;
    endpoint.enrol(&Device::with_challenge(rsa(1), &challenge)).await.assert_refused("2");
    assert_eq!(statuses(&server).await, ["intended"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_renewal_may_be_repeated() {
    let server = TestServer::builder()
        .template("device-client", "brief", &[("renewal-window = \"120d\"", "renewal-window = \"365d\"")])
        .start()
        .await;
    let endpoint = Endpoint::of(&server).await;
    let first = Device::with_challenge(rsa(0), &server.admin.challenge(&order("brief", "laptop-1")).await);
    let certificate = endpoint.enrol(&first).await.certificate().clone();
    let renewal = first.renewal(&certificate, rsa(1));
    let message = renewal.message(&endpoint);
    break_signing(&server).await;
    assert_eq!(endpoint.post(&message).await.status, 500);
    mend_signing(&server).await;
    let server = server.restart().await;
    let endpoint = Endpoint::of(&server).await;
    endpoint.send(&message, &renewal).await.assert_issued();
    let mut found = statuses(&server).await;
    found.sort();
    assert_eq!(found, ["revoked", "valid", "valid"], "old, abandoned, new");
}

//! `lanyard store migrate`: from the file to PostgreSQL, compared, and in use afterwards.

use lanyard_testkit::{
    keys::rsa,
    process::{Process, lanyard},
    programs::{Done, postgres::Postgres, run},
    scep::{device::Device, endpoint::Endpoint},
    server::{Site, TestServer, order},
};
use tokio::process::Command;

async fn store(site: &Site, arguments: &[&str]) -> Done {
    let mut command = Command::new(lanyard());
    command.args(["store", arguments[0], "--dir"]).arg(&site.dir).args(&arguments[1..]);
    run(&mut command).await
}

async fn enrol(process: &Process, name: &str) -> (String, Vec<u8>, Device) {
    let endpoint = Endpoint::at(process.http, "default").await;
    let device = Device::with_challenge(rsa(0), &process.admin.challenge(&order("wifi", name)).await);
    let message = device.message(&endpoint);
    let reply = endpoint.send(&message, &device).await;
    (reply.serial(), message, device)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_moves_with_everything_and_goes_on() {
    let (site, _) = TestServer::builder().create().await;
    let process = Process::serve(&site).await;
    let (serial, message, device) = enrol(&process, "before").await;
    let (revoked, ..) = enrol(&process, "revoked").await;
    process.admin.call("POST", &format!("/certificates/{revoked}/revoke"), br#"{"reason":"key-compromise"}"#).await;
    let url = Postgres::shared().database();
    let refused = store(&site, &["migrate", "--database", &url]).await;
    assert!(!refused.success && refused.output.contains("a server runs on this data directory"), "{}", refused.output);
    process.kill().await;

    let records = |json: &str| serde_json::from_str::<serde_json::Value>(json).unwrap();
    let before = records(&store(&site, &["check", "--json"]).await.good());
    assert_eq!(before["engine"], "SQLite");
    let moved = records(&store(&site, &["migrate", "--database", &url, "--json"]).await.good());
    let rows =
        |table: &str| moved.as_array().unwrap().iter().find(|t| t["table"] == table).and_then(|t| t["rows"].as_u64()).unwrap();
    assert_eq!(rows("requests"), 2);
    assert_eq!(rows("audit"), before["audit-records"].as_u64().unwrap());
    let after = records(&store(&site, &["check", "--json"]).await.good());
    assert_eq!(after["engine"], "PostgreSQL");
    assert_eq!((&after["audit-records"], &after["certificates"]), (&before["audit-records"], &before["certificates"]));
    assert!(!site.dir.join("lanyard.db").exists() && site.dir.join("lanyard.db.moved").exists());

    // The same certificates, the same answers, and serial numbers of rows that go on where they were.
    let process = Process::serve(&site).await;
    let endpoint = Endpoint::at(process.http, "default").await;
    assert_eq!(endpoint.send(&message, &device).await.serial(), serial);
    enrol(&process, "after").await;
    let listed = process.admin.certificates().await;
    assert_eq!(
        listed.iter().filter(|c| c.status == "revoked").map(|c| c.serial.as_str()).collect::<Vec<_>>(),
        [revoked.as_str()]
    );
    assert!(process.admin.verify_audit().await.intact);
    process.kill().await;
    let again = store(&site, &["migrate", "--database", &url]).await;
    assert!(!again.success && again.output.contains("shared database already"), "{}", again.output);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_is_not_empty_changes_nothing() {
    let url = Postgres::shared().database();
    let _other = TestServer::builder().database(url.clone()).create().await;
    let (site, _) = TestServer::builder().create().await;
    let refused = store(&site, &["migrate", "--database", &url]).await;
    assert!(!refused.success && refused.output.contains("the target is not empty"), "{}", refused.output);
    assert!(site.dir.join("lanyard.db").exists() && !site.dir.join("database.url").exists());
    let nowhere = store(&site, &["migrate", "--database", "mysql://127.0.0.1/x"]).await;
    assert!(!nowhere.success && nowhere.output.contains("postgres://"), "{}", nowhere.output);
}

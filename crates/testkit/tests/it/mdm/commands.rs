//! `lanyard fleet` as people and scripts call it.

use std::path::Path;

use lanyard_pki::pem;
use lanyard_server::api::fleet_types::{FleetCertificate, FleetDevice, FleetJob};
use lanyard_testkit::{process::lanyard, server::TestServer};

use super::managed::{Managed, server};

/// Runs it; whether it succeeded, and what it printed.
pub async fn fleet(dir: &Path, arguments: &[&str]) -> (bool, String) {
    let mut command = tokio::process::Command::new(lanyard());
    let output = command.arg("fleet").args(arguments).arg("--dir").arg(dir).output().await.unwrap();
    let told = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(told).unwrap())
}

async fn good(server: &TestServer, arguments: &[&str]) -> String {
    let (success, told) = fleet(server.dir(), arguments).await;
    assert!(success, "{arguments:?}: {told}");
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_guide_do_what_it_says() {
    let server = server("trust-own = false\n").await;
    let mut device = Managed::enrolled(&server, 1).await;
    assert!(good(&server, &["list"]).await.contains("never"));
    let (success, told) = fleet(server.dir(), &["certificates", "L-1"]).await;
    assert!(!success && told.contains("has not told yet"), "{told}");
    let root = server.site.temp.path().join("root.der");
    std::fs::write(&root, server.site.root.der()).unwrap();
    assert!(good(&server, &["push", "L-1", "root", root.to_str().unwrap()]).await.contains("queued"));
    std::fs::write(&root, pem::encode(pem::CERTIFICATE, server.site.issuing.der())).unwrap();
    let pushed = good(&server, &["push", "L-1", "--json", "intermediate", root.to_str().unwrap()]).await;
    let jobs: Vec<FleetJob> = serde_json::from_str(&pushed).unwrap();
    assert!(good(&server, &["cancel", &jobs[0].id]).await.contains("taken back"));
    device.sync(&server).await;
    good(&server, &["push", "L-1", "inventory"]).await;
    device.sync(&server).await;
    let listed = good(&server, &["jobs", "L-1"]).await;
    assert!(listed.contains("verified") && listed.contains("cancelled"), "{listed}");
    let shown: Vec<FleetCertificate> = serde_json::from_str(&good(&server, &["certificates", "L-1", "--json"]).await).unwrap();
    assert!(shown.iter().any(|one| one.place == "Root"), "{shown:?}");
    assert!(good(&server, &["certificates", &device.client]).await.contains("CN="), "named as the device calls itself");
    assert!(good(&server, &["show", &device.enrollment.to_string()]).await.contains("Example Computers"));
    assert!(good(&server, &["list", "--overdue"]).await.contains("no device is overdue"));
    good(&server, &["block", "L-1"]).await;
    let of_user = good(&server, &["list", "--user", "user1", "--json"]).await;
    let devices: Vec<FleetDevice> = serde_json::from_str(&of_user).unwrap();
    assert!(devices.len() == 1 && devices[0].blocked);
    good(&server, &["unblock", "L-1"]).await;
    assert!(good(&server, &["renew-certificate", "L-1", "--identity"]).await.contains("one certificate"));
    assert!(good(&server, &["unenroll", "L-1"]).await.contains("at its next session"));
    assert!(good(&server, &["unenroll", "L-1", "--now"]).await.contains("revoked"));
    let (success, told) = fleet(server.dir(), &["push", "nobody", "inventory"]).await;
    assert!(!success && told.contains("does not exist"), "{told}");
}

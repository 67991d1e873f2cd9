//! The main job by the command line alone, as a person does it.

use std::path::Path;

use lanyard_testkit::{
    process::{Process, lanyard},
    programs::{Done, run},
    server::TestServer,
};
use tokio::process::Command;

async fn say(dir: &Path, arguments: &[&str]) -> Done {
    let mut command = Command::new(lanyard());
    command.args(arguments).arg("--dir").arg(dir);
    run(&mut command).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_creates_a_challenge_a_device_enrols_and_the_certificate_is_revoked() {
    let (site, _) = TestServer::builder().create().await;
    let process = Process::serve(&site).await;
    let create = ["challenge", "create", "--template", "wifi", "--subject", "CN=laptop-1,O=Example", "--key", "rsa:2048"];
    let challenge = say(&site.dir, &create).await.good();
    assert_eq!((challenge.lines().count(), challenge.trim().len()), (1, 88), "the challenge alone: {challenge:?}");

    let store = site.temp.path().join("device");
    let challenge_file = site.temp.path().join("challenge.txt");
    std::fs::write(&challenge_file, &challenge).unwrap();
    let fingerprint = lanyard_model::text::hex(&site.root.fingerprint());
    let mut enroll = Command::new(lanyard());
    enroll.args(["device", "enroll", "--store"]).arg(&store);
    enroll.args(["--scep", &format!("http://{}/scep/default", process.http), "--ca-fingerprint", &fingerprint]);
    enroll.args(["--subject", "CN=laptop-1,O=Example", "--challenge-file"]).arg(&challenge_file);
    run(&mut enroll).await.good();

    let list = say(&site.dir, &["cert", "list", "--json"]).await.good();
    let list: Vec<serde_json::Value> = serde_json::from_str(&list).unwrap();
    let serial = list[0]["serial"].as_str().unwrap();
    assert_eq!((list.len(), list[0]["status"].as_str()), (1, Some("valid")));
    let request = list[0]["request"].as_str().unwrap();
    assert!(say(&site.dir, &["request", "show", request]).await.good().contains("laptop-1"));
    say(&site.dir, &["cert", "revoke", serial, "--reason", "keyCompromise"]).await.good();
    assert!(say(&site.dir, &["cert", "show", serial]).await.good().contains("revoked"));
    say(&site.dir, &["audit", "verify"]).await.good();

    // The challenge is spent: a second device gets nothing and is told so.
    let mut again = Command::new(lanyard());
    again.args(["device", "enroll", "--store"]).arg(site.temp.path().join("thief"));
    again.args(["--scep", &format!("http://{}/scep/default", process.http), "--ca-fingerprint", &fingerprint]);
    again.args(["--subject", "CN=laptop-1,O=Example", "--challenge-file"]).arg(&challenge_file);
    assert!(!run(&mut again).await.success);
    assert_eq!(process.admin.certificates().await.len(), 1);
    process.kill().await;
}

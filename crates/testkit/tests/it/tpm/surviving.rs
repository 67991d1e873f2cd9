//! Resets of the TPM, another TPM, and a device that is killed.

use std::process::Stdio;

use lanyard_testkit::{
    programs::{openssl::verify, swtpm::Swtpm},
    wait::until,
};

use super::{Device, refused, server};
use crate::bars::size;

#[tokio::test(flavor = "multi_thread")]
async fn keys_survive_a_reset_and_are_of_no_use_with_another_tpm() {
    let (mut tpm, server) = (Swtpm::start().await, server().start().await);
    let mut device = Device::with(&tpm);
    let pin = device.file("pin", "correct horse");
    device.enroll(&server, "host-1", &["--protection", "tpm-pin", "--pin-file", &pin]).await.good();
    tpm.reset().await;
    device.run(&["renew", "--all", "--pin-file", &pin]).await.good();
    tpm.reset().await;
    device.run(&["renew", "--all", "--pin-file", &pin]).await.good();
    let id = device.current().await["id"].as_str().unwrap().to_owned();
    verify(&device.certificate(&id).await, &server.site.issuing, &server.site.root).await.good();

    let other = Swtpm::start().await;
    device.tpm = other.name();
    refused(&device.run(&["renew", &id, "--pin-file", &pin]).await, "agent.tpm-key-lost");
    assert_eq!(other.occupied().await.trim(), "", "also after an error");
    device.tpm = tpm.name();
    device.run(&["renew", &id, "--pin-file", &pin]).await.good();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_killed_at_any_point_goes_on_with_a_usable_store() {
    let (tpm, server) = (Swtpm::start().await, server().start().await);
    let device = Device::with(&tpm);
    device.enroll(&server, "host-1", &["--protection", "tpm"]).await.good();
    let points = size(6, 20);
    // How long one takes when nobody kills it.
    let began = std::time::Instant::now();
    device.run(&["renew", "--all"]).await.good();
    let whole = began.elapsed();
    for point in 0..points {
        let after = whole.mul_f64((point as f64 + 0.5) / points as f64);
        let mut command = device.command(&["renew", "--all"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        tokio::time::sleep(after).await;
        child.kill().await.unwrap();
        // What is under way is finished first; then renewing works as ever.
        device.run(&["list"]).await.good();
        device.run(&["resume", "--retry-period", "10ms"]).await.good();
        device.run(&["renew", "--all"]).await.good();
        let current = device.current().await;
        assert_eq!(current["protection"], "tpm");
        let certificate = device.certificate(current["id"].as_str().unwrap()).await;
        verify(&certificate, &server.site.issuing, &server.site.root).await.good();
        let listed = device.json(&["list"]).await;
        assert!(listed["pending"].as_array().unwrap().is_empty(), "killed after {after:?}: {listed}");
    }
    // A first enrolment, likewise: what was sent is finished, what was not leaves nothing behind.
    for point in 0..size(3, 20) {
        let name = format!("late-{point:02}");
        let arguments = device.enrolment(&server, &name, &["--protection", "tpm"]).await;
        let mut command = device.command(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(whole.mul_f64((point as f64 + 0.5) / size(3, 20) as f64)).await;
        child.kill().await.unwrap();
        device.run(&["resume", "--retry-period", "10ms"]).await.good();
        let listed = device.json(&["list"]).await;
        let ours = |one: &&serde_json::Value| one["subject"].as_str().unwrap().contains(&name);
        let issued = server.admin.certificates().await.iter().filter(|one| one.subject.contains(&name)).count();
        let stored: Vec<_> = listed["identities"].as_array().unwrap().iter().filter(ours).collect();
        assert_eq!(stored.len(), issued, "{listed}");
        assert!(stored.iter().all(|one| one["protection"] == "tpm") && listed["pending"].as_array().unwrap().is_empty());
    }
    // The program that speaks with the TPM ends by itself when nobody asks any more.
    until("the TPM's slots to be empty", || async { tpm.occupied().await.trim().is_empty().then_some(()) }).await;
}

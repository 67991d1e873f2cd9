//! Devices without a TPM, or without the program for it.

use lanyard_testkit::{
    process::lanyard,
    programs::{Done, run},
    temporary,
};

use super::{Device, refused, server};

fn without() -> Device {
    Device { folder: temporary::folder("tpm"), tpm: "device:/dev/there-is-none".to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_tpm_what_needs_one_fails_and_what_likes_one_says_that_it_did_without() {
    let server = server().start().await;
    let device = without();
    let pin = device.file("pin", "correct horse");
    for protection in ["tpm", "tpm-pin"] {
        let done = device.enroll(&server, protection, &["--protection", protection, "--pin-file", &pin]).await;
        refused(&done, "agent.no-tpm");
        assert!(done.output.contains("/dev/there-is-none") && done.output.contains("tpm-optional"), "{}", done.output);
    }
    assert!(server.admin.certificates().await.is_empty() && device.json(&["list"]).await["identities"] == serde_json::json!([]));
    let done = device.enroll(&server, "host-1", &["--protection", "tpm-optional"]).await;
    assert!(done.output.contains("there is no TPM") && done.output.contains("made in software instead"), "{}", done.output);
    done.good();
    let identity = device.current().await;
    assert_eq!((&identity["protection"], &identity["exportable"]), (&"software".into(), &false.into()));
    device.run(&["renew", identity["id"].as_str().unwrap()]).await.good();
    assert_eq!(device.current().await["protection"], "software");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_program_the_way_to_get_it_is_named() {
    let server = server().start().await;
    let device = without();
    // A copy of the device's program with nothing beside it.
    let alone = tempfile::tempdir_in(lanyard().parent().unwrap()).unwrap();
    let copy = alone.path().join("lanyard");
    std::fs::hard_link(lanyard(), &copy).unwrap();
    let enroll = async |name: &str, protection: &str| -> Done {
        let arguments = device.enrolment(&server, name, &["--protection", protection]).await;
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut command = device.command_of(&copy, &arguments);
        run(command.env("PATH", "/usr/bin:/bin")).await
    };
    let done = enroll("host-1", "tpm").await;
    refused(&done, "agent.no-tpm-program");
    assert!(done.output.contains("libtss2-dev") && done.output.contains("lanyard-tpm"), "{}", done.output);
    let done = enroll("host-2", "tpm-optional").await;
    assert!(done.success && done.output.contains("made in software instead"), "{}", done.output);
}

#[tokio::test(flavor = "multi_thread")]
async fn software_keys_are_exported_only_where_that_was_asked_for_and_renewals_keep_it() {
    let server = server().start().await;
    let device = without();
    device.enroll(&server, "host-1", &["--protection", "software"]).await.good();
    let id = device.current().await["id"].as_str().unwrap().to_owned();
    let out = device.folder.path().join("key.pem");
    let export = ["export", &id, "--pem", "--out", out.to_str().unwrap()];
    refused(&device.run(&export).await, "agent.not-exportable");
    device.run(&["remove", &id, "--yes"]).await.good();

    device.enroll(&server, "host-2", &["--protection", "software-exportable"]).await.good();
    let first = device.current().await;
    device.run(&["renew", first["id"].as_str().unwrap()]).await.good();
    let second = device.current().await;
    assert_eq!((&second["protection"], &second["predecessor"]), (&"software-exportable".into(), &first["id"]));
    device.run(&["export", second["id"].as_str().unwrap(), "--pem", "--out", out.to_str().unwrap()]).await.good();
    assert!(std::fs::read_to_string(&out).unwrap().contains("BEGIN PRIVATE KEY"));
}

//! Keys with a PIN: the TPM counts the wrong ones, locks, says for how long, and forgets.

use std::time::{Duration, Instant};

use lanyard_model::time::Span;
use lanyard_testkit::{
    process::lanyard,
    programs::{faketime::WallClock, program, run, swtpm::Swtpm},
};
use tokio::process::Command;

use super::{Device, holds, refused, server};
use crate::device::Running;

const PIN: &str = "hunter2-hunter2";

#[tokio::test(flavor = "multi_thread")]
async fn wrong_pins_are_counted_by_the_tpm_which_locks_and_recovers() {
    const INTERVAL: u64 = 20;
    let (tpm, server) = (Swtpm::start().await, server().start().await);
    tpm.set_lockout(4, u32::try_from(INTERVAL).unwrap()).await;
    let device = Device::with(&tpm);
    let (right, wrong) = (device.file("right", PIN), device.file("wrong", "swordfish"));
    device.enroll(&server, "host-1", &["--protection", "tpm-pin", "--pin-file", &right]).await.good();
    let guarded = device.current().await["id"].as_str().unwrap().to_owned();
    assert_eq!(device.current().await["protection"], "tpm-pin");

    let mut told = Vec::new();
    let mut locked = None;
    for _ in 0..10 {
        let done = device.run(&["renew", &guarded, "--pin-file", &wrong]).await;
        assert!(!done.success, "{}", done.output);
        if done.output.contains("[agent.pin-locked]") {
            locked = Some(done.output);
            break;
        }
        refused(&done, "agent.wrong-pin");
        told.push(done.output);
    }
    let at = Instant::now();
    let locked = locked.expect("a lock");
    assert!(told[0].contains("after 3 more wrong ones"), "{told:?}");
    assert!(locked.contains("until 20") && locked.contains(" s)"), "it says until when: {locked}");
    let seconds: u64 =
        locked.split('(').find_map(|rest| rest.split(" s)").next()?.parse().ok()).unwrap_or_else(|| panic!("{locked}"));
    assert!((1..=INTERVAL).contains(&seconds), "{locked}");

    // Even the right one is not taken now.
    refused(&device.run(&["renew", &guarded, "--pin-file", &right]).await, "agent.pin-locked");
    // A key without a PIN is not touched by it.
    device.enroll(&server, "host-2", &["--protection", "tpm"]).await.good();
    let open =
        device.json(&["list"]).await["identities"].as_array().unwrap().iter().find(|one| one["protection"] == "tpm").cloned();
    device.run(&["renew", open.unwrap()["id"].as_str().unwrap()]).await.good();

    tokio::time::sleep(Duration::from_secs(seconds + 1).saturating_sub(at.elapsed())).await;
    device.run(&["renew", &guarded, "--pin-file", &right]).await.good();

    for (path, content) in device.files() {
        assert!(!holds(&content, PIN.as_bytes()) && !holds(&content, b"swordfish"), "{}", path.display());
    }
    assert!(told.iter().chain([&locked]).all(|text| !text.contains("swordfish")), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_that_nobody_can_give_or_that_no_tpm_takes_is_refused_before_anything_is_sent() {
    let (tpm, server) = (Swtpm::start().await, server().start().await);
    let device = Device::with(&tpm);
    refused(&device.enroll(&server, "host-1", &["--protection", "tpm-pin"]).await, "agent.pin-needed");
    for (name, pin) in [("short", "123"), ("long", "123456789012345678901234567890123")] {
        let file = device.file(name, pin);
        let done = device.enroll(&server, &format!("host-{name}"), &["--protection", "tpm-pin", "--pin-file", &file]).await;
        refused(&done, "agent.usage");
        assert!(!done.output.contains(pin), "{}", done.output);
    }
    assert!(server.admin.certificates().await.is_empty());
    let right = device.file("right", PIN);
    device.enroll(&server, "host-2", &["--protection", "tpm-pin", "--pin-file", &right]).await.good();
    let id = device.current().await["id"].as_str().unwrap().to_owned();
    refused(&device.run(&["renew", &id]).await, "agent.pin-needed");

    // Of all programs that are started, none is told the PIN where others can see it.
    let trace = device.folder.path().join("trace");
    let mut command = Command::new(program("strace", "strace"));
    command.args(["-f", "-v", "-s", "4096", "-e", "trace=execve", "-o"]).arg(&trace).arg(lanyard());
    command.args(["device", "renew", &id, "--pin-file", &right, "--store"]).arg(device.store()).env("LANYARD_TPM", &device.tpm);
    run(&mut command).await.good();
    let traced = std::fs::read_to_string(&trace).unwrap();
    assert!(traced.matches("lanyard-tpm").count() >= 4 && !traced.contains(PIN), "{traced}");
    let id = device.current().await["id"].as_str().unwrap().to_owned();
    refused(&device.run(&["renew", &id]).await, "agent.pin-needed");
    assert_eq!(device.current().await["id"].as_str(), Some(id.as_str()), "as it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_cannot_type_a_pin_and_says_who_can() {
    let tpm = Swtpm::start().await;
    let server = server().start().await;
    let device = Device::with(&tpm);
    let pin = device.file("pin", "2468\n");
    device.enroll(&server, "laptop-9", &["--protection", "tpm-pin", "--pin-file", &pin]).await.good();
    let id = device.current().await["id"].as_str().unwrap().to_owned();
    let clock = WallClock::new(device.folder.path());
    clock.set(310 * 86_400);
    server.advance(Span::from_days(310));
    let service = device.command(&["run", "--look", "300ms"]);
    let mut command = clock.command(lanyard());
    command.args(service.as_std().get_args());
    command.envs(service.as_std().get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut running = Running::start(command, device.folder.path().join("run.log"));
    running.says("needs you", 1).await;
    assert_eq!(running.said(&format!("run 'lanyard device renew {id}', which asks for the PIN")), 1);
    let text = running.stop().await;
    assert!(text.contains("nobody can be asked"), "{text}");
}

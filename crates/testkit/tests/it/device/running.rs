//! `lanyard device run` for a store that has only identities by SCEP: a year without anybody, and what it cannot do alone.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use lanyard_testkit::programs::openssl::openssl;
use serde_json::Value;

use super::{DAY, Place, Running};

fn start(place: &Place, more: &[&str]) -> Running {
    Running::start(place.command(&[&["run", "--look", "300ms"], more].concat()), place.site.temp.path().join("run.log"))
}

/// Long enough for several looks.
async fn a_while() {
    tokio::time::sleep(Duration::from_millis(1500)).await;
}

fn only(status: &Value) -> &Value {
    let all = status["identities"].as_array().unwrap();
    assert_eq!(all.len(), 1, "{status}");
    &all[0]
}

#[tokio::test(flavor = "multi_thread")]
async fn it_renews_what_came_by_scep_outlives_the_server_and_tells_its_state() {
    let place = Place::new().await;
    let server = place.serve().await;
    let never = place.device(&["run"]).await;
    assert!(!never.success && never.output.contains("agent.nothing-to-keep"), "{}", never.output);
    let nothing = place.device(&["status"]).await;
    assert!(!nothing.success && nothing.output.contains("agent.nothing-to-keep"), "{}", nothing.output);
    place.enroll(&server, "hosts", "laptop-1", &[]).await.good();
    let curl = place.json(&["use", "curl"]).await;
    let used = fs::read_to_string(place.store().join("use/curl/client.pem")).unwrap();
    let mut running = start(&place, &[]);
    running.says("keeping the schedule", 1).await;
    let second = place.device(&["run"]).await;
    assert!(!second.success && second.output.contains("agent.running"), "{}", second.output);
    let status = place.json(&["status"]).await;
    assert_eq!(status["joined"], false);
    let one = only(&status);
    assert_eq!((one["renewed"].as_str(), &one["last_try"], &one["next_try"]), (Some("by-scep"), &Value::Null, &one["due"]));
    assert!(place.device(&["status"]).await.good().contains("by 'device run', from 2"));

    // Not before its time.
    place.clock.set(270 * DAY);
    a_while().await;
    assert_eq!(running.said("obtained"), 0);
    server.kill().await;
    // In time, but the server is away: it is asked ever more rarely, and never given up.
    let mut now = 310 * DAY;
    place.clock.set(now);
    running.says("trying again later", 1).await;
    for (tries, pause) in [(2, 70), (3, 130), (4, 250)] {
        a_while().await;
        assert_eq!(running.said("trying again later"), tries - 1, "not before the pause is over");
        now += pause;
        place.clock.set(now);
        running.says("trying again later", tries).await;
    }
    let status = place.json(&["status"]).await;
    let tried = &only(&status)["last_try"];
    assert_eq!((tried["outcome"].as_str(), tried["count"].as_u64()), (Some("absent"), Some(4)), "{status}");
    assert_eq!(status["needs_person"], serde_json::json!([]), "nobody has to do anything");
    // Until the last day.
    now = 364 * DAY + DAY / 2;
    place.clock.set(now);
    running.says("trying again later", 5).await;
    let server = place.serve().await;
    now += 3700;
    place.clock.set(now);
    running.says("obtained", 1).await;
    let renewed = place.current("laptop-1").await;
    assert_eq!(renewed.len(), 1);
    assert_eq!(renewed[0]["predecessor"], curl["identity"]);
    assert_ne!(fs::read_to_string(place.store().join("use/curl/client.pem")).unwrap(), used, "curl uses the new one");
    assert_eq!(only(&place.json(&["status"]).await)["last_try"], Value::Null);
    running.stop().await;
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_held_becomes_a_certificate_without_anybody_on_the_device() {
    let place = Place::new().await;
    let server = place.serve().await;
    let held = place.enroll(&server, "held", "laptop-2", &["--retry-count", "0"]).await;
    assert!(held.output.contains("still holds"), "{}", held.output);
    let mut running = start(&place, &[]);
    running.says("holds the request for a decision", 1).await;
    let status = place.json(&["status"]).await;
    assert_eq!(status["requests"][0]["state"], "held", "{status}");
    let listed: Value =
        serde_json::from_str(&place.say(&["request", "list", "--state", "pending", "--json"]).await.good()).unwrap();
    place.say(&["request", "approve", listed[0]["id"].as_str().unwrap()]).await.good();
    a_while().await;
    assert_eq!(running.said("obtained"), 0, "not before an hour is over");
    place.clock.set(3700);
    running.says("obtained", 1).await;
    assert_eq!(place.current("laptop-2").await.len(), 1);
    running.stop().await;
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_a_person_can_do_is_told_once_a_day() {
    let place = Place::new().await;
    let server = place.serve().await;
    place.enroll(&server, "hosts", "laptop-3", &[]).await.good();
    let serial = place.current("laptop-3").await[0]["serial"].as_str().unwrap().to_owned();
    place.say(&["cert", "revoke", &serial, "--reason", "superseded"]).await.good();
    // Another one came in a file, which nobody can renew from here.
    let folder = place.site.temp.path();
    fs::write(folder.join("pass"), "x").unwrap();
    let make = "openssl req -x509 -newkey rsa:2048 -nodes -keyout f.key -out f.pem -subj /CN=from-file -days 320 && \
                openssl pkcs12 -export -inkey f.key -in f.pem -out f.pfx -passout pass:x";
    openssl(&["version"], folder).await.good();
    lanyard_testkit::programs::run(tokio::process::Command::new("sh").args(["-c", make]).current_dir(folder)).await.good();
    let at = |name: &str| folder.join(name).display().to_string();
    place.device(&["install", &at("f.pfx"), "--passphrase-file", &at("pass"), "--yes"]).await.good();
    // A person who is told by another program.
    fs::write(folder.join("notify"), format!("#!/bin/sh\necho \"$1: $2\" >> {}\n", at("notified"))).unwrap();
    fs::set_permissions(folder.join("notify"), fs::Permissions::from_mode(0o755)).unwrap();
    let mut running = start(&place, &["--notify", &at("notify")]);
    running.says("keeping the schedule", 1).await;
    a_while().await;
    assert_eq!(running.said("needs you"), 0);

    let mut now = 312 * DAY;
    place.clock.set(now);
    running.says("needs you", 2).await;
    assert_eq!((running.said("cannot be renewed: the server refused"), running.said("came in a file")), (1, 1));
    a_while().await;
    assert_eq!(running.said("needs you"), 2, "the same is not told at once again");
    let status = place.json(&["status"]).await;
    let wanted = status["needs_person"].as_array().unwrap();
    assert_eq!(wanted.len(), 2, "{status}");
    assert!(wanted.iter().all(|one| !one["fix"].as_str().unwrap().is_empty()), "{status}");
    assert!(place.device(&["status"]).await.good().contains("needs you"));
    now += DAY + 60;
    place.clock.set(now);
    running.says("needs you", 4).await;
    lanyard_testkit::wait::until("four notifications", || async {
        let text = fs::read_to_string(folder.join("notified")).unwrap_or_default();
        (text.lines().count() == 4).then_some(())
    })
    .await;

    // After the end nothing is tried any more, and the way back is told.
    let tries = running.said("the server refused");
    place.clock.set(366 * DAY);
    running.says("it ended on", 2).await;
    a_while().await;
    assert!(running.said("lanyard device enroll") >= 1 && running.said("the server refused") <= tries + 1);
    let by_hand = place.current("from-file").await[0]["id"].as_str().unwrap().to_owned();
    let refused = place.device(&["renew", &by_hand]).await;
    assert!(!refused.success && refused.output.contains("agent.not-renewable"), "{}", refused.output);
    running.stop().await;
    server.kill().await;
}

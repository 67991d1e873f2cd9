//! `lanyard device run`: a process that keeps a device's schedule for a year, whatever becomes of the server.

use std::time::Duration;

use lanyard_testkit::{
    process::lanyard,
    programs::{Done, faketime::WallClock, run},
    wait::until,
};
use serde_json::Value;

use super::year::{Place, WITH_SCEP};
use crate::device::Running;

const DAY: i64 = 86_400;
const POLL: &str =
    "[poll]\nfirst-sessions = 2\nfirst-interval = \"2m\"\nsecond-sessions = 100\nsecond-interval = \"20m\"\ninterval = \"4h\"\n";

fn start(place: &Place, clock: &WallClock) -> Running {
    let mut command = clock.command(lanyard());
    command.args(["device", "run", "--look", "300ms", "--store"]).arg(place.store());
    Running::start(command, place.site.temp.path().join("run.log"))
}

/// Long enough for several looks.
async fn a_while() {
    tokio::time::sleep(Duration::from_millis(1500)).await;
}

async fn device(place: &Place, clock: &WallClock, arguments: &[&str]) -> Done {
    let mut command = clock.command(lanyard());
    run(command.arg("device").args(arguments).arg("--store").arg(place.store())).await
}

async fn json(place: &Place, clock: &WallClock, arguments: &[&str]) -> Value {
    serde_json::from_str(&device(place, clock, arguments).await.good()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_its_schedule_outlives_the_server_and_renews_what_it_has() {
    let place = Place::with_policy(&format!("{WITH_SCEP}{POLL}")).await;
    let clock = WallClock::new(place.site.temp.path());
    let server = place.serve_by(&clock).await;
    place.add_user().await;
    let never = device(&place, &clock, &["run"]).await;
    assert!(!never.success && never.output.contains("agent.nothing-to-keep"), "{}", never.output);
    place.join(0).await.good();
    let mut running = start(&place, &clock);
    running.says("synchronised:", 1).await;
    assert_eq!(running.said("certificate client-1: installed"), 1);
    let first = json(&place, &clock, &["status", "--json"]).await;

    // One at a time; a person may still look in.
    let second = device(&place, &clock, &["run"]).await;
    assert!(!second.success && second.output.contains("agent.running"), "{}", second.output);
    device(&place, &clock, &["status"]).await.good();

    // By its schedule: two minutes twice, then twenty.
    let mut now = 60;
    clock.set(now);
    a_while().await;
    assert_eq!(running.said("synchronised:"), 1);
    for sessions in [2, 3] {
        now += 125;
        clock.set(now);
        running.says("synchronised:", sessions).await;
    }
    now += 600;
    clock.set(now);
    a_while().await;
    assert_eq!(running.said("synchronised:"), 3);
    // Something new is done at the next session, which nobody has to ask for.
    let fleet = place.fleet().await;
    let name = fleet[0]["id"].as_str().unwrap().to_owned();
    let pushed = place.say(&["fleet", "push", &name, "describe", "--json"]).await.good();
    let pushed: Value = serde_json::from_str(&pushed).unwrap();
    now += 625;
    clock.set(now);
    running.says("synchronised:", 4).await;
    let jobs =
        async || -> Vec<Value> { serde_json::from_str(&place.say(&["fleet", "jobs", &name, "--json"]).await.good()).unwrap() };
    let described = jobs().await.into_iter().find(|job| job["id"] == pushed[0]["id"]).unwrap();
    assert_eq!(described["state"], "verified", "{described}");

    // The server is away: the device goes on trying, ever more rarely, and is there when the server is.
    server.kill().await;
    now += 1300;
    clock.set(now);
    running.says("trying again in 60 s", 1).await;
    now += 70;
    clock.set(now);
    running.says("trying again in 120 s", 1).await;
    let server = place.serve_by(&clock).await;
    a_while().await;
    assert_eq!(running.said("synchronised:"), 4, "not before the pause is over");
    now += 130;
    clock.set(now);
    running.says("synchronised:", 5).await;
    server.kill().await;

    // A certificate in the last quarter of its life is renewed by the device itself, long before the management would have it fetched anew.
    let of_client = async || {
        let list = json(&place, &clock, &["list", "--json"]).await;
        let all = list["identities"].as_array().unwrap().clone();
        all.into_iter().filter(|one| one["profile"] == "default").collect::<Vec<_>>()
    };
    assert_eq!(of_client().await.len(), 1);
    clock.set(306 * DAY);
    let server = place.serve_by(&clock).await;
    // Whether or not it tried while the server was away, it tries now.
    clock.set(306 * DAY + 4000);
    running.says("certificate client-1: installed", 2).await;
    running.says("synchronised:", 6).await;
    let renewed = of_client().await;
    assert_eq!(renewed.len(), 2, "{renewed:?}");
    let shown: Value = serde_json::from_str(&place.say(&["fleet", "show", &name, "--json"]).await.good()).unwrap();
    let given = shown["given"].as_array().unwrap().iter().find(|one| one["key"] == "scep/client").unwrap();
    let newest = renewed.iter().filter_map(|one| one["not_after"].as_str()).max().unwrap();
    assert_eq!(given["until"].as_str(), Some(newest), "the server knows that it was renewed: {given}");
    let fetched =
        jobs().await.into_iter().filter(|job| job["purpose"].as_str().unwrap().starts_with("certificate client")).count();
    assert_eq!(fetched, 1, "nobody has it fetched anew");
    server.kill().await;

    // Its identity, in its window, which is another one for each device.
    clock.set(330 * DAY);
    let server = place.serve_by(&clock).await;
    clock.set(330 * DAY + 4000);
    until("another identity", || async {
        let now = json(&place, &clock, &["status", "--json"]).await;
        (now["identity"] != first["identity"]).then_some(())
    })
    .await;
    let text = running.stop().await;
    assert!(text.contains("keeping the schedule"), "{text}");
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_when_the_server_ends_the_management() {
    let place = Place::with_policy("format = 1\nname = \"mdm\"\nrevision = 1\n").await;
    let clock = WallClock::new(place.site.temp.path());
    let server = place.serve_by(&clock).await;
    place.add_user().await;
    place.join(0).await.good();
    let mut running = start(&place, &clock);
    running.says("synchronised:", 1).await;
    let name = place.fleet().await[0]["id"].as_str().unwrap().to_owned();
    place.say(&["fleet", "unenroll", &name]).await.good();
    clock.set(DAY);
    running.ends().await;
    assert_eq!(running.said("the server has ended the management"), 1);
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_the_management_it_renews_what_it_enrolled_for_itself_and_goes_on_when_the_management_ends() {
    let place = Place::with_policy(WITH_SCEP).await;
    let clock = WallClock::new(place.site.temp.path());
    let server = place.serve_by(&clock).await;
    place.add_user().await;
    place.join(0).await.good();
    let order = ["challenge", "create", "--template", "wifi", "--subject", "CN=own-1,O=Example", "--json"];
    let challenge: Value = serde_json::from_str(&place.say(&order).await.good()).unwrap();
    let file = place.site.temp.path().join("challenge").display().to_string();
    std::fs::write(&file, challenge["challenge"].as_str().unwrap()).unwrap();
    let fingerprint = lanyard_agent::scep::options::fingerprint_text(&place.site.root.fingerprint());
    let url = format!("http://{}/scep/default", server.http);
    let subject = challenge["subject"].as_str().unwrap();
    let enroll = ["enroll", "--scep", &url, "--ca-fingerprint", &fingerprint, "--challenge-file", &file, "--subject", subject];
    device(&place, &clock, &enroll).await.good();
    let mut running = start(&place, &clock);
    running.says("synchronised:", 1).await;
    let status = json(&place, &clock, &["status", "--json"]).await;
    assert_eq!(status["joined"], true, "{status}");
    let own = status["identities"].as_array().unwrap();
    assert_eq!(own.len(), 1, "what the management brought is its business: {status}");
    assert_eq!(own[0]["renewed"], "by-scep");
    server.kill().await;

    clock.set(306 * DAY);
    let server = place.serve_by(&clock).await;
    clock.set(306 * DAY + 4000);
    running.says("certificate client-1: installed", 2).await;
    running.says("obtained ", 1).await;
    clock.set(306 * DAY + 8000);
    a_while().await;
    assert_eq!((running.said("certificate client-1: installed"), running.said("obtained ")), (2, 1), "each of them once");

    let name = place.fleet().await[0]["id"].as_str().unwrap().to_owned();
    place.say(&["fleet", "unenroll", &name]).await.good();
    clock.set(307 * DAY + 8000);
    running.says("the server has ended the management", 1).await;
    until("the state without a management", || async {
        let status = json(&place, &clock, &["status", "--json"]).await;
        let own = status["identities"].as_array().unwrap().len();
        (status["joined"] == false && own == 1).then_some(())
    })
    .await;
    let second = device(&place, &clock, &["run"]).await;
    assert!(!second.success && second.output.contains("agent.running"), "it is still at work: {}", second.output);
    running.stop().await;
    server.kill().await;
}

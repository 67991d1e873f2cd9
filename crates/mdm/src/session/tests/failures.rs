//! What goes wrong, and what becomes of the jobs then.

use proptest::prelude::*;

use super::pair::*;
use crate::{
    csp::{Format, LocUri, Scope},
    profile::{
        eap_tls::EapTls,
        inventory,
        job::{Expect, Job, JobId, OnConflict, Proof, add, expect, get, replace},
        management,
        tests::{scep_profile, wifi_root},
        trusted_certificate::{self, TrustStore},
        wifi::{Security, WifiProfile},
    },
    session::{
        device::{DeviceCredentials, DeviceSession, ManagementTree as _, Next},
        server::{Event, Failure, JobState},
    },
    syncml::{
        self, Alert, Command, Item, SyncMl, Verb,
        alert::{self, AlertCode, LoginStatus},
        cred,
        tests::sample,
    },
};

fn failed(state: &JobState) -> (u16, &str) {
    match state {
        JobState::Failed { why: Failure::Unanswered, .. } => (0, Failure::Unanswered.code()),
        JobState::Failed { code, detail, .. } => (*code, detail),
        other => panic!("{other:?}"),
    }
}

/// A leaf that can be set without Atomic.
fn name_job(value: &str) -> Job {
    let node = management::provider("ExampleMDM").child("EntDeviceName");
    Job::change(
        Scope::Device,
        vec![replace(Item::value(&node, Format::Chr, value))],
        vec![expect(&node, Expect::Value(value.to_owned()))],
    )
    .on_conflict(OnConflict::Switch)
}

#[test]
fn a_repeated_message_gets_the_same_answer() {
    let mut server = Server::new(vec![("root", root_job())]);
    let text = syncml::encode(&sample("30")).unwrap();
    let first = server.answer(&text);
    let events = server.events.len();
    assert_eq!(server.answer(&text), first);
    assert_eq!(server.events.len(), events, "nothing happens twice");
    assert_eq!(server.queue[0].attempts, 1);
    // The same words later are a new session of the same number.
    server.now += 3600;
    server.answer(&text);
    assert!(matches!(server.events.get(events), Some(Event::Started { resumed: true, .. })));
}

#[test]
fn three_wrong_credentials_end_the_session() {
    let mut server = Server::new(vec![("root", root_job())]);
    server.credentials = Some(server_credentials());
    let mut wrong = sample("22");
    wrong.header.msg_id = 1;
    wrong.header.cred = Some(cred::md5_cred("other", b"nonce"));
    for attempt in 1..=3 {
        wrong.header.msg_id = attempt;
        let answer = server.read(&wrong);
        let Command::Status(status) = &answer.body.commands[0] else { panic!() };
        assert_eq!(status.code.get(), 401);
        assert_eq!(status.chal.is_some(), attempt < 3);
        assert!(work(&answer).is_empty());
    }
    assert!(server.events.contains(&Event::CredentialsRefused { failures: 3, ended: true }));
    assert_eq!(*server.state("root"), JobState::Queued);
}

#[test]
fn credentials_with_the_wrong_nonce_are_asked_for_again() {
    let mut server = Server::new(vec![("name", name_job("pc"))]);
    server.credentials = Some(server_credentials());
    let mut config = config("1");
    config.credentials = Some(device_credentials(Some(b"an old nonce".to_vec())));
    let (end, messages) = server.session(config, &mut tree());
    assert!(matches!(end, Next::Ended { next_nonce: Some(_) }));
    assert_eq!((messages, server.state("name")), (5, &JobState::Verified));
}

#[test]
fn the_nonce_of_212_serves_the_next_session() {
    let mut server = Server::new(vec![]);
    server.credentials = Some(server_credentials());
    let (mut first, mut second) = (config("1"), config("2"));
    first.credentials = Some(device_credentials(None));
    let (Next::Ended { next_nonce }, 2) = server.session(first, &mut tree()) else { panic!() };
    server.nonce = [8; 16];
    second.credentials = Some(device_credentials(next_nonce));
    let (_, messages) = server.session(second, &mut tree());
    assert_eq!(messages, 1, "no challenge is needed");
}

#[test]
fn basic_credentials_are_taken_where_they_are_allowed() {
    let basic = || DeviceCredentials::Basic { user: DEVICE.into(), secret: "example-client-secret".into() };
    let mut server = Server::new(vec![]);
    let mut credentials = server_credentials();
    (credentials.md5, credentials.basic) = (false, true);
    server.credentials = Some(credentials);
    let mut one = config("1");
    one.credentials = Some(basic());
    assert!(matches!(server.session(one, &mut tree()), (Next::Ended { next_nonce: None }, 1)));
    server.credentials = Some(server_credentials());
    let mut two = config("2");
    two.credentials = Some(basic());
    assert!(matches!(server.session(two, &mut tree()), (Next::Refused(_), _)));
}

#[test]
fn another_device_and_none_are_refused() {
    for (bound, number) in [(Some("B0B1C2D3E4F5061728394A5B6C7D8E9F"), "30"), (None, "30")] {
        let mut server = Server::new(vec![("root", root_job())]);
        server.bound = bound;
        let answer = server.read(&sample(number));
        assert_eq!(codes(&answer), [(0, 403), (1, 403), (2, 403), (3, 403)]);
        assert!(server.events.iter().any(|event| matches!(event, Event::NotThisDevice { .. })));
        assert_eq!(*server.state("root"), JobState::Queued);
    }
    // It says so in DevInfo only.
    let mut server = Server::new(vec![]);
    let mut message = sample("30");
    if let Command::Request(request) = &mut message.body.commands[2] {
        request.items[0].data = Some("somebody else".into());
    }
    assert_eq!(codes(&server.read(&message))[0], (0, 403));
}

#[test]
fn package_1_again_with_msg_ref_0_has_the_lost_commands_asked_for() {
    let mut server = Server::new(vec![("root", root_job())]);
    server.read(&sample("30"));
    let mut again = sample("22");
    again.header.session_id = "1B".into();
    again.header.cred = None;
    if let Command::Status(status) = &mut again.body.commands[0] {
        (status.msg_ref, status.code) = (0, syncml::StatusCode::COMMAND_FAILED);
    }
    let answer = server.read(&again);
    assert!(server.events.contains(&Event::Refused { code: 500 }));
    let commands = work(&answer);
    assert!(matches!(commands[0], Command::Request(request) if request.verb == Verb::Get), "asked, not sent again");
    assert_eq!(commands.len(), 1);
    assert_eq!(*server.state("root"), JobState::Sent);
}

#[test]
fn results_without_msg_ref_are_taken() {
    let mut server = Server::new(vec![("scep", crate::profile::scep::query(Scope::Device, "ExampleWifiDevice"))]);
    server.read(&sample("34"));
    let mut results = sample("36");
    for command in &mut results.body.commands {
        match command {
            Command::Results(results) => (results.msg_ref, results.cmd_ref) = (None, 6),
            Command::Status(status) if status.cmd_ref == 6 => status.cmd_ref = 6,
            _ => {}
        }
    }
    server.read(&results);
    assert!(server.events.iter().any(|event| matches!(event, Event::Results { items, .. } if items.len() == 4)));
}

#[test]
fn jobs_for_the_user_wait_for_the_user_and_for_others() {
    let users = trusted_certificate::install(Scope::User, TrustStore::Ca, &wifi_root()).after([JobId::from("scep")]);
    let mut server = Server::new(vec![("users", users), ("scep", scep_job()), ("root", root_job())]);
    let mut tree = tree();
    server.session(config("1"), &mut tree);
    assert_eq!(*server.state("root"), JobState::Verified);
    assert_eq!(*server.state("scep"), JobState::Acknowledged { status: 200 });
    finish_scep(&mut tree);
    let mut nobody = config("2");
    nobody.login = LoginStatus::None;
    server.session(nobody, &mut tree);
    assert_eq!((server.state("scep"), server.state("users")), (&JobState::Verified, &JobState::Queued));
    server.session(config("3"), &mut tree);
    assert_eq!(*server.state("users"), JobState::Verified);
}

#[test]
fn a_session_for_the_user_alone_leaves_the_device_alone() {
    let users = trusted_certificate::install(Scope::User, TrustStore::Ca, &wifi_root());
    let mut server = Server::new(vec![("root", root_job()), ("users", users)]);
    let mut only = config("1");
    let mut item = Item { data: Some("user".into()), ..Item::default() };
    item.meta.kind = Some(alert::SYNC_TYPE.into());
    only.alerts.push(Alert { items: vec![item], ..Alert::plain(AlertCode::CLIENT_EVENT) });
    server.session(only, &mut tree());
    assert_eq!((server.state("root"), server.state("users")), (&JobState::Queued, &JobState::Verified));
}

#[test]
fn messages_are_kept_small_and_nothing_is_lost() {
    let jobs: Vec<(String, Job)> = (0..60)
        .map(|number| {
            let node = LocUri::device(&["Vendor", "MSFT", "WiFi", "Profile", &format!("net {number}"), "ProxyPacUrl"]);
            let text = "x".repeat(300);
            let job = Job::change(
                Scope::Device,
                vec![add(Item::value(&node, Format::Chr, text.as_str()))],
                vec![expect(&node, Expect::Value(text))],
            );
            (format!("job {number}"), job)
        })
        .collect();
    let mut server = Server::new(jobs.iter().map(|(id, job)| (id.as_str(), job.clone())).collect());
    server.limits.preferred = 6000;
    let mut tree = tree();
    let (mut device, mut message) = DeviceSession::start(config("1"));
    let mut largest = 0;
    loop {
        let answer = server.answer(&syncml::encode(&message).unwrap());
        largest = largest.max(answer.len());
        match device.receive(&syncml::decode(answer.as_bytes()).unwrap(), &mut tree) {
            Next::Send(next) => message = *next,
            _ => break,
        }
    }
    assert!((4000..6500).contains(&largest), "{largest}");
    assert!(server.queue.iter().all(|item| item.state == JobState::Verified && item.attempts == 1));
}

#[test]
fn a_command_larger_than_the_devices_messages_fails_and_the_others_go_on() {
    let mut server = Server::new(vec![("root", root_job()), ("name", name_job("pc"))]);
    server.limits.largest = 2500;
    server.session(config("1"), &mut tree());
    assert_eq!(failed(server.state("root")).0, 413);
    assert_eq!(*server.state("name"), JobState::Verified);
}

#[test]
fn answers_that_are_too_large_come_in_several_messages() {
    let nodes: Vec<LocUri> = (0..30).map(|_| uri("./DevDetail/SwV")).collect();
    let queries = nodes.iter().map(|node| get([node])).collect();
    let mut server = Server::new(vec![("many", Job::query(Scope::Device, queries))]);
    server.limits.announced = 4000;
    let (end, messages) = server.session(config("1"), &mut tree());
    assert!(matches!(end, Next::Ended { .. }) && messages > 3, "{messages}");
    assert_eq!(*server.state("many"), JobState::Verified);
    let found: usize =
        server.events.iter().map(|event| if let Event::Results { items, .. } = event { items.len() } else { 0 }).sum();
    assert_eq!(found, 30);
}

#[test]
fn a_large_object_in_parts_is_put_together() {
    let mut server = Server::new(vec![("scep", crate::profile::scep::query(Scope::Device, "ExampleWifiDevice"))]);
    server.read(&sample("34"));
    let mut part = sample("36");
    part.body.is_final = false;
    part.body.commands.truncate(3);
    let Command::Results(results) = &mut part.body.commands[2] else { panic!() };
    results.items.truncate(1);
    results.items[0].data = Some("first ".into());
    results.items[0].more_data = true;
    let answer = server.read(&part);
    assert!(matches!(work(&answer)[..], [Command::Alert(alert)] if alert.code == AlertCode::NEXT_MESSAGE));
    assert!(!answer.body.is_final);
    part.header.msg_id = 3;
    part.body.is_final = true;
    part.body.commands.remove(1);
    let Command::Results(results) = &mut part.body.commands[1] else { panic!() };
    results.items[0].data = Some("second".into());
    results.items[0].more_data = false;
    server.read(&part);
    let found =
        server.events.iter().find_map(|event| if let Event::Results { items, .. } = event { items.first() } else { None });
    assert_eq!(found.unwrap().data.as_deref(), Some("first second"));
    assert_eq!(*server.state("scep"), JobState::Verified);
}

#[test]
fn what_is_there_already_is_replaced() {
    let eap = EapTls { server_names: vec!["r".into()], trusted_roots: vec![], issuers: vec!["AB".repeat(20)], ekus: vec![] };
    let profile =
        WifiProfile { scope: Scope::Device, ssid: "Net".into(), security: Security::Wpa3, hidden: true, auto_connect: true, eap };
    let mut tree = tree();
    let node = uri("./Vendor/MSFT/WiFi/Profile/Net/WlanXml");
    tree.set(&node, "old");
    let mut server = Server::new(vec![("wifi", profile.install().unwrap()), ("name", name_job("pc"))]);
    server.session(config("1"), &mut tree);
    assert_eq!((server.state("wifi"), server.state("name")), (&JobState::Verified, &JobState::Verified));
    assert_eq!(tree.value(&node), Some(profile.wlan_xml().unwrap()));
}

#[test]
fn an_atomic_that_fails_names_what_failed() {
    let mut profile = scep_profile();
    profile.key_length = 2049;
    let mut server = Server::new(vec![("scep", profile.enroll())]);
    let mut tree = tree();
    server.session(config("1"), &mut tree);
    let (code, detail) = failed(server.state("scep"));
    assert!(code == 500 && detail.ends_with("/Install/KeyLength (0x80070057)"), "{code} {detail}");
    assert!(!tree.exists(&profile.node()));
}

#[test]
fn what_the_device_says_it_did_and_did_not_is_a_failure() {
    let mut server = Server::new(vec![("name", name_job("pc"))]);
    let mut tree = tree();
    let (mut device, first) = DeviceSession::start(config("1"));
    let commands = server.read(&first);
    let Next::Send(statuses) = device.receive(&commands, &mut tree) else { panic!() };
    let mut statuses = *statuses;
    for command in &mut statuses.body.commands {
        if let Command::Status(status) = command {
            status.code = syncml::StatusCode::OK;
        }
    }
    let proof = server.read(&statuses);
    assert_eq!(*server.state("name"), JobState::Acknowledged { status: 200 });
    let Next::Send(results) = device.receive(&proof, &mut tree) else { panic!() };
    server.read(&results);
    assert_eq!(failed(server.state("name")).0, 404);
}

#[test]
fn a_change_that_nothing_could_show_is_not_called_done() {
    let mut unproven = name_job("pc");
    unproven.proof = Proof::Get(Vec::new());
    let mut posing = name_job("pc");
    posing.proof = Proof::Results;
    for job in [unproven, posing] {
        let mut server = Server::new(vec![("name", job)]);
        server.session(config("1"), &mut tree());
        assert!(matches!(server.state("name"), JobState::Failed { why: Failure::NotShown, .. }), "{:?}", server.state("name"));
    }
}

#[test]
fn an_abort_of_the_device_ends_the_session() {
    let mut server = Server::new(vec![("root", root_job())]);
    let mut message = sample("30");
    let Command::Alert(alert) = &mut message.body.commands[0] else { panic!() };
    alert.code = AlertCode::SESSION_ABORT;
    assert!(work(&server.read(&message)).is_empty());
    assert!(server.events.contains(&Event::Ended { aborted: true }));
}

#[test]
fn a_device_that_never_answers_is_not_asked_for_ever() {
    let mut server = Server::new(vec![("all", inventory::query(Scope::Device))]);
    for session in 0..9 {
        let (_, first) = DeviceSession::start(config(&format!("s{session}")));
        server.read(&first);
    }
    assert_eq!(failed(server.state("all")), (0, "mdm.job-unanswered"));
    assert_eq!(server.queue[0].attempts, 5);
}

#[test]
fn a_job_whose_challenge_cannot_be_had_is_left_out() {
    use crate::session::server::{Facts, Limits, QueueItem, step};
    let queue = [QueueItem::new("scep", scep_job()), QueueItem::new("root", root_job())];
    let facts = Facts {
        bound_device: Some(DEVICE),
        credentials: None,
        server_url: URL,
        queue: &queue,
        limits: Limits::default(),
        digest: [0; 32],
        fresh_nonce: [0; 16],
        now: lanyard_model::time::Timestamp::from_secs(1_800_000_000),
    };
    let mut outcome = step(None, &sample("30"), &facts);
    assert_eq!(outcome.wanted.len(), 1);
    outcome.withdraw(&"scep".into());
    let answer = outcome.encode().unwrap();
    let reply: SyncMl = syncml::decode(answer.text.as_bytes()).unwrap();
    assert!(matches!(work(&reply)[..], [Command::Request(request)] if request.verb == Verb::Add));
    assert!(!answer.events.iter().any(|event| matches!(event, Event::Job { id, .. } if id.0 == "scep")));
    let unfilled = step(None, &sample("30"), &facts).encode().unwrap_err();
    assert_eq!(unfilled.code(), "mdm.unwritable");
}

#[test]
fn the_device_leaves_although_its_answer_was_lost() {
    let mut server = Server::new(vec![("bye", management::unenroll("ExampleMDM"))]);
    let mut tree = tree();
    assert!(matches!(server.session_cut(config("1"), &mut tree, 1, true), (Next::Stray, 1)));
    assert_eq!(*server.state("bye"), JobState::Sent);
    let (end, _) = server.session(config("2"), &mut tree);
    assert_eq!(end, Next::Unenroll, "it is told again");
    server.read(&DeviceSession::goodbye(config("3")));
    assert_eq!(*server.state("bye"), JobState::Verified);
}

fn many() -> Vec<(&'static str, Job)> {
    vec![
        ("root", root_job()),
        ("name", name_job("pc")),
        ("scep", scep_profile().enroll_again()),
        ("poll", {
            let schedule = |count, interval| management::Schedule { count, interval };
            let plan = management::PollPlan {
                first: schedule(8, 15),
                second: schedule(5, 60),
                remaining: schedule(0, 480),
                on_login: false,
            };
            plan.set("ExampleMDM")
        }),
        ("user", trusted_certificate::install(Scope::User, TrustStore::Ca, &wifi_root())),
        ("all", inventory::query(Scope::Device)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Wherever sessions are cut off: in the end everything is done, and nothing was called done that was not.
    #[test]
    fn sessions_cut_off_anywhere_lose_nothing(cuts in prop::collection::vec((1_usize..7, any::<bool>()), 0..4), small: bool) {
        let mut server = Server::new(many());
        if small {
            server.limits.preferred = 3000;
        }
        let mut tree = tree();
        for (number, (cut, lose_answer)) in cuts.iter().enumerate() {
            finish_scep(&mut tree);
            server.session_cut(config(&format!("cut{number}")), &mut tree, *cut, *lose_answer);
        }
        for number in 0..3 {
            finish_scep(&mut tree);
            server.session(config(&format!("{number}")), &mut tree);
        }
        for item in &server.queue {
            prop_assert_eq!(&item.state, &JobState::Verified, "{:?} after {:?}", item.id, cuts);
        }
        let name = management::provider("ExampleMDM").child("EntDeviceName");
        prop_assert_eq!(tree.value(&name), Some("pc".to_owned()));
        prop_assert!(tree.exists(&trusted_certificate::store(Scope::Device, TrustStore::Root).child(&trusted_certificate::thumbprint(&wifi_root()))));
    }

    #[test]
    fn any_messages_are_answered(messages in prop::collection::vec((0_usize..27, 1_u32..4, any::<bool>()), 1..8)) {
        let samples = crate::syncml::tests::samples();
        let mut server = Server::new(many());
        let mut tree = tree();
        for (number, msg_id, is_final) in messages {
            let mut message = syncml::decode(samples[number].1.as_bytes()).unwrap();
            message.header.session_id = "1".into();
            message.header.msg_id = msg_id;
            message.header.source.loc_uri = DEVICE.into();
            message.body.is_final = is_final;
            server.read(&message);
            let (mut device, _) = DeviceSession::start(config("1"));
            let _ = device.receive(&message, &mut tree);
        }
    }

    /// Messages with octets changed, taken out or doubled: read or refused, and answered when they are read.
    #[test]
    fn damaged_messages_do_no_harm(number in 0_usize..27, damage in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..4, "[<>/&a-z0-9]"), 1..6)) {
        let mut text = crate::syncml::tests::samples()[number].1.clone().into_bytes();
        for (place, kind, with) in damage {
            let place = place.index(text.len());
            match kind {
                0 => text[place] = with.as_bytes()[0],
                1 => {
                    text.remove(place);
                }
                2 => text.insert(place, with.as_bytes()[0]),
                _ => {
                    let end = text.len().min(place + 40);
                    let doubled = text[place..end].to_vec();
                    text.splice(place..place, doubled);
                }
            }
        }
        if let Ok(mut message) = syncml::decode(&text) {
            message.header.source.loc_uri = DEVICE.into();
            let mut server = Server::new(many());
            server.read(&message);
            let (mut device, _) = DeviceSession::start(config(&message.header.session_id.clone()));
            let _ = device.receive(&message, &mut tree());
        }
    }
}

//! The server against the written messages.

use super::pair::*;
use crate::{
    csp::{Format, Scope},
    profile::{
        job::{Expect, Job, expect, get, replace},
        management::RenewalSettings,
    },
    session::server::{Event, JobState},
    syncml::{self, Item, SyncMl, cred, tests::sample},
};

fn nonce(text: &str) -> [u8; 16] {
    cred::read_nonce(text).unwrap().try_into().unwrap()
}

fn session_a() -> Server {
    let nodes = [
        uri("./DevDetail/SwV"),
        uri("./Device/Vendor/MSFT/CertificateStore/MY/WSTEP/Renew/Status"),
        uri("./Device/Vendor/MSFT/DMClient/Provider/ExampleMDM/EntDMID"),
    ];
    let retries = uri("./Device/Vendor/MSFT/DMClient/Provider/ExampleMDM/Poll/NumberOfFirstRetries");
    let poll = Job::change(
        Scope::Device,
        vec![replace(Item::value(&retries, Format::Int, "8"))],
        vec![expect(&retries, Expect::Value("8".into()))],
    );
    let renewal = RenewalSettings { renew_period: 42, retry_interval: 4, robo: None, server_url: None };
    let mut server = Server::new(vec![
        ("inventory", Job::query(Scope::Device, vec![get(&nodes)])),
        ("poll", poll),
        ("renewal", renewal.set()),
    ]);
    server.credentials = Some(server_credentials());
    server
}

#[test]
fn session_a_is_answered_as_written() {
    let mut server = session_a();
    server.nonce = nonce("In0rlNG43VL69peLZ6W04w==");
    assert_eq!(server.read(&sample("20")), sample("21"));
    assert_eq!(*server.state("inventory"), JobState::Queued, "nothing is done before authentication");
    server.nonce = nonce("AtkvKrPt4h0xWt+hJqbX4A==");
    assert_eq!(server.read(&sample("22")), sample("23"));
    assert_eq!(server.credentials.as_ref().unwrap().nonce.as_deref(), Some(server.nonce.as_slice()));
    assert_eq!(*server.state("poll"), JobState::Sent);

    // The page ends here; this server wants to see what was changed.
    let proof = server.read(&sample("24"));
    assert_eq!(*server.state("inventory"), JobState::Verified);
    assert_eq!(*server.state("poll"), JobState::Acknowledged { status: 200 });
    assert_eq!((codes(&proof), work(&proof).len()), (vec![(0, 200)], 2));
    let (_, items) = server
        .events
        .iter()
        .find_map(|event| match event {
            Event::Results { id, items } => Some((id, items)),
            _ => None,
        })
        .unwrap();
    assert_eq!(items[0].trimmed(), "10.0.22621.3155");

    let (mut device, _) = crate::session::device::DeviceSession::start(config("1A"));
    let mut tree = tree();
    device.receive(&sample("23"), &mut tree);
    let crate::session::device::Next::Send(mut answer) = device.receive(&proof, &mut tree) else { panic!() };
    answer.header.msg_id = 4;
    let end = server.read(&answer);
    let mut wanted = sample("25");
    wanted.header.msg_id = 4;
    if let syncml::Command::Status(status) = &mut wanted.body.commands[0] {
        status.msg_ref = 4;
    }
    assert_eq!(end, wanted);
    assert_eq!((server.state("poll"), server.state("renewal")), (&JobState::Verified, &JobState::Verified));
    assert!(matches!(server.events.last(), Some(Event::Ended { aborted: false })));
}

#[test]
fn session_b_and_the_one_after_are_answered_as_written() {
    let mut server = Server::new(vec![("root", root_job()), ("scep", scep_job())]);
    assert_eq!(server.read(&sample("30")), sample("31"));
    let proof = server.read(&sample("32"));
    assert_eq!(work(&proof).len(), 2);
    assert_eq!(*server.state("scep"), JobState::Acknowledged { status: 200 });

    // The device goes away; the enrolment has ended when it comes again.
    server.queue.remove(0);
    assert_eq!(server.read(&sample("34")), sample("35"));
    let node = "./Device/Vendor/MSFT/ClientCertificateInstall/SCEP/ExampleWifiDevice";
    assert!(server.events.contains(&Event::ScepResult { node: Some(node.into()), data: "0".into() }));
    assert_eq!(server.read(&sample("36")), sample("37"));
    assert_eq!(*server.state("scep"), JobState::Verified);
}

#[test]
fn an_enrolment_that_is_pending_is_asked_for_in_the_next_session() {
    let mut server = Server::new(vec![("scep", scep_job())]);
    server.read(&sample("34"));
    let mut statuses = sample("32");
    statuses.header.session_id = "1C".into();
    statuses.body.commands.retain(|command| !matches!(command, syncml::Command::Status(status) if status.cmd_ref == 5));
    for command in &mut statuses.body.commands {
        if let syncml::Command::Status(status) = command
            && status.cmd_ref > 5
        {
            status.cmd_ref += 0;
        }
    }
    server.read(&statuses);
    let mut results = sample("36");
    results.header.msg_id = 3;
    for command in &mut results.body.commands {
        match command {
            syncml::Command::Status(status) => (status.msg_ref, status.cmd_ref) = (2, if status.cmd_ref == 0 { 0 } else { 2 }),
            syncml::Command::Results(found) => {
                (found.msg_ref, found.cmd_ref) = (Some(2), 2);
                found.items[0].data = Some("2".into());
            }
            _ => {}
        }
    }
    let end = server.read(&results);
    assert!(work(&end).is_empty());
    assert_eq!(*server.state("scep"), JobState::Acknowledged { status: 200 });
}

#[test]
fn unenrolment_by_the_server_is_done_when_the_device_says_goodbye() {
    let mut server = Server::new(vec![("bye", crate::profile::management::unenroll("ExampleMDM")), ("root", root_job())]);
    let reply: SyncMl = server.read(&{
        let mut first = sample("30");
        first.header.session_id = "24".into();
        first
    });
    assert_eq!(reply, sample("47"), "and nothing else in the same message");
    assert_eq!(*server.state("bye"), JobState::Sent);
    let end = server.read(&sample("48"));
    assert!(work(&end).is_empty());
    assert_eq!(codes(&end), [(0, 200), (1, 200), (2, 200)]);
    assert_eq!(*server.state("bye"), JobState::Verified);
    assert!(server.events.contains(&Event::Unenrolled { by_server: true }));
    assert_eq!(*server.state("root"), JobState::Queued);
}

#[test]
fn unenrolment_by_the_user_is_told() {
    let mut server = Server::new(vec![("root", root_job())]);
    server.read(&sample("48"));
    assert!(server.events.contains(&Event::Unenrolled { by_server: false }));
    assert_eq!(*server.state("root"), JobState::Queued);
}

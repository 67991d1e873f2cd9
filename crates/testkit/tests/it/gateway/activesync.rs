//! Devices: both forms of a query meet the same rule, and each version of a device reads its refusal.

use base64::{Engine, engine::general_purpose::STANDARD};
use lanyard_testkit::gateway::{client::basic, site::Builder};

use super::support::{application, echo};

const HOST: &str = "mail.example.org";
const PATH: &str = "/Microsoft-Server-ActiveSync";

fn encoded(version: u8, command: u8, id: &str, kind: &str) -> String {
    let mut octets = vec![version, command, 9, 4, u8::try_from(id.len()).unwrap()];
    octets.extend_from_slice(id.as_bytes());
    octets.extend_from_slice(&[0, u8::try_from(kind.len()).unwrap()]);
    octets.extend_from_slice(kind.as_bytes());
    STANDARD.encode(octets)
}

#[tokio::test(flavor = "multi_thread")]
async fn both_forms_of_a_query_meet_the_same_rule() {
    let back_end = echo().await;
    let rules = "kind = \"activesync\"\nother-devices = \"quarantine\"\n\
        [[application.device]]\naction = \"block\"\ndevice-type = \"OldPhone\"\n\
        [[application.device]]\naction = \"allow\"\nuser = \"alice\"\ndevice-id = \"DEV1\"\n\
        [[application.device]]\naction = \"allow\"\nuser-agent = \"Good/*\"\n";
    let gateway =
        Builder::new().sections(&application("mail", HOST, "basic", &back_end.address.to_string(), rules)).start().await;
    let client = gateway.client(None);
    let alice = basic("alice", "alicepw");
    // Device, its kind, agent; what FolderSync gets: in, blocked or in quarantine.
    for (id, kind, agent, expected) in [
        ("DEV1", "NewPhone", "x", "in"),
        ("dev1", "OldPhone", "x", "in"),
        ("DEV2", "OldPhone", "Good/1", "129"),
        ("DEV2", "NewPhone", "good/1", "in"),
        ("DEV2", "NewPhone", "x", "130"),
    ] {
        let fields = format!("{alice}User-Agent: {agent}\r\n");
        let plain = format!("{PATH}?Cmd=FolderSync&User=bob&DeviceId={id}&DeviceType={kind}");
        for (target, version) in [
            (plain.clone(), "MS-ASProtocolVersion: 14.1\r\n"),
            (plain.clone(), "MS-ASProtocolVersion: 12.1\r\n"),
            (format!("{PATH}?{}", encoded(141, 9, id, kind)), ""),
            (format!("{PATH}?{}", encoded(121, 9, id, kind)), ""),
        ] {
            let old = version.contains("12.1") || target.contains(&encoded(121, 9, id, kind));
            let answer = client.ask(HOST, "POST", &target, &format!("{fields}{version}"), b"x").await;
            let seen = match (answer.status, old) {
                (200, _) if answer.field("content-type") != Some("application/vnd.ms-sync.wbxml") => "in".to_owned(),
                (200, false) => String::from_utf8_lossy(&answer.body[9..12]).into_owned(),
                (403, true) => expected.to_owned(),
                other => panic!("{id} {kind} {agent}: {other:?} {}", answer.text()),
            };
            assert_eq!(seen, expected, "{target}");
        }
    }
    // In quarantine a device may ask what it is in, and nothing else.
    let ask = |method: &'static str, command: &'static str| {
        let target =
            if command.is_empty() { PATH.to_owned() } else { format!("{PATH}?Cmd={command}&DeviceId=DEV9&DeviceType=t") };
        let (client, alice) = (client.clone(), alice.clone());
        async move { client.ask(HOST, method, &target, &alice, &[]).await.status }
    };
    assert_eq!((ask("OPTIONS", "").await, ask("POST", "Provision").await, ask("POST", "Settings").await), (200, 200, 200));
    assert_eq!((ask("POST", "Sync").await, ask("POST", "SendMail").await), (403, 403));
    // What cannot be read meets no rule, so it goes nowhere.
    for odd in ["?Cmd=Sync&Cmd=Ping&DeviceId=DEV1", "?DeviceId=DEV1&deviceid=DEV2&Cmd=Sync", "?jAAJBP8", "?%ff%fe"] {
        assert_eq!(client.ask(HOST, "POST", &format!("{PATH}{odd}"), &alice, &[]).await.status, 400, "{odd}");
    }
    assert_eq!(client.ask(HOST, "POST", &format!("{PATH}?Cmd=Sync&DeviceId=DEV1&DeviceType=t"), "", &[]).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_stays_with_the_account_it_was_first_used_with() {
    let back_end = echo().await;
    let rules = "kind = \"activesync\"\nbindings-file = \"devices\"\n";
    let gateway =
        Builder::new().sections(&application("mail", HOST, "basic", &back_end.address.to_string(), rules)).start().await;
    let client = gateway.client(None);
    let ask = |id: &str, user: &str| {
        let (client, target) = (client.clone(), format!("{PATH}?Cmd=Sync&DeviceId={id}&DeviceType=t"));
        let fields = basic(user, &format!("{user}pw"));
        async move { client.ask(HOST, "POST", &target, &fields, &[]).await.status }
    };
    assert_eq!(ask("DEV1", "alice").await, 200);
    assert_eq!(ask("dev1", "bob").await, 403);
    assert_eq!(ask("44455631", "bob").await, 403);
    assert_eq!(ask("DEV2", "bob").await, 200);
    gateway.running.gateway.reload().unwrap();
    assert_eq!((ask("DEV1", "bob").await, ask("DEV1", "alice").await, ask("DEV2", "alice").await), (403, 200, 403));
}

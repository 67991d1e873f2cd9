//! A real ActiveSync server behind the gateway: mail by certificate, and its end in the middle of a held Ping.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use lanyard_testkit::{
    gateway::client::encode,
    programs::sogo::{PATH, Sogo},
    server::TestServer,
};

use super::state::{issue, number, people, site_of};

const HOST: &str = "mail.example.org";
const PUBLISHED: &str = "/Microsoft-Server-ActiveSync";
const FIELDS: &str = "Content-Type: application/vnd.ms-sync.wbxml\r\nMS-ASProtocolVersion: 14.1\r\n";

fn inline(token: u8, text: &str) -> Vec<u8> {
    [&[token, 0x03], text.as_bytes(), &[0x00, 0x01]].concat()
}

fn folder_sync() -> Vec<u8> {
    [b"\x03\x01\x6a\x00\x00\x07\x56".to_vec(), inline(0x52, "0"), vec![0x01]].concat()
}

fn sync(folder: &str) -> Vec<u8> {
    [b"\x03\x01\x6a\x00\x45\x5c\x4f".to_vec(), inline(0x4b, "0"), inline(0x52, folder), vec![0x01; 3]].concat()
}

fn ping(seconds: u32, folder: &str) -> Vec<u8> {
    let begin = [b"\x03\x01\x6a\x00\x00\x0d\x45".to_vec(), inline(0x48, &seconds.to_string()), vec![0x49, 0x4a]].concat();
    [begin, inline(0x4b, folder), inline(0x4c, "Contacts"), vec![0x01; 3]].concat()
}

fn encoded(command: u8, device: &str) -> String {
    let mut octets = vec![141, command, 9, 4, u8::try_from(device.len()).unwrap()];
    octets.extend_from_slice(device.as_bytes());
    octets.extend_from_slice(&[0, 10]);
    octets.extend_from_slice(b"SmartPhone");
    STANDARD.encode(octets)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_reads_mail_by_certificate_and_a_lost_one_is_cut_off_mid_ping() {
    let sogo = Sogo::start(&["alice", "bob"]).await;
    let server = TestServer::start().await;
    people(&server).await;
    let alice = issue(&server, 0, "alice", "phone-a").await;
    let serial = alice.certificate.serial().unwrap().to_string();
    let more = format!("paths = [\"{PUBLISHED}\"]\nback-end-path = \"{PATH}\"\n");
    let gateway = site_of(&server, sogo.address, &more).await;
    let client = gateway.client(Some(&alice));
    let mut phone = client.connect(HOST).await.unwrap();

    let options = phone.ask(HOST, "OPTIONS", PUBLISHED, "", &[]).await.unwrap();
    assert_eq!(options.status, 200, "{}\n{}", options.text(), sogo.logged());
    assert!(options.field("ms-asprotocolversions").unwrap_or_default().contains("14.1"));
    // Somebody without a certificate is asked for a password and sees nothing of the server behind.
    let nobody = gateway.client(None).ask(HOST, "OPTIONS", PUBLISHED, "x-webobjects-remote-user: alice\r\n", &[]).await;
    assert_eq!((nobody.status, nobody.field("ms-asprotocolversions")), (401, None));

    let plain = format!("{PUBLISHED}?Cmd=FolderSync&User=alice&DeviceId=LABDEV1&DeviceType=SmartPhone");
    let in_base64 = format!("{PUBLISHED}?{}", encoded(9, "LABDEV2"));
    for target in [&plain, &in_base64] {
        let answer = phone.ask(HOST, "POST", target, FIELDS, &folder_sync()).await.unwrap();
        assert_eq!(answer.status, 200, "{target}: {}\n{}\n{}", answer.text(), gateway.running.gateway.render(), sogo.logged());
        // Status 1, and folders.
        assert!(answer.body.starts_with(b"\x03\x01\x6a\x00\x00\x07\x56\x4c\x031\x00\x01"), "{target}: {:?}", answer.body);
        assert!(answer.body.windows(8).any(|w| w == b"personal"), "{target}");
    }

    let command = |name: &str| format!("{PUBLISHED}?Cmd={name}&User=alice&DeviceId=LABDEV1&DeviceType=SmartPhone");
    let first = phone.ask(HOST, "POST", &command("Sync"), FIELDS, &sync("vcard/personal")).await.unwrap();
    assert_eq!(first.status, 200, "{}", sogo.logged());
    // A short Ping is held for its time and answered.
    let before = Instant::now();
    let held = phone.ask(HOST, "POST", &command("Ping"), FIELDS, &ping(10, "vcard/personal")).await.unwrap();
    assert_eq!(held.status, 200, "{}", sogo.logged());
    assert!(before.elapsed() >= Duration::from_secs(9), "{:?}: {:?}", before.elapsed(), held.body);

    let fields = format!("Host: {HOST}\r\n{FIELDS}");
    phone.send(&encode("POST", &command("Ping"), &fields, &ping(600, "vcard/personal"))).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = Instant::now();
    server.admin.revoke(&serial, "keyCompromise").await;
    phone.ended().await;
    assert!(before.elapsed() < Duration::from_secs(3), "{:?}", before.elapsed());
    assert_eq!(number(&client.ask(HOST, "OPTIONS", PUBLISHED, "", &[]).await), "403.13");
}

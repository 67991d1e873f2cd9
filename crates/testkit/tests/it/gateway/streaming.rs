//! What goes through: lengths, chunks, slow and large bodies, held requests, odd statuses, back ends that fail.

use std::time::{Duration, Instant};

use lanyard_testkit::{
    gateway::{
        client::{basic, encode},
        pki,
        site::{Builder, TestGateway},
    },
    wait::until,
};

use super::{
    back_end::{BackEnd, Seen},
    support::{BY_HEADER, application},
};

const HOST: &str = "mail.example.org";

async fn gateway(back_end: &BackEnd, mode: &str, more: &str) -> TestGateway {
    let text = application("mail", HOST, mode, &back_end.address.to_string(), more);
    Builder::new().sections(&text).start().await
}

fn ok(_: &Seen) -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn lengths_stay_lengths_and_chunks_stay_chunks() {
    let back_end = BackEnd::start(ok).await;
    let gateway = gateway(&back_end, "none", "max-body = 1000000").await;
    let mut connection = gateway.client(None).connect(HOST).await.unwrap();
    for (body, length) in [(vec![], Some("0")), (vec![b'x'; 100_000], Some("100000"))] {
        assert_eq!(connection.ask(HOST, "POST", "/", "", &body).await.unwrap().status, 200);
        let seen = back_end.last();
        assert_eq!((seen.field("content-length"), seen.body.len()), (length, body.len()));
        assert_eq!(seen.field("transfer-encoding"), None);
    }
    let chunked = format!(
        "POST / HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Remote-User: mallory\r\n\r\n"
    );
    connection.send(chunked.as_bytes()).await.unwrap();
    assert_eq!(connection.answer().await.unwrap().status, 200);
    let seen = back_end.last();
    assert_eq!((seen.body.as_slice(), seen.field("content-length"), seen.field("x-remote-user")), (&b"abcde"[..], None, None));
    assert!(seen.text.contains("transfer-encoding: chunked") && !seen.text.to_lowercase().contains("mallory"), "{}", seen.text);
    // One connection to the back end served them all.
    assert_eq!(back_end.connections(), 1);
    // Waiting for 100 ends once the gateway knows who it is, and is the gateway's matter.
    connection
        .send(format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n").as_bytes())
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    connection.send(b"abc").await.unwrap();
    assert_eq!(connection.answer().await.unwrap().status, 200);
    assert_eq!(back_end.last().field("expect"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_early_and_on_the_way() {
    let back_end = BackEnd::start(ok).await;
    let gateway = gateway(&back_end, "basic", &format!("max-body = 10000\n{BY_HEADER}")).await;
    let client = gateway.client(None);
    let alice = basic("alice", "alicepw");
    assert_eq!(client.ask(HOST, "POST", "/", &alice, &[0; 10_000]).await.status, 200);
    let head = format!("POST / HTTP/1.1\r\nHost: {HOST}\r\n{alice}Content-Length: 10001\r\n\r\n");
    assert_eq!(client.raw(HOST, head.as_bytes()).await.status, 413);
    let mut chunked = format!("POST / HTTP/1.1\r\nHost: {HOST}\r\n{alice}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for _ in 0..11 {
        chunked.extend_from_slice(b"3e8\r\n");
        chunked.extend_from_slice(&[b'x'; 1000]);
        chunked.extend_from_slice(b"\r\n");
    }
    assert_eq!(client.raw(HOST, &chunked).await.status, 413);
    // Nobody's body is not even waited for.
    let head = format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nExpect: 100-continue\r\nContent-Length: 5000\r\n\r\n");
    assert_eq!(client.raw(HOST, head.as_bytes()).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_has_two_meanings_is_answered_400_and_reaches_no_back_end() {
    let back_end = BackEnd::start(ok).await;
    let gateway = gateway(&back_end, "none", "").await;
    let client = gateway.client(None);
    let hidden = "GET /hidden HTTP/1.1\r\nHost: mail.example.org\r\n\r\n";
    for fields in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Content-Length: 4\r\nContent-Length: 4\r\n",
        "Content-Length: 4, 4\r\n",
        "Content-Length: +4\r\n",
        "Content-Length: 0x4\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: \x0bchunked\r\n",
        "Transfer-Encoding:\tchunked\r\nTransfer-Encoding: x\r\n",
        "Transfer-Encoding : chunked\r\n",
        "X: y\r\n Transfer-Encoding: chunked\r\n",
        "X: y\nTransfer-Encoding: chunked\r\n",
        "Host: other.example.org\r\n",
    ] {
        let text = format!("POST /x HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n0\r\n\r\n{hidden}");
        assert_eq!(client.raw(HOST, text.as_bytes()).await.status, 400, "{fields:?}");
    }
    assert_eq!(back_end.seen().len(), 0);
    // Bad chunks end the connection; what follows is never a request.
    for chunks in ["4\nabcd\r\n0\r\n\r\n", "4\r\nabcde\r\n0\r\n\r\n", "-4\r\nabcd\r\n", "4;\x01\r\nabcd\r\n0\r\n\r\n"] {
        let text = format!("POST /x HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}{hidden}");
        let mut connection = client.connect(HOST).await.unwrap();
        connection.send(text.as_bytes()).await.unwrap();
        let answer = connection.answer().await;
        assert!(answer.as_ref().map_or(true, |a| a.status >= 400), "{chunks:?}: {answer:?}");
    }
    assert!(!back_end.seen().iter().any(|seen| seen.text.contains("hidden") || seen.path == "/hidden"));
}

#[tokio::test(flavor = "multi_thread")]
async fn statuses_of_activesync_pass_with_their_phrases_and_addresses_are_those_outside() {
    let back_end = BackEnd::start(|seen| {
        let (line, fields) = match seen.path.as_str() {
            "/SOGo/eas/449" => ("449 Retry after sending a PROVISION command", "X-MS-RP: 14.1\r\n".to_owned()),
            "/SOGo/eas/451" => ("451 Redirect", format!("X-MS-Location: http://{}/SOGo/eas?x=y\r\n", seen.host())),
            "/SOGo/eas/456" => ("456 Blocked", String::new()),
            "/SOGo/eas/457" => ("457 Password expired", "X-MS-Credentials-Expire: 1\r\n".to_owned()),
            "/SOGo/eas/302" => ("302 Found", "Location: /SOGo/eas/there\r\n".to_owned()),
            _ => ("301 Moved", "Location: https://elsewhere.example.com/a\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nConnection: x-own\r\nX-Own: 1\r\n".to_owned()),
        };
        format!("HTTP/1.1 {line}\r\n{fields}Content-Length: 0\r\n\r\n").into_bytes()
    })
    .await;
    let gateway = gateway(&back_end, "none", "paths = [\"/eas\"]\nback-end-path = \"/SOGo/eas\"\nkeep-host = false").await;
    let client = gateway.client(None);
    for (status, phrase) in
        [(449, "449 Retry after sending a PROVISION command"), (456, "456 Blocked"), (457, "457 Password expired")]
    {
        let mut connection = client.connect(HOST).await.unwrap();
        connection.send(&encode("GET", &format!("/eas/{status}"), &format!("Host: {HOST}\r\n"), &[])).await.unwrap();
        let line = connection.first_line().await;
        assert_eq!(line, format!("HTTP/1.1 {phrase}"));
    }
    let port = gateway.address.port();
    let moved = client.ask(HOST, "GET", "/eas/451", "", &[]).await;
    assert_eq!((moved.status, moved.field("x-ms-location")), (451, Some(format!("https://{HOST}/eas?x=y").as_str())));
    let with_port =
        client.raw(HOST, &encode("GET", "/eas/451", &format!("Host: {HOST}:{port}\r\nConnection: close\r\n"), &[])).await;
    assert_eq!(with_port.field("x-ms-location"), Some(format!("https://{HOST}:{port}/eas?x=y").as_str()));
    assert_eq!(client.get(HOST, "/eas/302", "").await.field("location"), Some("/eas/there"));
    let elsewhere = client.get(HOST, "/eas/x", "").await;
    assert_eq!(elsewhere.field("location"), Some("https://elsewhere.example.com/a"));
    assert_eq!(elsewhere.fields.iter().filter(|(n, _)| n == "set-cookie").count(), 2);
    assert_eq!(elsewhere.field("x-own"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_request_outlives_reloads_and_ends_at_the_back_end_when_its_client_goes() {
    let back_end = BackEnd::start(|seen| if seen.path.contains("Ping") { Vec::new() } else { ok(seen) }).await;
    let more = format!("kind = \"activesync\"\npaths = [\"/Microsoft-Server-ActiveSync\"]\n{BY_HEADER}");
    let gateway = gateway(&back_end, "certificate", &more).await;
    let alice = gateway.authority.issue(&pki::client("alice", &["upn:alice@corp.test"]));
    let ping = encode("POST", "/Microsoft-Server-ActiveSync?Cmd=Ping&DeviceId=d&DeviceType=t", &format!("Host: {HOST}\r\n"), &[]);
    let client = gateway.client(Some(&alice));
    let mut waiting = client.connect(HOST).await.unwrap();
    waiting.send(&ping).await.unwrap();
    until("the held request", || async { (back_end.open() == 1).then_some(()) }).await;
    gateway.change("kind = \"activesync\"", "kind = \"activesync\"\nrealm = \"Mail\"").unwrap();
    back_end.say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone".to_vec()).await;
    assert_eq!(waiting.answer().await.unwrap().body, b"done");
    waiting.send(&ping).await.unwrap();
    until("the held request", || async { (back_end.open() == 1).then_some(()) }).await;
    drop(waiting);
    let before = Instant::now();
    until("the end of it at the back end", || async { (back_end.open() == 0).then_some(()) }).await;
    assert!(before.elapsed() < Duration::from_secs(5));
    // A stop does not wait for an hour.
    let mut waiting = client.connect(HOST).await.unwrap();
    waiting.send(&ping).await.unwrap();
    until("the held request", || async { (back_end.open() == 1).then_some(()) }).await;
    gateway.change("listen = [", "limits = { grace = \"1s\" }\nlisten = [").unwrap();
    let before = Instant::now();
    gateway.running.stop().await;
    waiting.ended().await;
    assert!(before.elapsed() < Duration::from_secs(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_share_a_connection_and_never_an_identity() {
    let back_end = BackEnd::start(|seen| {
        let user = seen.field("x-webobjects-remote-user").unwrap_or_default().to_owned();
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{user}", user.len()).into_bytes()
    })
    .await;
    let gateway = gateway(&back_end, "certificate-else-basic", BY_HEADER).await;
    let alice = gateway.authority.issue(&pki::client("alice", &["upn:alice@corp.test"]));
    let (with, without) = (gateway.client(Some(&alice)), gateway.client(None));
    let (mut one, mut other) = (with.connect(HOST).await.unwrap(), without.connect(HOST).await.unwrap());
    for _ in 0..20 {
        assert_eq!(one.ask(HOST, "GET", "/", "", &[]).await.unwrap().body, b"alice");
        assert_eq!(other.ask(HOST, "GET", "/", &basic("bob", "bobpw"), &[]).await.unwrap().body, b"bob");
        assert_eq!(other.ask(HOST, "GET", "/", "", &[]).await.unwrap().status, 401);
    }
    assert_eq!(back_end.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_is_sent_once_and_a_back_end_that_fails_is_an_outage() {
    let back_end = BackEnd::start(|seen| if seen.path == "/cut" { b"cut".to_vec() } else { ok(seen) }).await;
    let gone = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let address = back_end.address;
    let text = format!(
        "[[application]]\nname = \"mail\"\nhosts = [\"{HOST}\"]\nmode = \"none\"\nback-ends = [\"http://{gone}\", \"http://{address}\"]\n\
         [[application]]\nname = \"gone\"\nhosts = [\"other.example.org\"]\nmode = \"none\"\nback-ends = [\"http://{gone}\"]\n\
         [[application]]\nname = \"slow\"\nhosts = [\"basic.example.org\"]\nmode = \"none\"\nback-ends = [\"http://{address}\"]\nanswer-timeout = \"1s\"\n\
         [[application]]\nname = \"strict\"\nhosts = [\"certificate.example.org\"]\nmode = \"certificate\"\ntrust = [\"staff\"]\naccounts = \"people\"\nback-ends = [\"http://{address}\"]\n"
    );
    let gateway = Builder::new().sections(&text).start().await;
    let client = gateway.client(None);
    // Of two back ends one is gone: everything reaches the other.
    for _ in 0..6 {
        assert_eq!(client.ask(HOST, "POST", "/", "", b"mail").await.status, 200);
    }
    assert_eq!(client.get("other.example.org", "/", "").await.status, 502);
    // The back end reads a mail and goes without a word: it may have been delivered.
    let before = back_end.seen().len();
    assert_eq!(client.ask(HOST, "POST", "/cut", "", b"mail").await.status, 502);
    assert_eq!(back_end.seen().len(), before + 1);
    back_end.now(|_| Vec::new());
    assert_eq!(client.get("basic.example.org", "/", "").await.status, 504);
    // Whoever came with a certificate is never asked for a password, whatever the back end says.
    back_end.now(|_| b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n".to_vec());
    let alice = gateway.authority.issue(&pki::client("alice", &["upn:alice@corp.test"]));
    let answer = gateway.client(Some(&alice)).get("certificate.example.org", "/", "").await;
    assert_eq!((answer.status, answer.field("www-authenticate")), (502, None));
}

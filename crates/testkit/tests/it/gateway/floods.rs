//! HTTP/2 as attackers speak it: cut off within seconds, while others are served.

use std::time::{Duration, Instant};

use lanyard_testkit::gateway::{
    client::Client,
    site::{Builder, TestGateway},
};

use super::support::{application, echo};

const HOST: &str = "none.example.org";
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn settings() -> Vec<u8> {
    [PREFACE.to_vec(), frame(4, 0, 0, &[])].concat()
}

/// GET / of the host, every field literal (RFC 7541, section 6.2.2).
fn get() -> Vec<u8> {
    let mut block = vec![0x82, 0x87, 0x84, 0x01, u8::try_from(HOST.len()).unwrap()];
    block.extend_from_slice(HOST.as_bytes());
    block
}

/// The error code of the last GOAWAY frame.
fn goaway(octets: &[u8]) -> Option<u32> {
    let (mut at, mut found) = (0, None);
    while let Some(head) = octets.get(at..at + 9) {
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let payload = octets.get(at + 9..at + 9 + length)?;
        if head[3] == 7 {
            found = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
        at += 9 + length;
    }
    found
}

async fn flooded(gateway: &TestGateway, what: &str, frames: Vec<u8>) {
    let attacker: Client = gateway.client(None).http2();
    let mut connection = attacker.connect(HOST).await.unwrap();
    let before = Instant::now();
    // The other side may be gone before everything is sent.
    let _ = connection.send(&[settings(), frames].concat()).await;
    let answer = connection.rest().await;
    assert!(before.elapsed() < Duration::from_secs(5), "{what}: {:?}", before.elapsed());
    let code = goaway(&answer);
    assert!(code.is_none_or(|code| code != 0), "{what}: {code:?}");
    assert_eq!(gateway.client(None).get(HOST, "/", "").await.status, 200, "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn floods_of_http_2_end_their_connection_and_no_other() {
    let back_end = echo().await;
    let gateway = Builder::new().sections(&application("app", HOST, "none", &back_end.address.to_string(), "")).start().await;
    // A request that is one is answered.
    let mut honest = gateway.client(None).http2().connect(HOST).await.unwrap();
    honest.send(&[settings(), frame(1, END_STREAM | END_HEADERS, 1, &get())].concat()).await.unwrap();
    honest.first_octets(9).await;

    let resets: Vec<u8> = (0..2000_u32)
        .flat_map(|n| {
            [frame(1, END_STREAM | END_HEADERS, 2 * n + 1, &get()), frame(3, 0, 2 * n + 1, &8_u32.to_be_bytes())].concat()
        })
        .collect();
    flooded(&gateway, "streams that are reset at once", resets).await;

    let mut continued = frame(1, END_STREAM, 1, &get());
    for n in 0..4000 {
        let field = format!("x-{n:05}");
        let block = [&[0x00, u8::try_from(field.len()).unwrap()], field.as_bytes(), &[0x01, b'a']].concat();
        continued.extend(frame(9, 0, 1, &block));
    }
    flooded(&gateway, "a head without an end", continued).await;

    flooded(&gateway, "a frame that is too large", frame(0, 0, 1, &vec![0; 20_000])).await;
    flooded(&gateway, "data for a stream that was never opened", frame(0, 0, 7, b"x")).await;
    flooded(&gateway, "a window that overflows", frame(8, 0, 0, &0x7fff_ffff_u32.to_be_bytes())).await;
    flooded(&gateway, "a stream of an even number", frame(1, END_STREAM | END_HEADERS, 2, &get())).await;
    flooded(&gateway, "an odd index", frame(1, END_STREAM | END_HEADERS, 1, &[0xff, 0xff, 0xff, 0xff, 0x0f])).await;
}

/// What HTTP/1 has no place for does not come in by HTTP/2.
#[tokio::test(flavor = "multi_thread")]
async fn fields_that_would_be_two_requests_in_http_1_are_refused() {
    let back_end = echo().await;
    let gateway = Builder::new().sections(&application("app", HOST, "none", &back_end.address.to_string(), "")).start().await;
    let literal = |name: &str, value: &[u8]| {
        let length = |n: usize| u8::try_from(n).unwrap();
        [&[0x00, length(name.len())], name.as_bytes(), &[length(value.len())], value].concat()
    };
    for (name, value) in [
        ("x", &b"a\r\nX-Remote-User: mallory"[..]),
        ("x", b"a\0b"),
        ("x", b" a"),
        ("x", b"a\t"),
        ("x: y", b"a"),
        ("X-Upper", b"a"),
        ("", b"a"),
        ("transfer-encoding", b"chunked"),
        ("connection", b"x"),
        ("host", b"other.example.org"),
        (":path", b"/again"),
        ("content-length", b"5"),
    ] {
        let mut connection = gateway.client(None).http2().connect(HOST).await.unwrap();
        let block = [get(), literal(name, value)].concat();
        connection.send(&[settings(), frame(1, END_STREAM | END_HEADERS, 1, &block)].concat()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    let asked = back_end.asked();
    assert!(asked.is_empty(), "{:?}", asked.iter().map(|a| &a.fields).collect::<Vec<_>>());
}

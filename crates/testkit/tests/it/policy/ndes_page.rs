//! The NDES-compatible page: off, over HTTPS, with a token, bound, and word for word what tools look for.

use std::net::SocketAddr;

use base64::{Engine, engine::general_purpose::STANDARD};
use lanyard_model::time::Span;
use lanyard_testkit::{
    http::{self, Response, encode},
    keys::rsa,
    programs::postgres::Postgres,
    scep::{device::Device, endpoint::Endpoint},
    server::{Builder, TestServer},
};
use serde_json::json;

use super::{remote::token, with_profile};

const PAGE: &str = "/certsrv/mscep_admin/";

async fn start() -> TestServer {
    builder().start().await
}

fn builder() -> Builder {
    let table = "[ndes-page]\ntemplate = \"wifi\"\npassword-max = 2\npassword-validity = \"10m\"\n";
    with_profile(TestServer::builder(), "gear", table)
}

async fn get(server: &TestServer, token: &str, query: &str) -> Response {
    get_at(server.https, server, token, query).await
}

async fn get_at(address: SocketAddr, server: &TestServer, token: &str, query: &str) -> Response {
    let fields = format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("whoever:{token}")));
    http::tls(address, &server.site.root, &encode("GET", &format!("{PAGE}?{query}"), &fields, &[])).await
}

/// As a strict scraper reads it.
fn utf16(response: &Response) -> String {
    assert_eq!(
        (response.status, response.field("content-type")),
        (200, Some("text/html; charset=utf-16le")),
        "{}",
        response.text()
    );
    assert_eq!(response.field("cache-control"), Some("no-store"));
    assert!(response.body.len().is_multiple_of(2));
    let units: Vec<u16> = response.body.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    String::from_utf16(&units).expect("UTF-16")
}

fn scrape(page: &str) -> String {
    let (_, rest) = page.split_once("The enrollment challenge password is: <B> ").expect("the words that tools look for");
    rest.split_whitespace().next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_reads_a_challenge_that_is_bound_to_what_it_asked_for() {
    let server = start().await;
    let mint = json!({ "role": "mint", "profiles": ["gear"], "templates": ["wifi"], "description": "the tool" });
    let token = token(&server, mint).await.0;
    let page =
        utf16(&get(&server, &token, "profile=gear&subject=CN%3Dswitch-1%2CO%3DExample&san=dns%3Aswitch-1.example.org").await);
    let challenge = scrape(&page);
    assert_eq!(challenge.len(), 106);
    assert!(challenge.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F')));
    let endpoint = Endpoint::at(server.http, "gear").await;
    let ask = |name: &str, text: &str, n: usize| {
        let mut device = Device::new(rsa(n), &format!("CN={name},O=Example")).challenge(text);
        device.info.san = vec!["dns:switch-1.example.org".parse().unwrap()];
        device
    };
    // Another spelling of the text is another text.
    endpoint.enrol(&ask("switch-1", &challenge.to_lowercase(), 0)).await.assert_refused("2");
    endpoint.enrol(&ask("switch-1", &challenge, 0)).await.assert_issued();
    endpoint.enrol(&ask("switch-1", &challenge, 1)).await.assert_refused("2");
    let other = scrape(&utf16(&get(&server, &token, "profile=gear&subject=CN%3Dswitch-2%2CO%3DExample").await));
    endpoint.enrol(&ask("domain-admin", &other, 1)).await.assert_refused("2");
    let elsewhere = scrape(&utf16(&get(&server, &token, "profile=gear&subject=CN%3Dswitch-3%2CO%3DExample").await));
    let default = Endpoint::of(&server).await;
    default.enrol(&Device::new(rsa(2), "CN=switch-3,O=Example").challenge(&elsewhere)).await.assert_refused("2");
    assert_eq!(server.admin.certificates().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_nodes_together_hold_as_many_as_the_cache_does() {
    let server = builder().database(Postgres::shared().database()).start().await;
    let other = server.further().await;
    let token = token(&server, json!({ "role": "administrator", "description": "Ann" })).await.0;
    let ask = async |address: SocketAddr, n: usize| {
        utf16(&get_at(address, &server, &token, &format!("profile=gear&subject=CN%3Dswitch-{n}%2CO%3DExample")).await)
    };
    let first = scrape(&ask(server.https, 1).await);
    scrape(&ask(other.https, 2).await);
    for address in [server.https, other.https] {
        assert!(ask(address, 3).await.contains("The password cache is full."));
    }
    let endpoint = Endpoint::at(other.http, "gear").await;
    endpoint.enrol(&Device::new(rsa(0), "CN=switch-1,O=Example").challenge(&first)).await.assert_issued();
    scrape(&ask(server.https, 3).await);
    assert!(ask(other.https, 4).await.contains("The password cache is full."));
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_are_unused_as_the_cache_holds() {
    let server = start().await;
    let token = token(&server, json!({ "role": "administrator", "description": "Ann" })).await.0;
    let ask = async |n: usize| utf16(&get(&server, &token, &format!("profile=gear&subject=CN%3Dswitch-{n}%2CO%3DExample")).await);
    let first = scrape(&ask(1).await);
    scrape(&ask(2).await);
    assert!(ask(3).await.contains("The password cache is full."));
    let endpoint = Endpoint::at(server.http, "gear").await;
    endpoint.enrol(&Device::new(rsa(0), "CN=switch-1,O=Example").challenge(&first)).await.assert_issued();
    scrape(&ask(3).await);
    assert!(ask(4).await.contains("The password cache is full."));
    server.advance(Span::from_secs(601));
    scrape(&ask(4).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_shut_to_everybody_else() {
    let server = start().await;
    let query = "profile=gear&subject=CN%3Da%2CO%3DExample";
    let mint = json!({ "role": "mint", "profiles": ["default"], "templates": ["wifi"], "description": "another tool" });
    let other = token(&server, mint).await.0;
    assert!(utf16(&get(&server, &other, query).await).contains("You do not have sufficient permission to enroll with SCEP."));
    let refused = get(&server, "LT1.aaaa.bbbb", query).await;
    assert_eq!(refused.status, 401);
    assert!(refused.field("www-authenticate").is_some_and(|f| f.starts_with("Basic ")));
    let nobody = http::tls(server.https, &server.site.root, &encode("GET", &format!("{PAGE}?{query}"), "", &[])).await;
    assert_eq!(nobody.status, 401);
    let ann = token(&server, json!({ "role": "administrator", "description": "Ann" })).await.0;
    // Over plain HTTP, for profiles without a page, and with names nobody knows.
    assert_eq!(http::get(server.http, &format!("{PAGE}?{query}")).await.status, 403);
    assert_eq!(http::get(server.http, "/certsrv/mscep_admin").await.status, 403);
    assert_eq!(get(&server, &ann, "subject=CN%3Da%2CO%3DExample").await.status, 404);
    assert_eq!(get(&server, &ann, "profile=nowhere").await.status, 404);
    assert_eq!(get(&server, &ann, &format!("{query}&template=tls-server")).await.status, 400);
    assert_eq!(get(&server, &ann, "profile=gear").await.status, 422, "a challenge without a name binds nothing");
}

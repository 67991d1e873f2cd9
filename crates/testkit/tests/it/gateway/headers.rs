//! Who somebody is, is said by the gateway alone.

use lanyard_testkit::{
    gateway::{
        client::{basic, encode},
        pki,
    },
    service::Asked,
};

use super::support::{all_modes, echo};

/// Fields that some back end takes for an identity.
const FIELDS: [&str; 12] = [
    "x-webobjects-remote-user",
    "Remote-User",
    "X-Remote-User",
    "Client-Cert",
    "Client-Cert-Chain",
    "X-SSL-Client-Cert",
    "X-SSL-Client-S-DN",
    "X-Forwarded-Client-Cert",
    "X-ARR-ClientCert",
    "X-Forwarded-Tls-Client-Cert-Info",
    "X-Forwarded-For",
    "Forwarded",
];

/// A field in many spellings: case, what separates the words, spaces around the value.
fn spellings(name: &str) -> Vec<String> {
    let cases: [fn(&str) -> String; 4] = [str::to_owned, str::to_uppercase, str::to_lowercase, |name| {
        name.char_indices().map(|(i, c)| if i % 2 == 0 { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }).collect()
    }];
    let mut all = Vec::new();
    for case in cases {
        for separator in ["-", "_", ".", "~", "!", "+"] {
            for value in ["mallory", " mallory ", "alice"] {
                all.push(format!("{}:{value}\r\n", case(name).replace('-', separator)));
            }
        }
    }
    all
}

fn folded(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

/// The values under a name, as the least careful back end reads names.
fn values(asked: &Asked, name: &str) -> Vec<String> {
    asked.fields.iter().filter(|(n, _)| folded(n) == folded(name)).map(|(_, v)| v.clone()).collect()
}

const OURS: &str = "delegation = { kind = \"header\", header = \"x-webobjects-remote-user\" }\nclient-cert = true";

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_of_an_identity_field_passes() {
    let back_end = echo().await;
    let gateway = all_modes(&back_end.address.to_string(), OURS).start().await;
    let bob = gateway.authority.issue(&pki::client("bob", &["upn:bob@corp.test"]));
    let with = gateway.client(Some(&bob));
    let mut by_certificate = with.connect("certificate.example.org").await.unwrap();
    let nobody = gateway.client(None);
    let mut by_password = nobody.connect("basic.example.org").await.unwrap();
    let mut by_nothing = nobody.connect("none.example.org").await.unwrap();
    for name in FIELDS {
        let spellings = spellings(name);
        assert!(spellings.len() >= 60);
        for spelling in spellings.iter().step_by(5).chain([&spellings[0].repeat(2)]) {
            back_end.forget();
            let answer = by_certificate.ask("certificate.example.org", "GET", "/", spelling, &[]).await.unwrap();
            assert_eq!(answer.status, 200);
            let fields = format!("{spelling}{}", basic("bob", "bobpw"));
            assert_eq!(by_password.ask("basic.example.org", "GET", "/", &fields, &[]).await.unwrap().status, 200);
            assert_eq!(by_nothing.ask("none.example.org", "GET", "/", spelling, &[]).await.unwrap().status, 200);
            for asked in back_end.asked() {
                let seen = values(&asked, name);
                assert!(!seen.iter().any(|v| v.contains("mallory") || v.contains("alice")), "{spelling:?}: {:?}", asked.fields);
                let user = values(&asked, "x-webobjects-remote-user");
                assert!(user.is_empty() || user == ["bob"], "{:?}", asked.fields);
            }
            let users = back_end.asked().iter().filter(|a| values(a, "x-webobjects-remote-user") == ["bob"]).count();
            assert_eq!(users, 2);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connection_lists_trailers_and_authorization_take_nothing_in_and_nothing_away() {
    let back_end = echo().await;
    let gateway = all_modes(&back_end.address.to_string(), OURS).start().await;
    let bob = gateway.authority.issue(&pki::client("bob", &["upn:bob@corp.test"]));
    let client = gateway.client(Some(&bob));
    // What the gateway adds cannot be named away, nor can its length.
    for listed in
        ["x-webobjects-remote-user", "X-Forwarded-For, client-cert", "close, X-WebObjects-Remote-User", "host", "content-length"]
    {
        back_end.forget();
        let octets = encode(
            "POST",
            "/",
            &format!("Host: certificate.example.org\r\nConnection: {listed}\r\nConnection: close\r\n"),
            b"abc",
        );
        let answer = client.raw("certificate.example.org", &octets).await;
        if answer.status == 400 {
            continue;
        }
        let asked = back_end.asked().remove(0);
        assert_eq!(values(&asked, "x-webobjects-remote-user"), ["bob"], "{listed}");
        assert_eq!(values(&asked, "x-forwarded-for"), ["127.0.0.1"], "{listed}");
        assert!(values(&asked, "client-cert")[0].starts_with(":MII"), "{listed}");
        assert_eq!(asked.body, b"abc");
        assert!(values(&asked, "connection").is_empty());
    }
    // Fields that are listed are for the gateway only.
    back_end.forget();
    client
        .ask(
            "certificate.example.org",
            "GET",
            "/",
            "Connection: x-own\r\nX-Own: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\n",
            &[],
        )
        .await;
    let asked = back_end.asked().remove(0);
    for gone in ["x-own", "keep-alive", "te", "upgrade"] {
        assert!(values(&asked, gone).is_empty(), "{gone}");
    }
    // A password that nobody asked for goes no further.
    back_end.forget();
    client.ask("certificate.example.org", "GET", "/", &basic("mallory", "x"), &[]).await;
    client.ask("certificate.example.org", "GET", "/", "Authorization: Negotiate YII\r\n", &[]).await;
    gateway.client(None).get("none.example.org", "/", "Authorization: NTLM TlRMTVNT\r\n").await;
    assert!(back_end.asked().iter().all(|asked| values(asked, "authorization").is_empty()));
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_go_on_or_are_replaced_as_the_application_says() {
    let back_end = echo().await;
    let address = back_end.address.to_string();
    let gateway = all_modes(&address, "").sections(&super::support::application(
        "mail",
        "mail.example.org",
        "basic",
        &address,
        "delegation = { kind = \"basic\" }",
    ));
    let gateway = gateway.sections(&super::support::application(
        "other",
        "other.example.org",
        "certificate",
        &address,
        "delegation = { kind = \"password\", password-file = \"master\" }",
    ));
    gateway.file("master", "master's secret\n");
    let gateway = gateway.start().await;
    let sent = |fields: String| fields.trim().split_once(": ").unwrap().1.to_owned();
    gateway.client(None).get("mail.example.org", "/", &basic("alice", "alicepw")).await;
    assert_eq!(values(&back_end.asked().remove(0), "authorization"), [sent(basic("alice", "alicepw"))]);
    back_end.forget();
    gateway.client(None).get("basic.example.org", "/", &basic("alice", "alicepw")).await;
    assert!(values(&back_end.asked().remove(0), "authorization").is_empty());
    back_end.forget();
    let bob = gateway.authority.issue(&pki::client("bob", &["upn:bob@corp.test"]));
    gateway.client(Some(&bob)).get("other.example.org", "/", &basic("alice", "alicepw")).await;
    assert_eq!(values(&back_end.asked().remove(0), "authorization"), [sent(basic("bob", "master's secret"))]);
}

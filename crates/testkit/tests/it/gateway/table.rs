//! The table of modes, cell by cell.

use lanyard_testkit::{
    gateway::{
        client::{Client, basic},
        pki::{self, Authority, Identity},
    },
    http::Response,
    programs::{program, run},
};
use serde_json::Value;
use tokio::process::Command;

use super::support::{BY_HEADER, all_modes, echo};

/// What a client brings, and what it is told in each mode: status, or status and substatus of the refusal; a name when it gets in as somebody.
const TABLE: [(&str, [(&str, &str); 7]); 5] = [
    (
        "basic",
        [
            ("nothing", "401.2"),
            ("password", "alice"),
            ("certificate", "401.2"),
            ("both", "alice"),
            ("rogue", "alice"),
            ("expired", "alice"),
            ("other", "alice"),
        ],
    ),
    (
        "certificate",
        [
            ("nothing", "403.7"),
            ("password", "403.7"),
            ("certificate", "alice"),
            ("both", "alice"),
            ("rogue", "403.16"),
            ("expired", "403.17"),
            ("other", "bob"),
        ],
    ),
    (
        "both",
        [
            ("nothing", "403.7"),
            ("password", "403.7"),
            ("certificate", "401.2"),
            ("both", "alice"),
            ("rogue", "403.16"),
            ("expired", "403.17"),
            ("other", "403.12"),
        ],
    ),
    (
        "else",
        [
            ("nothing", "401.2"),
            ("password", "alice"),
            ("certificate", "alice"),
            ("both", "alice"),
            ("rogue", "403.16"),
            ("expired", "403.17"),
            ("other", "bob"),
        ],
    ),
    (
        "none",
        [
            ("nothing", "200"),
            ("password", "200"),
            ("certificate", "200"),
            ("both", "200"),
            ("rogue", "200"),
            ("expired", "200"),
            ("other", "200"),
        ],
    ),
];

/// Certificate and password of a column; `other` is bob's certificate with the password of alice, and bad certificates come with a good password.
fn column<'a>(name: &str, people: &'a People) -> (Option<&'a Identity>, bool) {
    match name {
        "nothing" => (None, false),
        "password" => (None, true),
        "certificate" => (Some(&people.alice), false),
        "both" => (Some(&people.alice), true),
        "rogue" => (Some(&people.rogue), true),
        "expired" => (Some(&people.expired), true),
        _ => (Some(&people.bob), true),
    }
}

struct People {
    alice: Identity,
    bob: Identity,
    rogue: Identity,
    expired: Identity,
}

fn people(authority: &Authority) -> People {
    let upn = ["upn:alice@corp.test"];
    let mut expired = pki::client("alice", &upn);
    (expired.from, expired.until) = (-7200, -3600);
    People {
        alice: authority.issue(&pki::client("alice", &upn)),
        bob: authority.issue(&pki::client("bob", &["upn:bob@corp.test"])),
        rogue: Authority::root("CN=Client Root,O=Example").issue(&pki::client("alice", &upn)),
        expired: authority.issue(&expired),
    }
}

/// The cell as the table writes it.
fn cell(status: u16, body: &str) -> String {
    match serde_json::from_str::<Value>(body) {
        Ok(echoed) => {
            let fields = echoed["fields"].as_array().cloned().unwrap_or_default();
            let user = fields.iter().find(|f| f[0] == "x-webobjects-remote-user").and_then(|f| f[1].as_str());
            user.map_or_else(|| status.to_string(), str::to_owned)
        }
        Err(_) => body.split(' ').next().unwrap_or_default().to_owned(),
    }
}

fn check(mode: &str, what: &str, expected: &str, response: &Response) {
    assert_eq!(cell(response.status, &response.text()), expected, "{mode}, {what}: {}", response.text());
    let asks = response.field("www-authenticate").is_some();
    assert_eq!(asks, response.status == 401, "{mode}, {what}");
    assert!(!(mode == "certificate" && asks), "a phone would ask for a password");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_cell_of_the_table_with_tls_1_2_and_1_3() {
    let back_end = echo().await;
    let gateway = all_modes(&back_end.address.to_string(), BY_HEADER).start().await;
    let people = people(&gateway.authority);
    for (mode, columns) in TABLE {
        let host = format!("{mode}.example.org");
        for (what, expected) in columns {
            let (identity, password) = column(what, &people);
            let fields = if password { basic("alice", "alicepw") } else { String::new() };
            for client in [gateway.client(identity), Client::old(gateway.address, &gateway.root, identity)] {
                check(mode, what, expected, &client.get(&host, "/", &fields).await);
            }
        }
    }
    assert_eq!(gateway.count("certificate", "gateway.certificate-expired"), 2);
    // Wrong passwords are told apart from none only in the log.
    let wrong = gateway.client(None).get("basic.example.org", "/", &basic("alice", "wrong")).await;
    check("basic", "wrong password", "401.1", &wrong);
    let wrong = gateway.client(Some(&people.alice)).get("both.example.org", "/", &basic("alice", "wrong")).await;
    check("both", "wrong password", "401.1", &wrong);
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_sees_the_same_table_over_http_1_1_and_http_2() {
    let back_end = echo().await;
    let gateway = all_modes(&back_end.address.to_string(), BY_HEADER).start().await;
    let people = people(&gateway.authority);
    let folder = gateway.folder.path();
    for (name, identity) in
        [("alice", &people.alice), ("bob", &people.bob), ("rogue", &people.rogue), ("expired", &people.expired)]
    {
        gateway.file(&format!("{name}.pem"), identity.pem());
        gateway.file(&format!("{name}.key"), identity.key.pem());
    }
    for (mode, columns) in TABLE {
        let host = format!("{mode}.example.org:{}", gateway.address.port());
        for (what, expected) in columns {
            let (_, password) = column(what, &people);
            let shown = match what {
                "certificate" | "both" => Some("alice"),
                "rogue" | "expired" => Some(what),
                "other" => Some("bob"),
                _ => None,
            };
            for version in ["--http1.1", "--http2"] {
                let mut curl = Command::new(program("curl", "curl"));
                curl.args(["-sS", "-i", version, "--cacert"]).arg(folder.join("root.pem"));
                curl.args(["--resolve", &format!("{host}:127.0.0.1"), &format!("https://{host}/")]);
                if password {
                    curl.args(["-u", "alice:alicepw"]);
                }
                if let Some(name) = shown {
                    curl.arg("--cert").arg(folder.join(format!("{name}.pem")));
                    curl.arg("--key").arg(folder.join(format!("{name}.key")));
                }
                let text = run(&mut curl).await.good();
                let (head, body) = text.split_once("\r\n\r\n").unwrap();
                let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
                assert_eq!(cell(status, body), expected, "{mode}, {what}, {version}: {text}");
                assert_eq!(head.to_ascii_lowercase().contains("www-authenticate"), status == 401, "{text}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_asked_for_only_where_one_counts() {
    let back_end = echo().await;
    let gateway = all_modes(&back_end.address.to_string(), BY_HEADER).start().await;
    for (name, asks) in [("basic", false), ("none", false), ("certificate", true), ("both", true), ("else", true)] {
        let host = format!("{name}.example.org");
        let mut openssl = Command::new(program("openssl", "openssl"));
        openssl.args(["s_client", "-connect", &gateway.address.to_string(), "-servername", &host, "-tls1_2"]);
        let text = run(&mut openssl).await.output;
        assert_eq!(text.contains("Client Certificate Types"), asks, "{name}: {text}");
        assert_eq!(text.contains("Acceptable client certificate CA names"), asks, "{name}: {text}");
    }
    // Whoever names no host, or an unknown one, is asked nothing and served nothing that is protected.
    let mut openssl = Command::new(program("openssl", "openssl"));
    openssl.args(["s_client", "-connect", &gateway.address.to_string(), "-noservername", "-tls1_2"]);
    assert!(!run(&mut openssl).await.output.contains("Client Certificate Types"));
}

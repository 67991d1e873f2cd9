//! Certificates that do not count, and those that no longer do.

use lanyard_model::{
    key::KeyKind,
    oid::Oid,
    time::Span,
    usage::{CLIENT_AUTH, ExtendedKeyUsage},
};
use lanyard_testkit::{
    gateway::{
        pki::{self, Authority, Identity},
        site::Builder,
    },
    http::Response,
    wait::until,
};

use super::support::{application, echo};

const HOST: &str = "certificate.example.org";

fn number(response: &Response) -> String {
    response.text().split(' ').next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_bad_certificate_has_its_number() {
    let back_end = echo().await;
    let builder = Builder::new();
    let revoked = builder.authority.issue(&pki::client("alice", &["upn:alice@corp.test"]));
    builder.file("clients.crl", builder.authority.crl(&[&revoked], 3600));
    let trust =
        "[[trust]]\nname = \"staff\"\nca-file = \"clients.pem\"\nvouches-for-names = true\ncrl-files = [\"clients.crl\"]\n";
    let gateway = builder
        .sections(trust)
        .sections(&application("app", HOST, "certificate", &back_end.address.to_string(), ""))
        .start()
        .await;
    let upn = ["upn:alice@corp.test"];
    let wish = || pki::client("alice", &upn);
    let issue = |change: &dyn Fn(&mut pki::Wish)| {
        let mut wish = wish();
        change(&mut wish);
        gateway.authority.issue(&wish)
    };
    let server_auth = ExtendedKeyUsage(Oid::new("1.3.6.1.5.5.7.3.1"));
    let intermediate = gateway.authority.below("CN=Issuing,O=Example");
    let below = |sent: bool| {
        let mut identity = intermediate.issue(&wish());
        if sent {
            identity.above.push(intermediate.certificate.clone());
        }
        identity
    };
    let leaf_as_authority = issue(&|_| {});
    let cases: Vec<(&str, Identity, &str)> = vec![
        ("good", issue(&|_| {}), "ok"),
        ("good, with its issuer", below(true), "ok"),
        ("without its issuer", below(false), "403.16"),
        ("revoked", revoked, "403.13"),
        ("expired", issue(&|w| (w.from, w.until) = (-100, -1)), "403.17"),
        ("not yet valid", issue(&|w| w.from = 3600), "403.17"),
        ("for servers", issue(&|w| w.purposes = vec![server_auth]), "403.16"),
        ("for anything", issue(&|w| w.purposes = vec![ExtendedKeyUsage(Oid::new("2.5.29.37.0"))]), "403.16"),
        ("for nothing said", issue(&|w| w.purposes = Vec::new()), "403.16"),
        ("for clients and servers", issue(&|w| w.purposes = vec![CLIENT_AUTH, server_auth]), "ok"),
        ("no name", issue(&|w| w.names = Vec::new()), "403.12"),
        ("two names", issue(&|w| w.names.push("upn:bob@corp.test".into())), "403.12"),
        ("a name of nobody", issue(&|w| w.names = vec!["upn:carol@corp.test".into()]), "403.12"),
        ("a name in the subject only", issue(&|w| (w.subject, w.names) = ("CN=alice@corp.test".into(), Vec::new())), "403.12"),
        ("RSA", issue(&|w| w.key = KeyKind::Rsa(2048)), "ok"),
        ("P-384", issue(&|w| w.key = KeyKind::EcP384), "ok"),
        ("Ed25519", issue(&|w| w.key = KeyKind::Ed25519), "ok"),
        ("another authority of the same name", Authority::root("CN=Client Root,O=Example").issue(&wish()), "403.16"),
        ("an authority nobody knows", Authority::root("CN=Rogue").issue(&wish()), "403.16"),
    ];
    for (what, identity, expected) in &cases {
        let response = gateway.client(Some(identity)).get(HOST, "/", "").await;
        let seen = if response.status == 200 { "ok".to_owned() } else { number(&response) };
        assert_eq!(&seen, expected, "{what}: {}", response.text());
        assert!(response.field("www-authenticate").is_none());
    }
    assert!(!leaf_as_authority.certificate.is_ca());
}

#[tokio::test(flavor = "multi_thread")]
async fn resumed_sessions_and_open_connections_are_looked_at_again() {
    let back_end = echo().await;
    let builder = Builder::new();
    builder.file("clients.crl", builder.authority.crl(&[], 3 * 86_400));
    let trust =
        "[[trust]]\nname = \"staff\"\nca-file = \"clients.pem\"\nvouches-for-names = true\ncrl-files = [\"clients.crl\"]\n";
    let gateway = builder
        .sections(trust)
        .sections(&application("app", HOST, "certificate", &back_end.address.to_string(), ""))
        .start()
        .await;
    let issue = || gateway.authority.issue(&pki::client("alice", &["upn:alice@corp.test"]));
    for old in [false, true] {
        let alice = issue();
        let client = if old {
            lanyard_testkit::gateway::client::Client::old(gateway.address, &gateway.root, Some(&alice))
        } else {
            gateway.client(Some(&alice))
        };
        let mut open = client.connect(HOST).await.unwrap();
        assert_eq!(open.ask(HOST, "GET", "/", "", &[]).await.unwrap().status, 200);
        let mut resumed = client.connect(HOST).await.unwrap();
        assert_eq!(resumed.ask(HOST, "GET", "/", "", &[]).await.unwrap().status, 200);
        assert!(resumed.is_resumed(), "TLS 1.2: {old}");
        // Revoked: the list is read again, the connections stay.
        gateway.file("clients.crl", gateway.authority.crl(&[&alice], 3 * 86_400));
        gateway.running.gateway.reload().unwrap();
        for connection in [&mut open, &mut resumed] {
            let response = connection.ask(HOST, "GET", "/", "", &[]).await.unwrap();
            assert_eq!(number(&response), "403.13");
        }
        let mut again = client.connect(HOST).await.unwrap();
        assert_eq!(number(&again.ask(HOST, "GET", "/", "", &[]).await.unwrap()), "403.13");
        gateway.file("clients.crl", gateway.authority.crl(&[], 3 * 86_400));
        gateway.running.gateway.reload().unwrap();
        assert_eq!(open.ask(HOST, "GET", "/", "", &[]).await.unwrap().status, 200);
    }
    // It expires while the connection is open, and in a resumed session.
    let alice = issue();
    let client = gateway.client(Some(&alice));
    let mut open = client.connect(HOST).await.unwrap();
    assert_eq!(open.ask(HOST, "GET", "/", "", &[]).await.unwrap().status, 200);
    gateway.clock.advance(Span::from_days(1));
    gateway.clock.advance(Span::from_secs(2));
    assert_eq!(number(&open.ask(HOST, "GET", "/", "", &[]).await.unwrap()), "403.17");
    assert_eq!(number(&client.get(HOST, "/", "").await), "403.17");
    // A list that is too old says nothing any more: that is an outage.
    gateway.clock.advance(Span::from_days(4));
    let mut late = pki::client("alice", &["upn:alice@corp.test"]);
    late.until = 8 * 86_400;
    let late = gateway.authority.issue(&late);
    let response = gateway.client(Some(&late)).get(HOST, "/", "").await;
    assert_eq!((response.status, response.field("retry-after").is_some()), (503, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_was_removed_counts_no_more_and_a_broken_file_changes_nothing() {
    let back_end = echo().await;
    let gateway =
        Builder::new().sections(&application("app", HOST, "certificate", &back_end.address.to_string(), "")).start().await;
    let alice = gateway.authority.issue(&pki::client("alice", &["upn:alice@corp.test"]));
    let client = gateway.client(Some(&alice));
    let mut open = client.connect(HOST).await.unwrap();
    assert_eq!(open.ask(HOST, "GET", "/", "", &[]).await.unwrap().status, 200);
    for broken in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        gateway.file("clients.pem", broken);
        assert!(gateway.running.gateway.reload().is_err());
        assert_eq!(open.ask(HOST, "GET", "/", "", &[]).await.unwrap().status, 200);
    }
    assert!(gateway.change("mode = \"certificate\"", "mode = \"certificat\"").unwrap_err().contains("certificat"));
    assert_eq!(open.ask(HOST, "GET", "/", "", &[]).await.unwrap().status, 200);
    gateway.change("mode = \"certificat\"", "mode = \"certificate\"").unwrap_err();
    gateway.file("clients.pem", Authority::root("CN=Successor").pem());
    gateway.running.gateway.reload().unwrap();
    assert_eq!(number(&open.ask(HOST, "GET", "/", "", &[]).await.unwrap()), "403.16");
    assert_eq!(number(&client.get(HOST, "/", "").await), "403.16");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_list_and_a_renewed_server_certificate_need_no_signal() {
    let back_end = echo().await;
    let builder = Builder::new();
    builder.file("clients.crl", builder.authority.crl(&[], 3600));
    let trust =
        "[[trust]]\nname = \"staff\"\nca-file = \"clients.pem\"\nvouches-for-names = true\ncrl-files = [\"clients.crl\"]\n";
    let gateway = builder
        .sections(trust)
        .sections(&application("app", HOST, "certificate", &back_end.address.to_string(), ""))
        .start()
        .await;
    let alice = gateway.authority.issue(&pki::client("alice", &["upn:alice@corp.test"]));
    let client = gateway.client(Some(&alice));
    assert_eq!(client.get(HOST, "/", "").await.status, 200);
    gateway.file("clients.crl", b"no list");
    gateway.file("clients.crl", gateway.authority.crl(&[&alice], 3600));
    until("the new list", || async { (number(&client.get(HOST, "/", "").await) == "403.13").then_some(()) }).await;
    let renewed = gateway.root.issue(&pki::server(&lanyard_testkit::gateway::site::HOSTS));
    gateway.file("server.key", renewed.key.pem());
    gateway.file("server.pem", renewed.pem());
    let shown =
        || async { client.connect(HOST).await.ok().filter(|c| c.server_certificate() == renewed.certificate.der()).map(drop) };
    until("the new certificate", shown).await;
}

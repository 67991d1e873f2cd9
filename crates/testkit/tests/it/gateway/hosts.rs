//! Server name, host and path: nothing is reached by the way of something else.

use lanyard_testkit::{
    gateway::{client::encode, pki, site::Builder},
    programs::{program, run},
};
use tokio::process::Command;

use super::support::{BY_HEADER, all_modes, application, echo};

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_for_one_host_does_not_reach_another_that_wants_a_certificate() {
    let back_end = echo().await;
    let gateway = all_modes(&back_end.address.to_string(), BY_HEADER).start().await;
    let alice = gateway.authority.issue(&pki::client("alice", &["upn:alice@corp.test"]));
    let client = gateway.client(Some(&alice));
    let ask = |host: &str| encode("GET", "/", &format!("Host: {host}\r\nConnection: close\r\n"), &[]);
    let misdirected = [
        ("basic.example.org", "certificate.example.org"),
        ("certificate.example.org", "basic.example.org"),
        ("certificate.example.org", "both.example.org"),
        ("none.example.org", "else.example.org"),
        ("certificate.example.org", "unknown.example.org"),
        ("none.example.org", "CERTIFICATE.EXAMPLE.ORG.:443"),
    ];
    for (sni, host) in misdirected {
        assert_eq!(client.raw(sni, &ask(host)).await.status, 421, "{sni} {host}");
    }
    for same in ["certificate.example.org", "CERTIFICATE.example.ORG", "certificate.example.org.", "certificate.example.org:9443"]
    {
        assert_eq!(client.raw("certificate.example.org", &ask(same)).await.status, 200, "{same}");
    }
    // Where no certificate counts on either side, one connection serves both.
    assert_eq!(client.raw("none.example.org", &ask("basic.example.org")).await.status, 401);
    assert_eq!(client.raw("none.example.org", &ask("unknown.example.org")).await.status, 404);
    // Each request of a kept connection is looked at.
    let mut connection = client.connect("certificate.example.org").await.unwrap();
    assert_eq!(connection.ask("certificate.example.org", "GET", "/", "", &[]).await.unwrap().status, 200);
    assert_eq!(connection.ask("both.example.org", "GET", "/", "", &[]).await.unwrap().status, 421);
    assert_eq!(connection.ask("certificate.example.org", "GET", "/", "", &[]).await.unwrap().status, 200);
    let asked = back_end.asked().len();
    let absolute = "GET http://both.example.org/ HTTP/1.1\r\nHost: certificate.example.org\r\nConnection: close\r\n\r\n";
    assert_eq!(client.raw("certificate.example.org", absolute.as_bytes()).await.status, 400);
    assert_eq!(back_end.asked().len(), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_name_nothing_protected_is_served_and_http_2_is_no_way_around() {
    let back_end = echo().await;
    let gateway = all_modes(&back_end.address.to_string(), BY_HEADER).start().await;
    let port = gateway.address.port();
    let curl = |url: String, host: &'static str| async move {
        let mut curl = Command::new(program("curl", "curl"));
        curl.args([
            "-skS",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "--http2",
            "-H",
            &format!("Host: {host}"),
            "-u",
            "alice:alicepw",
        ]);
        curl.args(["--resolve", &format!("none.example.org:{port}:127.0.0.1"), &url]);
        run(&mut curl).await.good()
    };
    // An address is not sent as a server name.
    assert_eq!(curl(format!("https://127.0.0.1:{port}/"), "certificate.example.org").await, "421");
    assert_eq!(curl(format!("https://127.0.0.1:{port}/"), "basic.example.org").await, "200");
    assert_eq!(curl(format!("https://none.example.org:{port}/"), "else.example.org").await, "421");
    assert_eq!(curl(format!("https://none.example.org:{port}/"), "none.example.org").await, "200");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_leads_to_the_narrowest_rule_however_it_is_spelt() {
    let back_end = echo().await;
    let address = back_end.address.to_string();
    let open = application("open", "mail.example.org", "none", &address, "");
    let closed = application(
        "closed",
        "mail.example.org",
        "certificate",
        &address,
        "paths = [\"/Private\", \"/eas\"]\nback-end-path = \"/SOGo/x\"\n",
    );
    let gateway = Builder::new().sections(&open).sections(&closed).start().await;
    let alice = gateway.authority.issue(&pki::client("alice", &["upn:alice@corp.test"]));
    let nobody = gateway.client(None);
    for path in ["/private", "/PRIVATE/", "//private", "/%70rivate/x", "/private?x", "/Private;x/../private"] {
        let status = nobody.get("mail.example.org", path, "").await.status;
        let expected: &[u16] = if path.contains(';') { &[400] } else { &[403] };
        assert!(expected.contains(&status), "{path}: {status}");
    }
    for path in
        ["/x/../private", "/x/%2e%2e/private", "/%2fprivate", "/x\\private", "/x/..%2fprivate", "/x%00/private", "/.;a/private"]
    {
        assert_eq!(nobody.get("mail.example.org", path, "").await.status, 400, "{path}");
    }
    for path in ["/", "/privateer", "/x/private"] {
        assert_eq!(nobody.get("mail.example.org", path, "").await.status, 200, "{path}");
    }
    let client = gateway.client(Some(&alice));
    for (path, inside) in
        [("/Private/a?b=c", "/SOGo/x/a?b=c"), ("/private", "/SOGo/x"), ("/eas/y", "/SOGo/x/y"), ("/EAS?Cmd=x", "/SOGo/x?Cmd=x")]
    {
        back_end.forget();
        assert_eq!(client.get("mail.example.org", path, "").await.status, 200, "{path}");
        assert_eq!(back_end.asked()[0].path, inside);
    }
}

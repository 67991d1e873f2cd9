//! Names, connections, TLS, and certificates of both sides.

use lanyard_testkit::{
    gateway::pki::{self, Authority},
    service::{Says, Service},
};
use tokio::{io::AsyncWriteExt, net::TcpListener};

use super::support::{Asks, Site, probe, probe_url};

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_before_tls_is_named() {
    let told = probe_url("https://nosuch.invalid/", &[]).await;
    assert_eq!((told.verdict("dns"), told.code), ("dns.unknown", 10));
    let free = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
    let told = probe_url(&format!("https://{free}/"), &[]).await;
    assert_eq!((told.verdict("tcp"), told.code), ("tcp.refused", 11));
    let plain = Service::start(|_| Says::text("hello")).await;
    let web = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = web.local_addr().unwrap();
    let answering = tokio::spawn(async move {
        while let Ok((mut stream, _)) = web.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
        }
    });
    let told = probe_url(&format!("https://{address}/"), &[]).await;
    assert_eq!((told.verdict("tls"), told.code), ("tls.not-spoken", 12));
    answering.abort();
    let told = probe_url(&format!("http://{}/", plain.address), &[]).await;
    assert_eq!((told.verdict("tls"), told.verdict("get"), told.code), ("tls.none", "app.answers", 0));

    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let told = probe_url(&format!("https://{}/", silent.local_addr().unwrap()), &["--timeout", "1"]).await;
    assert_eq!((told.verdict("tls"), told.code), ("tls.timeout", 12));
    let cutter = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = cutter.local_addr().unwrap();
    let cutting = tokio::spawn(async move {
        while let Ok((mut stream, _)) = cutter.accept().await {
            let _ = stream.shutdown().await;
        }
    });
    assert_eq!(probe_url(&format!("https://{address}/"), &[]).await.verdict("tls"), "tls.closed");
    cutting.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_certificate_is_judged_and_nothing_is_sent_to_one_that_is_not_believed() {
    let site = Site::new();
    let own = |wish: pki::Wish| site.root.issue(&wish);
    let good = || pki::server(&["localhost"]);
    let stranger = Authority::root("CN=Stranger,O=Example");
    let between = site.root.below("CN=Between,O=Example");
    let mut whole = between.issue(&pki::Wish { until: 30 * 86_400, ..good() });
    whole.above = vec![between.certificate.clone()];
    let cases = [
        ("server-certificate.expired", own(pki::Wish { from: -7200, until: -3600, ..good() }), 12),
        ("server-certificate.not-yet", own(pki::Wish { from: 7200, until: 14_400, ..good() }), 12),
        ("server-certificate.name", own(pki::server(&["other.example.org"])), 12),
        ("server-certificate.purpose", own(pki::Wish { purposes: pki::client("x", &[]).purposes, ..good() }), 12),
        ("server-certificate.untrusted", stranger.issue(&good()), 12),
        ("server-certificate.soon", own(good()), 0),
        ("server-certificate.good", whole, 0),
    ];
    for (expected, identity, code) in cases {
        let server = Service::start_tls(site.tls_as(&identity, Asks::No), |_| Says::text("hello")).await;
        let told = probe(&site, server.address, "/", &[]).await;
        assert_eq!((told.verdict("server-certificate"), told.code), (expected, code), "{}", told.report);
        assert_eq!(server.asked().is_empty(), code != 0, "{expected}");
        if code != 0 {
            let told = probe(&site, server.address, "/", &["--insecure"]).await;
            assert_eq!((told.verdict("server-certificate"), told.verdict("get")), ("server-certificate.ignored", "app.answers"));
        }
    }
    assert_eq!(probe_url("https://localhost/", &["--connect", "127.0.0.1:1"]).await.verdict("tcp"), "tcp.refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_about_our_certificate_are_never_taken_for_the_servers() {
    let site = Site::new();
    let wish = || pki::client("alice", &["upn:alice@corp.test"]);
    let revoked = site.clients.issue(&wish());
    let crl = site.clients.crl(&[&revoked], 3600);
    let server = Service::start_tls(site.tls(Asks::Required(vec![crl])), |_| Says::text("hello")).await;
    let cases = [
        ("client.expired", site.clients.issue(&pki::Wish { from: -7200, until: -3600, ..wish() })),
        ("client.revoked", revoked),
        ("client.unknown-issuer", Authority::root("CN=Rogue,O=Example").issue(&wish())),
        ("client.purpose", site.clients.issue(&pki::Wish { purposes: pki::server(&[]).purposes, ..wish() })),
    ];
    for version in ["1.2", "1.3"] {
        for (expected, identity) in &cases {
            let file = site.identity("refused", identity);
            let told = probe(&site, server.address, "/", &["--cert", &file, "--tls", version]).await;
            assert_eq!((told.verdict("get"), told.code), (*expected, 13), "TLS {version}: {}", told.report);
        }
        let told = probe(&site, server.address, "/", &["--tls", version]).await;
        assert_eq!((told.verdict("get"), told.code), ("client.required", 13), "TLS {version}: {}", told.report);
        let told = probe(&site, server.address, "/", &["--cert", &site.alice(), "--tls", version]).await;
        assert_eq!((told.verdict("client-certificate"), told.verdict("get"), told.code), ("client.asked-ours", "app.answers", 0));
    }
    let foreign = site.identity("foreign", &Authority::root("CN=Rogue,O=Example").issue(&wish()));
    let told = probe(&site, server.address, "/", &["--cert", &foreign]).await;
    assert_eq!(told.verdict("client-certificate"), "client.asked-others");
    assert!(told.seen("client-certificate").contains("CN=Client Root,O=Example"), "{}", told.report);

    let open = Service::start_tls(site.tls(Asks::No), |_| Says::text("hello")).await;
    let told = probe(&site, open.address, "/", &["--mode", "certificate", "--cert", &site.alice()]).await;
    assert_eq!(told.verdict("client-certificate"), "client.not-asked-wanted");
    let told = probe(&site, server.address, "/", &["--mode", "basic"]).await;
    assert_eq!(told.verdict("client-certificate"), "client.asked-unwanted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_without_its_key_is_told_before_anything_is_sent() {
    let site = Site::new();
    let identity = site.clients.issue(&pki::client("alice", &[]));
    let folder = site.folder.path();
    std::fs::write(folder.join("alice.cer"), identity.certificate.der()).unwrap();
    std::fs::write(folder.join("alice.key"), identity.key.pem()).unwrap();
    let file = folder.join("alice.cer").display().to_string();
    let mut command = tokio::process::Command::new(lanyard_testkit::process::lanyard());
    let done = lanyard_testkit::programs::run(command.args(["probe", "https://localhost:1/", "--cert", &file])).await;
    assert!(!done.success && done.output.contains("--key"), "{}", done.output);
    let server = Service::start_tls(site.tls(Asks::Required(Vec::new())), |_| Says::text("hello")).await;
    let key = folder.join("alice.key").display().to_string();
    let told = probe(&site, server.address, "/", &["--cert", &file, "--key", &key]).await;
    assert_eq!(told.code, 0, "{}", told.report);
}

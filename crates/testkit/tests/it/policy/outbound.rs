//! Where a module may connect to, and which tables refuse to be loaded.

use lanyard_server::serve::{Unseal, open};
use lanyard_testkit::{
    keys::rsa,
    scep::{device::Device, endpoint::Endpoint},
    server::{TestServer, order},
};

use super::with_profile;

/// A module's table with these lines.
fn http(lines: &str) -> String {
    format!("[[module]]\nkind = \"http\"\nsecret-file = \"hook.secret\"\n{lines}\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_are_not_listed_are_never_connected_to() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for (url, listed) in [
        (format!("http://localhost:{port}/"), "10.0.0.0/8"),
        (format!("http://127.0.0.1:{port}/"), "::1/128"),
        (format!("http://[::ffff:127.0.0.1]:{port}/"), "128.0.0.0/8"),
        ("http://169.254.169.254/latest/meta-data/".to_owned(), "127.0.0.0/8"),
        (format!("https://localhost:{port}/"), ""),
    ] {
        let allow =
            if listed.is_empty() { "ca-file = \"ca.pem\"".to_owned() } else { format!("allow-addresses = [\"{listed}\"]") };
        let table = http(&format!("url = \"{url}\"\n{allow}"));
        let (site, clock) = with_profile(TestServer::builder(), "asked", &table)
            .file("hook.secret", "0123456789abcdef")
            .file("ca.pem", "")
            .create()
            .await;
        let pem = lanyard_pki::pem::encode(lanyard_pki::pem::CERTIFICATE, site.root.der());
        std::fs::write(site.dir.join("ca.pem"), pem).unwrap();
        let server = TestServer::on(site, clock).await;
        let endpoint = Endpoint::at(server.http, "asked").await;
        let mut order = order("wifi", "laptop-1");
        order.profile = Some("asked".into());
        let device = Device::with_challenge(rsa(0), &server.admin.challenge(&order).await);
        let reply = endpoint.enrol(&device).await;
        reply.assert_refused("2");
        assert_eq!(server.admin.request(&reply.request_id).await.reason.as_deref(), Some("ra.module-address"), "{url}");
    }
    let connected = tokio::time::timeout(std::time::Duration::from_millis(50), listener.accept()).await;
    assert!(connected.is_err(), "somebody connected");
}

#[tokio::test(flavor = "multi_thread")]
async fn https_is_believed_only_under_the_given_certificates() {
    let (site, clock) = TestServer::builder().create().await;
    let inner = TestServer::on(site, clock).await;
    let url = format!("url = \"https://localhost:{}/healthz\"\nallow-addresses = [\"127.0.0.0/8\", \"::1\"]", inner.https.port());
    for (ours, reason) in [(true, "ra.module-answer"), (false, "ra.module-unreachable")] {
        let table = http(&format!("{url}\nca-file = \"ca.pem\""));
        let builder = with_profile(TestServer::builder(), "asked", &table).file("hook.secret", "0123456789abcdef");
        let (site, clock) = builder.file("ca.pem", "").create().await;
        let root = if ours { &inner.site.root } else { &site.root };
        std::fs::write(site.dir.join("ca.pem"), lanyard_pki::pem::encode(lanyard_pki::pem::CERTIFICATE, root.der())).unwrap();
        let server = TestServer::on(site, clock).await;
        let endpoint = Endpoint::at(server.http, "asked").await;
        let mut order = order("wifi", "laptop-1");
        order.profile = Some("asked".into());
        let device = Device::with_challenge(rsa(0), &server.admin.challenge(&order).await);
        let reply = endpoint.enrol(&device).await;
        reply.assert_refused("2");
        // Under its own root the service was heard, though what it says of a POST there is no yes.
        assert_eq!(server.admin.request(&reply.request_id).await.reason.as_deref(), Some(reason));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_make_no_sense_keep_the_server_from_starting() {
    let fixed = "[[module]]\nkind = \"static-secret\"\nsecret-file = \"hook.secret\"\ntemplate = \"wifi\"\nperiod = \"1d\"\n";
    let cases = [
        (http("url = \"https://a.example/\""), "https needs ca-file"),
        (http("url = \"http://a.example/\""), "http needs allow-addresses"),
        (http("url = \"ftp://a.example/\""), "neither https:// nor http://"),
        (http("url = \"https://user:pw@a.example/\""), "holds credentials"),
        (http("url = \"https://a.example/\"\nsecret = \"in the file\""), "unknown field"),
        (http("url = \"http://a.example/\"\nallow-addresses = [\"10.0.0.1/8\"]"), "not a address range"),
        (http("url = \"http://a.example/\"\nallow-addresses = [\"10.0.0.0/8\"]\ntimeout = \"1h\""), "choose from 1s to 15s"),
        (http("url = \"http://a.example/\"\nallow-addresses = [\"10.0.0.0/8\"]\nevents = []"), "list verify, notify or generate"),
        ("[[module]]\nkind = \"magic\"\n".to_owned(), "unknown variant"),
        (format!("{fixed}quota = 10\nfrom = []\n"), "accepted from nowhere"),
        (format!("{fixed}quota = 0\nfrom = [\"10.0.0.0/8\"]\n"), "choose from 1 to 1000"),
        (format!("{fixed}quota = 10\nfrom = [\"10.0.0.0/8\"]\n").replace("wifi", "nothing"), "there is no template"),
        (
            "[[module]]\nkind = \"static-secret\"\nsecret-file = \"missing\"\ntemplate = \"wifi\"\nperiod = \"1d\"\nquota = 1\n\
          from = [\"10.0.0.0/8\"]\n"
                .to_owned(),
            "missing",
        ),
        (format!("{fixed}quota = 1\nfrom = [\"10.0.0.0/8\"]\n").replace("hook.secret", "short.secret"), "fewer than 16"),
    ];
    for (table, expected) in cases {
        let builder = with_profile(TestServer::builder(), "odd", &table);
        let (site, clock) = builder.file("hook.secret", "0123456789abcdef").file("short.secret", "short\n").create().await;
        let refused = open(&site.dir, Unseal::File(site.unseal.clone()), clock).await;
        let Err(error) = refused else { panic!("{table} was accepted") };
        let told = lanyard_server::error::chain(&error);
        assert!(told.contains(expected), "{told}\n{table}");
        assert!(!told.contains("short\n") && !told.contains("0123456789abcdef"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_others_can_read_keeps_the_server_from_starting() {
    use std::os::unix::fs::PermissionsExt;
    let table = http("url = \"http://a.example/\"\nallow-addresses = [\"10.0.0.0/8\"]");
    let (site, clock) = with_profile(TestServer::builder(), "odd", &table).file("hook.secret", "0123456789abcdef").create().await;
    std::fs::set_permissions(site.dir.join("hook.secret"), std::fs::Permissions::from_mode(0o640)).unwrap();
    let Err(error) = open(&site.dir, Unseal::File(site.unseal.clone()), clock).await else { panic!("it was accepted") };
    assert_eq!(error.code(), "server.mode");
}

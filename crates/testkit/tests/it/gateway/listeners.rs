//! What stands around the applications: plain HTTP, metrics, back ends over TLS, and back ends that are unwell.

use std::{sync::Arc, time::Duration};

use lanyard_testkit::{
    gateway::{
        client::basic,
        pki::{Authority, server},
        site::Builder,
    },
    http,
    service::{Says, Service},
    wait::until,
};
use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;

use super::support::{BY_HEADER, application, echo};

const HOST: &str = "basic.example.org";

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_sends_people_on_and_takes_no_password() {
    let back_end = echo().await;
    let builder = Builder::new().head("redirect = \"127.0.0.1:0\"\nmetrics = \"127.0.0.1:0\"");
    let gateway = builder.sections(&application("app", HOST, "basic", &back_end.address.to_string(), BY_HEADER)).start().await;
    let (plain, metrics) = (gateway.running.redirect.unwrap(), gateway.running.metrics.unwrap());
    let ask = |method: &'static str, fields: String| async move {
        let head = format!("{method} /a?b=c HTTP/1.1\r\n{fields}Connection: close\r\n\r\n");
        http::Response::parse(&http::raw(plain, head.as_bytes()).await.unwrap())
    };
    let sent_on = ask("GET", format!("Host: {HOST}\r\n")).await;
    let place = format!("https://{HOST}:{}/a?b=c", gateway.address.port());
    assert_eq!((sent_on.status, sent_on.field("location")), (308, Some(place.as_str())));
    for (method, fields) in [
        ("POST", format!("Host: {HOST}\r\nContent-Length: 0\r\n")),
        ("GET", format!("Host: {HOST}\r\n{}", basic("alice", "alicepw"))),
        ("GET", "Host: elsewhere.example.com\r\n".to_owned()),
    ] {
        let refused = ask(method, fields).await;
        assert_eq!((refused.status, refused.field("location")), (403, None));
    }
    assert!(back_end.asked().is_empty());
    gateway.client(None).get(HOST, "/", &basic("alice", "wrong")).await;
    let told = http::get(metrics, "/metrics").await.text();
    assert!(told.contains("lanyard_gateway_requests_total{application=\"app\",outcome=\"gateway.password-wrong\"} 1"), "{told}");
    assert_eq!(http::get(metrics, "/healthz").await.status, 200);
}

fn acceptor(authority: &Authority, name: &str) -> TlsAcceptor {
    let identity = authority.issue(&server(&[name]));
    let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    TlsAcceptor::from(Arc::new(builder.with_single_cert(identity.chain(), identity.private_key()).unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_back_end_over_tls_must_stand_under_the_given_authority_and_have_the_right_name() {
    let (good, wrong) = (Authority::root("CN=Back"), Authority::root("CN=Other"));
    let says = |_: &lanyard_testkit::service::Asked| Says::text("in");
    let right = Service::start_tls(acceptor(&good, "localhost"), says).await;
    let stranger = Service::start_tls(acceptor(&wrong, "localhost"), says).await;
    let misnamed = Service::start_tls(acceptor(&good, "other.example.org"), says).await;
    let mut builder = Builder::new();
    builder.file("back.pem", good.pem());
    for (host, port) in [
        ("none.example.org", right.address.port()),
        ("mail.example.org", stranger.address.port()),
        ("other.example.org", misnamed.address.port()),
    ] {
        builder = builder.sections(&format!(
            "[[application]]\nname = \"{host}\"\nhosts = [\"{host}\"]\nmode = \"none\"\nback-ends = [\"https://localhost:{port}\"]\n\
             back-end-ca-file = \"back.pem\"\n"
        ));
    }
    let gateway = builder.start().await;
    let client = gateway.client(None);
    assert_eq!(client.get("none.example.org", "/", "").await.text(), "in");
    for host in ["mail.example.org", "other.example.org"] {
        assert_eq!(client.get(host, "/", "").await.status, 502, "{host}");
    }
    assert!(stranger.asked().is_empty() && misnamed.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_back_end_that_says_it_is_unwell_is_spared_while_another_is_well() {
    let ill = Service::start(|asked| if asked.path == "/health" { Says::status(503) } else { Says::text("ill") }).await;
    let well = Service::start(|_| Says::text("well")).await;
    let text = format!(
        "[[application]]\nname = \"app\"\nhosts = [\"none.example.org\"]\nmode = \"none\"\nhealth-path = \"/health\"\n\
         back-ends = [\"http://{}\", \"http://{}\"]\n",
        ill.address, well.address
    );
    let gateway = Builder::new().sections(&text).start().await;
    until("the ill one to be found out", || async {
        gateway.running.gateway.render().contains("} 0\n").then_some(()).filter(|()| !ill.asked().is_empty())
    })
    .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    for _ in 0..10 {
        assert_eq!(gateway.client(None).get("none.example.org", "/", "").await.text(), "well");
    }
    // Better an ill one than none.
    drop(well);
    assert_eq!(gateway.client(None).get("none.example.org", "/", "").await.text(), "ill");
}

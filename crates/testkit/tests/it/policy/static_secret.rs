//! The static secret: one template, a source range, a quota, a loud warning (ndes-policy T2).

use lanyard_model::time::Span;
use lanyard_testkit::{
    keys::rsa,
    process::{Process, lanyard},
    programs::run,
    scep::{device::Device, endpoint::Endpoint},
    server::{Builder, TestServer},
};
use tokio::process::Command;

use super::with_profile;

const SECRET: &str = "one secret for every printer";

fn builder(from: &str, template: &str) -> Builder {
    let table = format!(
        "[[module]]\nkind = \"static-secret\"\nsecret-file = \"printers.secret\"\ntemplate = \"{template}\"\n\
         from = [\"{from}\"]\nquota = 3\nperiod = \"1d\"\n"
    );
    let builder = TestServer::builder()
        .template(
            "wifi",
            "printer",
            &[("CN={device.name},", "CN=printer-{any},"), ("[\"OU\", \"C\", \"L\", \"ST\", \"serialNumber\"]", "[]")],
        )
        .template("wifi", "held", &[("approval = \"automatic\"", "approval = \"person\"")]);
    with_profile(builder, "printers", &table).file("printers.secret", format!("{SECRET}\n"))
}

async fn start(from: &str, template: &str) -> (TestServer, Endpoint) {
    let server = builder(from, template).start().await;
    let endpoint = Endpoint::at(server.http, "printers").await;
    (server, endpoint)
}

fn printer(n: usize) -> Device {
    Device::new(rsa(n), &format!("CN=printer-{n},O=Example")).challenge(SECRET)
}

async fn reason(server: &TestServer, id: &str) -> String {
    server.admin.request(id).await.reason.unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_period_brings_as_many_certificates_as_the_quota_says() {
    let (server, endpoint) = start("127.0.0.0/8", "printer").await;
    for n in 0..3 {
        let reply = endpoint.enrol(&printer(n)).await;
        reply.assert_issued();
        // The same CSR again is the same certificate and costs nothing.
        assert_eq!(endpoint.enrol(&printer(n)).await.serial(), reply.serial());
    }
    let server = server.restart().await;
    let endpoint = Endpoint::at(server.http, "printers").await;
    let reply = endpoint.enrol(&printer(3)).await;
    reply.assert_refused("2");
    assert_eq!(reason(&server, &reply.request_id).await, "ra.static-quota");
    server.advance(Span::from_days(1));
    endpoint.enrol(&printer(3)).await.assert_issued();
    assert_eq!(server.admin.certificates().await.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_quota_holds_when_many_ask_at_once() {
    let (server, endpoint) = start("127.0.0.0/8", "printer").await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..8 {
        let endpoint = endpoint.clone();
        tasks.spawn(async move { endpoint.enrol(&printer(n)).await.status });
    }
    let statuses = tasks.join_all().await;
    assert_eq!(statuses.iter().filter(|s| *s == "0").count(), 3, "{statuses:?}");
    assert_eq!(server.admin.certificates().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_template_says_which_names_there_are() {
    let (server, endpoint) = start("127.0.0.0/8", "printer").await;
    let mut with_address = printer(0);
    with_address.info.san = vec!["ip:10.0.0.1".parse().unwrap()];
    let cases = [
        (Device::new(rsa(0), "CN=domain-admin,O=Example").challenge(SECRET), "ra.subject-mismatch"),
        (Device::new(rsa(0), "CN=printer-1,OU=x,O=Example").challenge(SECRET), "ra.subject-mismatch"),
        (with_address, "ra.san-mismatch"),
        (Device::new(rsa(0), "CN=printer-1,O=Example").challenge("one secret for every printeR"), "ra.challenge-malformed"),
        (Device::new(rsa(0), "CN=printer-1,O=Example").challenge(""), "ra.challenge-missing"),
    ];
    for (device, expected) in cases {
        let reply = endpoint.enrol(&device).await;
        reply.assert_refused("2");
        assert_eq!(reason(&server, &reply.request_id).await, expected);
    }
    // At other profiles the secret is nothing.
    let elsewhere = Endpoint::of(&server).await;
    elsewhere.enrol(&printer(0)).await.assert_refused("2");
    assert!(server.admin.certificates().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn elsewhere_it_is_refused() {
    let (server, endpoint) = start("10.0.0.0/8", "printer").await;
    let reply = endpoint.enrol(&printer(0)).await;
    reply.assert_refused("2");
    assert_eq!(reason(&server, &reply.request_id).await, "ra.static-source");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_may_have_to_approve_and_a_renewal_rests_on_the_certificate() {
    let (server, endpoint) = start("127.0.0.0/8", "held").await;
    let device = printer(0);
    let reply = endpoint.enrol(&device).await;
    assert_eq!(reply.status, "3");
    assert_eq!(server.admin.approve(&reply.request_id).await.state, "issued");
    let issued = endpoint.send(&device.poll(&endpoint), &device).await;
    server.advance(Span::from_days(300));
    // certmonger sends the secret again with its renewals; it takes no place of the quota and gives no right.
    let mut renewal = device.renewal(issued.certificate(), rsa(1));
    renewal = renewal.challenge(SECRET);
    let renewed = endpoint.enrol(&renewal).await;
    renewed.assert_issued();
    assert_eq!(server.admin.certificate(&renewed.serial()).await.renews, Some(issued.serial()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_danger_is_told_loudly_and_the_secret_nowhere() {
    let (site, _) = builder("127.0.0.0/8", "printer").create().await;
    let process = Process::serve(&site).await;
    let endpoint = Endpoint::at(process.http, "printers").await;
    endpoint.enrol(&printer(0)).await.assert_issued();
    for command in ["list", "show"] {
        let mut shown = Command::new(lanyard());
        shown.args(["profile", command, "--dir"]).arg(&site.dir);
        if command == "show" {
            shown.arg("printers");
        }
        let shown = run(&mut shown).await;
        assert!(shown.success && shown.output.contains("warning: printers: DANGER: a STATIC SECRET"), "{}", shown.output);
        assert!(!shown.output.contains(SECRET));
    }
    let log = process.logged();
    assert!(log.contains("WARN") && log.contains("STATIC SECRET"), "{log}");
    assert!(!log.contains(SECRET));
    process.kill().await;
    for file in ["lanyard.db", "lanyard.db-wal"] {
        let octets = std::fs::read(site.dir.join(file)).unwrap_or_default();
        assert!(!octets.windows(SECRET.len()).any(|w| w == SECRET.as_bytes()), "{file}");
    }
}

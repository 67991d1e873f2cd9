//! Which client was recognised and what was tolerated: in `lanyard request show` and in one line of the log.

use lanyard_model::client::Client;
use lanyard_testkit::{
    http::{self, Response},
    keys::rsa,
    process::{Process, lanyard},
    programs::run,
    scep::{device::Device, endpoint::Endpoint, habits::enrolment, reply::CertRep},
    server::{TestServer, order},
};
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn the_log_and_the_record_tell_client_evidence_and_accommodations() {
    let (site, _) = TestServer::builder().create().await;
    let process = Process::serve(&site).await;
    let endpoint = Endpoint::at(process.http, "default").await;
    let challenge = process.admin.challenge(&order("wifi", "gear-1")).await;
    let (device, wire) = enrolment(Client::Cisco, Device::with_challenge(rsa(0), &challenge), &endpoint, false);
    let response = Response::parse(&http::raw(process.http, &wire.http).await.unwrap());
    let reply = CertRep::read(&response, &endpoint.ra, &device);
    reply.assert_issued();

    let show = async |further: &[&str]| {
        let mut command = Command::new(lanyard());
        command.args(["request", "show", "--dir"]).arg(&site.dir).arg(&reply.request_id).args(further);
        run(&mut command).await.good()
    };
    let told = show(&[]).await;
    assert!(told.contains("The client was recognised as cisco by its User-Agent; for it HTTP/1.0 was answered;"), "{told}");
    let fields: Vec<&str> = told.lines().filter(|l| l.starts_with("Client") || l.starts_with("Accommodated")).collect();
    assert!(fields.len() == 2 && fields[0].ends_with("cisco") && fields[1].contains("lines-in-query"), "{fields:?}");
    let json: serde_json::Value = serde_json::from_str(&show(&["--json"]).await).unwrap();
    assert_eq!(json["client"], "cisco");
    let words: Vec<&str> = json["accommodations"].as_array().unwrap().iter().filter_map(|w| w.as_str()).collect();
    assert_eq!(&words[..3], ["http-1.0", "get-instead-of-post", "lines-in-query"]);

    let log = process.logged();
    let mut lines = log.lines().filter(|l| l.contains("SCEP message answered"));
    let line = lines.next().expect("a line");
    assert!(lines.next().is_none(), "one line for one message: {log}");
    for part in [&reply.request_id, "cisco", "its User-Agent", "http-1.0", "issued", "PKCSReq", "AES-128"] {
        assert!(line.contains(part) || (part == "PKCSReq" && line.contains("19")), "{part}: {line}");
    }
    process.kill().await;
}

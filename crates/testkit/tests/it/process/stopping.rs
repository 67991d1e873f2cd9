//! An orderly end: what was begun is finished, nothing new is begun.

use std::time::Duration;

use lanyard_testkit::{
    http::{Response, encode},
    keys::rsa,
    process::Process,
    scep::{device::Device, endpoint::Endpoint, reply::CertRep},
    server::{TestServer, order},
    wait::until,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[tokio::test(flavor = "multi_thread")]
async fn on_sigterm_an_open_request_is_answered_and_new_ones_are_refused() {
    let (site, clock) = TestServer::builder().create().await;
    let mut process = Process::serve(&site).await;
    let endpoint = Endpoint::at(process.http, "default").await;
    let device = Device::with_challenge(rsa(0), &process.admin.challenge(&order("wifi", "laptop-1")).await);
    let octets = encode("POST", "/scep/default?operation=PKIOperation", "", &device.message(&endpoint));
    let (first, rest) = octets.split_at(octets.len() - 500);
    let mut open = TcpStream::connect(process.http).await.unwrap();
    open.write_all(first).await.unwrap();
    // The request is being served once its head was read.
    tokio::time::sleep(Duration::from_millis(300)).await;
    process.terminate().await;
    until("the listener to close", || async { TcpStream::connect(process.http).await.is_err().then_some(()) }).await;
    open.write_all(rest).await.unwrap();
    let mut answer = Vec::new();
    open.read_to_end(&mut answer).await.unwrap();
    let serial = CertRep::read(&Response::parse(&answer), &endpoint.ra, &device).serial();
    assert!(process.ended().await.success(), "{}", process.logged());
    assert!(!site.dir.join("admin.sock").exists());

    let server = TestServer::on(site, clock).await;
    assert_eq!(server.admin.certificate(&serial).await.status, "valid");
    let audit = server.admin.audit().await;
    assert!(audit.iter().any(|e| e.kind == "stopped"));
    let verdict = server.admin.verify_audit().await;
    assert!(verdict.intact && verdict.signed_heads > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_do_not_run_on_one_directory() {
    use lanyard_testkit::{process::lanyard, programs::run};
    let server = TestServer::start().await;
    let mut command = tokio::process::Command::new(lanyard());
    command.args(["serve", "--dir"]).arg(server.dir()).arg("--unseal-file").arg(&server.site.unseal);
    let second = run(&mut command).await;
    assert!(!second.success && second.output.contains("server.conflict"), "{}", second.output);
    assert!(server.admin.verify_audit().await.intact);
}

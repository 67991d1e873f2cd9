//! Every combination in one run, against the gateway itself in each mode.

use std::net::SocketAddr;

use lanyard_testkit::gateway::pki;

use super::support::probe_url;
use crate::gateway::support::{all_modes, echo};

#[tokio::test(flavor = "multi_thread")]
async fn each_mode_of_the_gateway_is_recognised_by_its_answers() {
    let back_end = echo().await;
    let gateway = all_modes(&back_end.address.to_string(), "").start().await;
    let alice = gateway.authority.issue(&pki::client("alice", &["upn:alice@corp.test"]));
    gateway.file("alice.pem", alice.pem() + &alice.key.pem());
    gateway.file("password", "alicepw\n");
    let file = |name: &str| gateway.folder.path().join(name).display().to_string();
    let (certificate, password, root) = (file("alice.pem"), file("password"), file("root.pem"));
    let address: SocketAddr = gateway.address;
    for (name, mode) in [
        ("basic", "basic"),
        ("certificate", "certificate"),
        ("both", "both"),
        ("else", "certificate-else-basic"),
        ("none", "none"),
    ] {
        let url = format!("https://{name}.example.org:{}/", address.port());
        let connect = address.to_string();
        let arguments = [
            ["--connect", &connect, "--ca", &root],
            ["--user", "alice", "--password-file", &password],
            ["--cert", &certificate, "--mode", mode],
        ]
        .concat();
        let told = probe_url(&url, &[arguments.as_slice(), &["--all"]].concat()).await;
        assert_eq!(told.report["behaves_like"], serde_json::json!([mode]), "{}", told.report);
        assert_eq!(told.code, 0, "{}", told.report);
        let asked = told.verdict("client-certificate");
        let wanted = if matches!(mode, "basic" | "none") { "client.not-asked" } else { "client.asked-ours" };
        assert_eq!(asked, wanted, "{mode}");
        // The same against another expectation: each answer that differs is told.
        let other = if mode == "both" { "basic" } else { "both" };
        let arguments = [&arguments[..10], &["--mode", other, "--all"]].concat();
        let told = probe_url(&url, &arguments).await;
        assert_eq!(told.code, 20, "{mode} for {other}: {}", told.report);
    }
}

//! Bar 6: everything that is issued passes the linter and is valid for exactly as long as its template says.

use std::collections::BTreeMap;

use lanyard_model::time::Span;
use lanyard_pki::certificate::Certificate;
use lanyard_server::api::types::Order;
use lanyard_testkit::{
    keys::{key, rsa},
    programs::pkilint::lint_certificates,
    scep::{device::Device, endpoint::Endpoint},
    server::{TestServer, builtin_template},
};
use serde_json::json;

use super::{size, tell};

/// How long a template's certificates are valid.
fn lifetime(text: &str) -> Span {
    let line = text.lines().find_map(|line| line.strip_prefix("lifetime = \"")).expect("a lifetime");
    line.trim_end_matches('"').parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn bar_6_issues_of_all_templates_have_no_fault_and_are_valid_to_the_second() {
    let issues = size(200, 10_000);
    let opened = [("protocols = [\"pfx\"]", "protocols = [\"scep\"]"), ("archival = \"required\"", "archival = \"never\"")];
    let server = TestServer::builder().template("smime-encryption", "smime-encryption", &opened).start().await;
    let admin = &server.admin;
    // A few identities with names that strain encodings.
    let names = ["Jo Döe", "Ann-Marie O'Neil", "李小龙", "Søren Ægir", "Zoë"];
    for (n, name) in names.iter().enumerate() {
        let mail = format!("user{n}@example.org");
        admin.save_user(json!({ "name": format!("user{n}"), "display-name": name, "upn": mail, "email": mail })).await;
        let dns = format!("host-{n}.example.org");
        admin
            .save_device(
                json!({ "id": format!("D-{n}"), "name": format!("laptop-{n}"), "dns-name": dns, "serial": format!("S{n}"),
                "user": format!("user{n}") }),
            )
            .await;
    }
    let endpoint = Endpoint::of(&server).await;
    let templates: Vec<(String, String)> = lanyard_ra::template::builtin()
        .iter()
        .map(|(file, text)| (file.trim_end_matches(".toml").to_owned(), (*text).to_owned()))
        .collect();
    let mut certificates: Vec<Certificate> = Vec::new();
    let mut by_template: BTreeMap<&str, usize> = BTreeMap::new();
    for n in 0..issues {
        let (template, text) = &templates[n % templates.len()];
        let identity = n % names.len();
        let order = Order {
            template: template.clone(),
            user: text.contains("{user.").then(|| format!("user{identity}")),
            device: text.contains("{device.").then(|| format!("D-{identity}")),
            ..Order::default()
        };
        let challenge = admin.challenge(&order).await;
        let pool = n % 3;
        let key = if challenge.key == "rsa:2048" { rsa(pool) } else { key(challenge.key.parse().unwrap(), pool) };
        let device = Device::with_challenge(key, &challenge);
        let mut reply = endpoint.enrol(&device).await;
        if reply.status == "3" {
            admin.approve(&reply.request_id).await;
            reply = endpoint.send(&device.poll(&endpoint), &device).await;
        }
        let certificate = reply.certificate().clone();
        let (first, last) = certificate.validity().unwrap();
        let text = if template == "smime-encryption" { text.clone() } else { builtin_template(template) };
        assert_eq!(last.since(first).secs() + 1, lifetime(&text).secs(), "{template}");
        assert!(first <= server.now(), "{template} begins in the future");
        *by_template.entry(template).or_default() += 1;
        certificates.push(certificate);
    }
    let mut serials: Vec<&[u8]> = certificates.iter().map(Certificate::serial_octets).collect();
    serials.sort_unstable();
    serials.dedup();
    assert_eq!(serials.len(), issues, "a serial number was given twice");
    assert_eq!(by_template.len(), templates.len());
    let findings = lint_certificates(&certificates).await;
    assert!(findings.is_empty(), "{} findings, such as {:?}", findings.len(), &findings[..findings.len().min(5)]);
    tell(
        6,
        &format!("{issues} issues over {} templates: 0 linter errors, every validity exact, no serial twice", templates.len()),
    );
}

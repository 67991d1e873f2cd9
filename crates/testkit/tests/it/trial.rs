//! `lanyard profile check`: changed rules are tried on stored requests before they bite.

use lanyard_model::{client::Client, time::Span};
use lanyard_pki::oids;
use lanyard_server::api::types::Order;
use lanyard_testkit::{
    http::{self, Response},
    keys::rsa,
    process::lanyard,
    programs::{Done, run},
    scep::{device::Device, draft::Attribute, endpoint::Endpoint, habits::enrolment, reply::CertRep},
    server::{TestServer, builtin_template, order},
};
use serde_json::Value;
use tokio::process::Command;

fn profile(name: &str, changes: &[(&str, &str)]) -> String {
    let (_, text) = lanyard_ra::profile::builtin().iter().find(|(file, _)| *file == format!("{name}.toml")).unwrap();
    changed(text, changes)
}

fn changed(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "there is no {from}");
        text.replace(from, to)
    })
}

async fn check(server: &TestServer, files: &[String], further: &[&str]) -> Done {
    let folder = lanyard_testkit::temporary::folder("scratch");
    let mut command = Command::new(lanyard());
    command.args(["profile", "check", "--dir"]).arg(server.dir()).args(further);
    for (n, text) in files.iter().enumerate() {
        let path = folder.path().join(format!("{n}.toml"));
        std::fs::write(&path, text).unwrap();
        command.arg("--file").arg(path);
    }
    run(&mut command).await
}

async fn replay(server: &TestServer, files: &[String]) -> Value {
    let done = check(server, files, &["--replay", "30d", "--json"]).await;
    let found: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|e| panic!("{e}: {}", done.output));
    let affected = [&found["refused"], &found["held"]].iter().any(|list| !list.as_array().unwrap().is_empty());
    assert_eq!(done.success, !affected, "the exit code tells");
    found
}

/// Who would be refused and why: common name and code.
fn refused(found: &Value) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = found["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let subject = one["subject"].as_str().unwrap();
            let name = subject.split(',').find_map(|part| part.strip_prefix("CN=")).unwrap();
            (name.to_owned(), one["reason"].as_str().unwrap().to_owned())
        })
        .collect();
    all.sort();
    all
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, why)| ((*name).to_owned(), (*why).to_owned())).collect()
}

/// A server with a request of each sort: old gear, a clock that is wrong, an approved one, a renewal, an ordinary one, a refused one.
async fn server() -> TestServer {
    let held = [("approval = \"automatic\"", "approval = \"person\"")];
    let always = [("renewal-window = \"120d\"", "renewal-window = \"364d\""), ("lifetime = \"365d\"", "lifetime = \"364d\"")];
    let server = TestServer::builder().template("wifi", "held", &held).template("wifi", "hosts", &always).start().await;
    let endpoint = Endpoint::of(&server).await;
    let legacy = Endpoint { path: "/scep/legacy".into(), ..endpoint.clone() };
    let mut gear = order("wifi", "gear");
    gear.profile = Some("legacy".into());
    let challenge = server.admin.challenge(&gear).await;
    let (device, wire) = enrolment(Client::Cisco, Device::with_challenge(rsa(0), &challenge), &legacy, true);
    let answer = Response::parse(&http::raw(server.http, &wire.http).await.unwrap());
    CertRep::read(&answer, &endpoint.ra, &device).assert_issued();

    let device = Device::with_challenge(rsa(1), &server.challenge("slow-clock").await);
    let mut draft = device.draft(&endpoint);
    let signed_at = lanyard_pki::time::encode(server.now() - Span::from_days(3));
    draft.attributes.push(Attribute { oid: oids::SIGNING_TIME, values: vec![signed_at] });
    endpoint.send(&draft.sign(), &device).await.assert_issued();

    let approved = Device::with_challenge(rsa(2), &server.admin.challenge(&order("held", "approved")).await);
    let pending = endpoint.enrol(&approved).await;
    server.admin.approve(&pending.request_id).await;

    let host = Device::with_challenge(rsa(0), &server.admin.challenge(&order("hosts", "host")).await);
    let first = endpoint.enrol(&host).await.certificate().clone();
    endpoint.enrol(&host.renewal(&first, rsa(1))).await.assert_issued();

    endpoint.enrol(&Device::with_challenge(rsa(2), &server.challenge("plain").await)).await.assert_issued();
    endpoint.enrol(&Device::new(rsa(2), "CN=nobody,O=Example")).await.assert_refused("2");
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_rules_name_whom_they_would_refuse_and_why() {
    let server = server().await;
    let unchanged = replay(&server, &[]).await;
    assert_eq!((unchanged["examined"].as_u64(), unchanged["skipped"].as_u64()), (Some(6), Some(1)));
    assert!(refused(&unchanged).is_empty() && unchanged["held"].as_array().unwrap().is_empty());

    let strict = profile(
        "legacy",
        &[("legacy-algorithms = true", "legacy-algorithms = false"), ("sha1-renewals = true", "sha1-renewals = false")],
    );
    assert_eq!(refused(&replay(&server, &[strict]).await), pairs(&[("gear", "scep.legacy-algorithm")]));

    let clocks = profile("default", &[("# signing-time-window = \"15m\"", "signing-time-window = \"15m\"")]);
    assert_eq!(refused(&replay(&server, &[clocks]).await), pairs(&[("slow-clock", "scep.signing-time")]));

    let fewer = profile("default", &[("templates = []", "templates = [\"wifi\"]")]);
    let expected = pairs(&[
        ("approved", "ra.template-not-in-profile"),
        ("host", "ra.template-not-in-profile"),
        ("host", "ra.template-not-in-profile"),
    ]);
    assert_eq!(refused(&replay(&server, std::slice::from_ref(&fewer)).await), expected);

    // A template is tried in the same way, and both together.
    let keys = changed(&builtin_template("wifi"), &[("accepted = [\"rsa:2048\", ", "accepted = [\"rsa:3072\", ")]);
    let found = replay(&server, &[keys, fewer]).await;
    let names: Vec<String> = refused(&found).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["approved", "gear", "host", "host", "plain", "slow-clock"]);

    let by_person = changed(&builtin_template("wifi"), &[("approval = \"automatic\"", "approval = \"person\"")]);
    let found = replay(&server, &[by_person]).await;
    assert!(refused(&found).is_empty());
    assert_eq!(found["held"].as_array().unwrap().len(), 3, "gear, slow-clock and plain: {found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_changes_nothing_and_judges_by_the_time_at_which_a_request_came() {
    let server = server().await;
    let before = (server.admin.audit().await.len(), server.admin.certificates().await);
    // Revoked since, expired since: nothing of that was so when the requests came.
    let serial = before.1.iter().find(|c| c.subject.contains("host") && c.renews.is_none()).unwrap().serial.clone();
    server.admin.revoke(&serial, "superseded").await;
    let audited = server.admin.audit().await.len();
    server.advance(Span::from_days(5));
    let fewer = profile("default", &[("templates = []", "templates = [\"wifi\"]")]);
    assert_eq!(refused(&replay(&server, &[fewer]).await).len(), 3);
    assert!(refused(&replay(&server, &[]).await).is_empty());
    assert_eq!(server.admin.audit().await.len(), audited);
    assert_eq!(server.admin.certificates().await.len(), before.1.len());
    server.advance(Span::from_days(30));
    assert_eq!(replay(&server, &[]).await["examined"], 0, "too long ago");
    // The rules in force are the old ones.
    assert!(server.server.policy().profiles.find(&"default".parse().unwrap()).unwrap().templates.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_checked_without_a_replay_and_told_as_a_table_with_one() {
    let server = server().await;
    let sound = check(&server, &[], &[]).await;
    assert!(sound.success && sound.stdout.starts_with("sound: 11 templates, 3 profiles"), "{}", sound.output);
    let broken = check(&server, &[profile("default", &[("get-cert = false", "get-certs = true")])], &[]).await;
    assert!(
        !broken.success && broken.output.contains("get-certs") && broken.output.contains("default.toml"),
        "{}",
        broken.output
    );
    let strict = profile(
        "legacy",
        &[("legacy-algorithms = true", "legacy-algorithms = false"), ("sha1-renewals = true", "sha1-renewals = false")],
    );
    let table = check(&server, &[strict], &["--replay", "30d"]).await;
    assert!(!table.success && table.stdout.contains("1 would be refused, 0 held for a person"), "{}", table.output);
    for part in ["CN=gear", "scep.legacy-algorithm", "cisco", "wifi"] {
        assert!(table.stdout.contains(part), "{part}: {}", table.stdout);
    }
    let unknown = Order { profile: Some("nowhere".into()), ..order("wifi", "x") };
    assert_ne!(server.admin.call("POST", "/policy/replay", &serde_json::to_vec(&unknown).unwrap()).await.status, 200);
}

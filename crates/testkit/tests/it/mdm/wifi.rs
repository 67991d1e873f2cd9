//! What the management gave a device is of use: a real RADIUS server lets it in by EAP-TLS, and nobody else.

use std::fs;

use lanyard_testkit::{
    process::lanyard,
    programs::{freeradius::FreeRadius, program, run},
};
use serde_json::Value;
use tokio::process::Command;

use super::year::{Place, WITH_SCEP};

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_of_a_managed_device_gets_it_into_the_network() {
    let place = Place::with_policy(WITH_SCEP).await;
    let server = place.serve(0).await;
    place.add_user().await;
    place.join(0).await.good();
    place.device(0, &["sync"]).await.good();
    let list: Value = serde_json::from_str(&place.device(0, &["list", "--json"]).await.good()).unwrap();
    let mine = list["identities"].as_array().unwrap().iter().find(|one| one["profile"] == "default").unwrap();
    let folder = place.store().join("my").join(mine["id"].as_str().unwrap());
    let at = |name: &str| place.site.temp.path().join(name);
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    fs::write(at("client.pem"), read("certificate.pem") + &read("chain.pem")).unwrap();

    // The RADIUS server has a certificate of the same authority.
    let mut request = Command::new(program("openssl", "openssl"));
    request.args(["req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/O=Example/CN=radius.example.org"]);
    request.args(["-addext", "subjectAltName=DNS:radius.example.org", "-keyout"]).arg(at("radius.key"));
    run(request.arg("-out").arg(at("radius.csr"))).await.good();
    let mut issue = Command::new(lanyard());
    issue
        .args([
            "cert",
            "issue",
            "--template",
            "tls-server",
            "--subject",
            "CN=radius.example.org,O=Example",
            "--san",
            "dns:radius.example.org",
            "--csr",
        ])
        .arg(at("radius.csr"));
    let issued = run(issue.arg("--dir").arg(&place.site.dir)).await.good();
    fs::write(at("radius.pem"), issued).unwrap();
    let all = place.say(&["ca", "export"]).await.good();
    fs::write(at("authorities.pem"), all).unwrap();
    let radius = FreeRadius::start(&at("radius.pem"), &at("radius.key"), &at("authorities.pem")).await;

    let inside = radius.try_with(&at("client.pem"), &folder.join("key.pem"), &at("authorities.pem")).await;
    assert!(inside.success && inside.output.contains("SUCCESS"), "{}", inside.output);

    let mut own = Command::new(program("openssl", "openssl"));
    own.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tablet", "-keyout"])
        .arg(at("other.key"));
    run(own.arg("-out").arg(at("other.pem"))).await.good();
    let outside = radius.try_with(&at("other.pem"), &at("other.key"), &at("authorities.pem")).await;
    assert!(!outside.success && outside.output.contains("FAILURE"), "{}", outside.output);
    server.kill().await;
}

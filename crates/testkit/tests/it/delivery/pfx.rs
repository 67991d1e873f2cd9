//! Identities whose key the server makes.

use std::{fs, process::Command};

use base64::{Engine, engine::general_purpose::STANDARD};
use lanyard_server::api::{delivery_types::PfxMade, types::Order};
use lanyard_testkit::server::{TestServer, order};
use serde_json::json;

/// What OpenSSL finds in a file.
fn opened(folder: &std::path::Path, made: &PfxMade, arguments: &[&str]) -> (bool, String) {
    let path = folder.join("made.pfx");
    fs::write(&path, STANDARD.decode(made.file.as_ref().unwrap()).unwrap()).unwrap();
    let mut openssl = Command::new("openssl");
    openssl.args(["pkcs12", "-nodes", "-info", "-in"]).arg(&path).args(arguments);
    openssl.arg("-passin").arg(format!("pass:{}", made.passphrase.as_ref().unwrap()));
    let output = openssl.output().expect("openssl; apt-get install openssl");
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[tokio::test]
async fn the_server_makes_a_key_gives_it_out_once_and_forgets_it() {
    let server = TestServer::start().await;
    server.admin.save_user(json!({ "name": "user1", "email": "user1@example.org" })).await;
    let for_user1 = Order { template: "user-client".into(), user: Some("user1".into()), ..Order::default() };
    for old in [false, true] {
        let made = server.admin.pfx(&for_user1, old).await;
        assert_eq!((made.request.state.as_str(), made.request.protocol.as_str()), ("issued", "pfx"), "{:?}", made.request.detail);
        let arguments: &[&str] = if old { &["-legacy"] } else { &[] };
        let (read, text) = opened(server.site.temp.path(), &made, arguments);
        assert!(read && text.contains("PRIVATE KEY") && text.contains("CN = user1"), "{text}");
        // The certificate itself, its issuer and the root.
        assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 3, "{text}");
        assert_eq!(text.contains("pbeWithSHA1And3-KeyTripleDES-CBC"), old, "{text}");
        let passphrase = made.passphrase.unwrap();
        assert_eq!(passphrase.len(), 23, "{passphrase}");
        // Nothing of it is kept: neither in the record nor in any file of the installation.
        let key = text.split("-----BEGIN PRIVATE KEY-----").nth(1).unwrap().lines().nth(16).unwrap().to_owned();
        let audit = serde_json::to_string(&server.admin.audit().await).unwrap();
        assert!(!audit.contains(&passphrase));
        for file in fs::read_dir(server.dir()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
            let octets = fs::read(&file).unwrap();
            let has = |needle: &[u8]| octets.windows(needle.len()).any(|window| window == needle);
            assert!(!has(passphrase.as_bytes()) && !has(key.as_bytes()), "{}", file.display());
            assert!(!has(&STANDARD.decode(&key).unwrap()), "{}", file.display());
        }
    }
    let certificates = server.admin.certificates().await;
    assert_eq!(certificates.len(), 2);
    assert!(certificates.iter().all(|c| c.user.as_deref() == Some("user1") && c.san == ["email:user1@example.org"]));
}

#[tokio::test]
async fn what_the_rules_do_not_allow_gets_no_key() {
    let server = TestServer::builder()
        .template("user-client", "held", &[("approval = \"automatic\"", "approval = \"person\"")])
        .start()
        .await;
    server.admin.save_user(json!({ "name": "user1" })).await;
    server.admin.save_user(json!({ "name": "gone", "disabled": true })).await;
    let of = |template: &str, user: &str| Order { template: template.into(), user: Some(user.into()), ..Order::default() };
    let refused = [
        (of("device-client", "user1"), "ra.protocol-not-allowed"),
        (of("smime-signing", "user1"), "ra.protocol-not-allowed"),
        (of("user-client", "gone"), "ra.user-disabled"),
        (of("user-client", "nobody"), "server.not-found"),
        (of("nothing", "user1"), "ra.template-unknown"),
        (order("user-client", "x,SERIALNUMBER=1"), "ra.subject-mismatch"),
    ];
    for (order, code) in refused {
        let body = serde_json::to_vec(&json!({ "order": order })).unwrap();
        let answer = server.admin.call("POST", "/pfx", &body).await;
        assert!(answer.status >= 400 && answer.text().contains(code), "{order:?}: {}", answer.text());
    }
    // Nobody waits for a file while somebody else decides.
    let made = server.admin.pfx(&of("held", "user1"), false).await;
    assert_eq!((made.request.state.as_str(), made.request.reason.as_deref()), ("denied", Some("ra.approval-denied")));
    assert!(made.file.is_none() && made.passphrase.is_none());
    assert!(server.admin.certificates().await.is_empty());
}

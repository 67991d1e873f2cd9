//! Encryption keys for mail: archived, delivered with their history, recovered by two people; read with OpenSSL.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use lanyard_model::time::Span;
use lanyard_server::api::types::Order;
use lanyard_testkit::{
    http::{Response, encode, tls},
    programs::{Done, program, run},
    server::TestServer,
};
use serde_json::{Value, json};
use tokio::process::Command;

use super::support::{Person, add_person, between, portal};
use crate::support::audited;

async fn openssl(arguments: &[&str], files: &[(&str, &Path)]) -> Done {
    let mut command = Command::new(program("openssl", "openssl"));
    command.args(arguments);
    for (option, path) in files {
        command.arg(option).arg(path);
    }
    run(&mut command).await
}

/// A device with what is in a file, in a folder of its own: PEM of keys and certificates, by localKeyID.
struct Phone {
    folder: PathBuf,
    pairs: Vec<(PathBuf, PathBuf)>,
}

impl Phone {
    async fn with(server: &TestServer, name: &str, file: &[u8], passphrase: &str) -> Self {
        let folder = server.site.temp.path().join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("p12"), file).unwrap();
        let pass = format!("pass:{passphrase}");
        let read = openssl(&["pkcs12", "-nodes", "-passin", &pass], &[("-in", &folder.join("p12"))]).await.good();
        let mut parts: BTreeMap<String, (String, String)> = BTreeMap::new();
        for bag in read.split("Bag Attributes").skip(1) {
            let Some(id) = bag.split("localKeyID: ").nth(1).and_then(|rest| rest.lines().next()) else { continue };
            let pem = &bag[bag.find("-----BEGIN").unwrap()..];
            let pair = parts.entry(id.trim().to_owned()).or_default();
            if pem.contains("PRIVATE KEY") { pair.0.push_str(pem) } else { pair.1.push_str(pem) }
        }
        let written = parts.into_values().enumerate().map(|(n, (key, certificate))| {
            let paths = (folder.join(format!("{n}.key")), folder.join(format!("{n}.pem")));
            fs::write(&paths.0, key).unwrap();
            fs::write(&paths.1, certificate).unwrap();
            paths
        });
        Self { pairs: written.collect(), folder }
    }

    /// A mail, read with whichever key reads it.
    async fn reads(&self, mail: &Path) -> Option<String> {
        for (key, certificate) in &self.pairs {
            let out = self.folder.join("read");
            let files = [("-in", mail), ("-inkey", key), ("-recip", certificate), ("-out", out.as_path())];
            if openssl(&["cms", "-decrypt"], &files).await.success {
                return Some(fs::read_to_string(out).unwrap().trim().to_owned());
            }
        }
        None
    }
}

/// A mail to whom a certificate is.
async fn write(server: &TestServer, name: &str, text: &str, certificate: &str) -> PathBuf {
    let path = |ending: &str| server.site.temp.path().join(format!("{name}.{ending}"));
    fs::write(path("txt"), text).unwrap();
    fs::write(path("pem"), certificate).unwrap();
    let mut command = Command::new(program("openssl", "openssl"));
    command.args(["cms", "-encrypt", "-aes256", "-in"]).arg(path("txt")).arg("-out").arg(path("eml")).arg(path("pem"));
    run(&mut command).await.good();
    path("eml")
}

fn order() -> Order {
    Order { template: "smime-encryption".into(), user: Some("user1".into()), ..Order::default() }
}

/// A person with an administrator's token.
async fn token(server: &TestServer, user: &str) -> String {
    server.admin.save_user(json!({ "name": user })).await;
    let wish = json!({ "role": "administrator", "description": user, "user": user });
    let made = server.admin.call("POST", "/tokens", wish.to_string().as_bytes()).await;
    let made: Value = serde_json::from_slice(&made.body).unwrap();
    made["token"].as_str().unwrap().to_owned()
}

async fn call(server: &TestServer, token: &str, path: &str, body: Value) -> Response {
    let fields = format!("Content-Type: application/json\r\nAuthorization: Bearer {token}\r\n");
    tls(server.https, &server.site.root, &encode("POST", &format!("/api/v1{path}"), &fields, body.to_string().as_bytes())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn old_mail_stays_readable_across_a_renewal_and_a_recovery() {
    let server = TestServer::start().await;
    add_person(&server, "user1").await;
    let first = server.admin.pfx(&order(), false).await;
    let mail = write(&server, "first", "to the first key", first.certificate.as_ref().unwrap()).await;
    let decoded = |file: &Option<String>| STANDARD.decode(file.as_ref().unwrap()).unwrap();
    let phone = Phone::with(&server, "phone", &decoded(&first.file), first.passphrase.as_ref().unwrap()).await;
    assert_eq!(phone.reads(&mail).await.as_deref(), Some("to the first key"));

    // The next one brings the old key along: a new phone that never saw the first file reads both.
    server.advance(Span::from_days(640));
    let second = server.admin.pfx(&order(), false).await;
    assert_eq!((first.history, second.history), (0, 1));
    let later = write(&server, "second", "to the second key", second.certificate.as_ref().unwrap()).await;
    assert_eq!(phone.reads(&later).await, None);
    let new = Phone::with(&server, "new", &decoded(&second.file), second.passphrase.as_ref().unwrap()).await;
    assert_eq!(new.pairs.len(), 2);
    assert_eq!(new.reads(&mail).await.as_deref(), Some("to the first key"));
    assert_eq!(new.reads(&later).await.as_deref(), Some("to the second key"));

    // All phones are lost. One person alone cannot get the keys, whatever they try.
    let (jo, kim) = (token(&server, "jo").await, token(&server, "kim").await);
    let asked = call(&server, &jo, "/recoveries", json!({ "user": "user1", "reason": "phone lost" })).await;
    assert_eq!(asked.status, 200, "{}", asked.text());
    let id = serde_json::from_slice::<Value>(&asked.body).unwrap()["id"].as_str().unwrap().to_owned();
    let (approve, fetch) = (format!("/recoveries/{id}/approve"), format!("/recoveries/{id}/carry-out"));
    let another_login_of_jo = token(&server, "jo").await;
    for (who, path) in [(&jo, &fetch), (&jo, &approve), (&another_login_of_jo, &approve), (&kim, &fetch)] {
        let answer = call(&server, who, path, json!({})).await;
        assert_eq!(answer.status, 403, "{path}: {}", answer.text());
    }
    assert_eq!(call(&server, &kim, &approve, json!({})).await.status, 200);
    assert_eq!(call(&server, &kim, &fetch, json!({})).await.status, 403);
    let given = call(&server, &jo, &fetch, json!({})).await;
    assert_eq!(given.status, 200, "{}", given.text());
    let given: Value = serde_json::from_slice(&given.body).unwrap();
    let file = STANDARD.decode(given["file"].as_str().unwrap()).unwrap();
    let recovered = Phone::with(&server, "recovered", &file, given["passphrase"].as_str().unwrap()).await;
    assert_eq!(recovered.reads(&mail).await.as_deref(), Some("to the first key"));
    assert_eq!(recovered.reads(&later).await.as_deref(), Some("to the second key"));
    // Once.
    assert_eq!(call(&server, &jo, &fetch, json!({})).await.status, 409);
    let audited = audited(&server).await;
    let count = |kind: &str| audited.get(&(kind.to_owned(), String::new())).copied().unwrap_or(0);
    assert_eq!(
        (count("key-archived"), count("recovery-asked"), count("recovery-approved"), count("keys-recovered")),
        (2, 1, 1, 1)
    );
    assert!(server.admin.verify_audit().await.intact);

    // What is kept is sealed: no file of the installation has a piece of a key.
    let der = openssl(&["pkey", "-outform", "DER"], &[("-in", &new.pairs[0].0), ("-out", &new.folder.join("der"))]).await;
    assert!(der.success);
    let der = fs::read(new.folder.join("der")).unwrap();
    let piece = &der[der.len() - 100..der.len() - 60];
    for file in fs::read_dir(server.dir()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        assert!(!fs::read(&file).unwrap().windows(piece.len()).any(|window| window == piece), "{}", file.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_by_scep_is_refused_and_the_portal_makes_the_file() {
    let server = portal().start().await;
    add_person(&server, "user1").await;
    let body = serde_json::to_vec(&order()).unwrap();
    let refused = server.admin.call("POST", "/challenges", &body).await;
    assert!(refused.status == 422 && refused.text().contains("PFX"), "{}", refused.text());
    let nobody =
        serde_json::to_vec(&json!({ "order": { "template": "smime-encryption", "subject": "CN=x,O=Example" } })).unwrap();
    assert!(server.admin.call("POST", "/pfx", &nobody).await.status >= 400);

    let person = Person::signed_in(&server, "user1").await;
    let token = person.token().await;
    let wanted = [("token", token.as_str()), ("profile", "people"), ("template", "smime-encryption")];
    assert_eq!(person.post("/portal/challenge", &wanted).await.status, 403);
    assert_eq!(person.post("/portal/identity", &wanted).await.status, 200);
    let shown = person.post("/portal/identity", &wanted).await.text();
    assert!(shown.contains("1 earlier key(s)"), "{shown}");
    let passphrase = between(&shown, "id=\"passphrase\">", "<");
    let file = person.post("/portal/file", &[("token", &token), ("file", &super::support::value(&shown, "file"))]).await;
    assert_eq!(Phone::with(&server, "phone", &file.body, &passphrase).await.pairs.len(), 2);
}

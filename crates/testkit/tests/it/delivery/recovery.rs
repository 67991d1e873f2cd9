//! Recovery of archived keys by the program's own commands: two people, each with a token of their own.

use std::{fs, os::unix::fs::PermissionsExt};

use lanyard_model::secret::SecretText;
use lanyard_pki::{pem, pkcs12::Pkcs12};
use lanyard_testkit::{
    process::lanyard,
    programs::{Done, run},
    server::TestServer,
};
use serde_json::Value;
use tokio::process::Command;

use super::support::{add_person, portal};

struct People<'s> {
    server: &'s TestServer,
}

impl People<'_> {
    fn at(&self, name: &str) -> String {
        self.server.site.temp.path().join(name).display().to_string()
    }

    async fn here(&self, arguments: &[&str]) -> Done {
        run(Command::new(lanyard()).args(arguments).arg("--dir").arg(self.server.dir())).await
    }

    /// A token of a person, in a file of their own.
    async fn token(&self, file: &str, user: &str) {
        let made = self.here(&["token", "create", "--role", "administrator", "--for", file, "--user", user]).await.good();
        fs::write(self.at(file), made).unwrap();
        fs::set_permissions(self.at(file), fs::Permissions::from_mode(0o600)).unwrap();
    }

    async fn by(&self, token: &str, arguments: &[&str]) -> Done {
        let (server, token, roots) =
            (format!("https://localhost:{}", self.server.https.port()), self.at(token), self.at("root.pem"));
        let mut command = Command::new(lanyard());
        run(command.args(arguments).args(["--server", &server, "--token-file", &token, "--ca-file", &roots])).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_alone_gets_no_keys_and_two_get_them_once() {
    let server = portal().start().await;
    for name in ["user1", "jo", "kim"] {
        add_person(&server, name).await;
    }
    let people = People { server: &server };
    fs::write(people.at("root.pem"), pem::encode(pem::CERTIFICATE, server.site.root.der())).unwrap();
    let file = people.at("user1.pfx");
    people.here(&["cert", "issue", "--template", "smime-encryption", "--user", "user1", "--pfx", &file]).await.good();
    for (file, user) in [("jo.token", "jo"), ("jo-too.token", "jo"), ("kim.token", "kim")] {
        people.token(file, user).await;
    }
    let id = people.by("jo.token", &["recovery", "request", "user1", "--reason", "phone lost"]).await.good().trim().to_owned();
    let (pfx, other) = (people.at("keys.pfx"), people.at("other.pfx"));
    let refused = async |token: &str, arguments: &[&str]| {
        let done = people.by(token, arguments).await;
        assert!(!done.success && !done.output.contains("[server.internal]"), "{token} {arguments:?}: {}", done.output);
    };
    // Alone: neither before anybody agreed, nor by agreeing with oneself, under whatever login.
    refused("jo.token", &["recovery", "fetch", &id, "--pfx", &pfx]).await;
    refused("jo.token", &["recovery", "approve", &id]).await;
    refused("jo-too.token", &["recovery", "approve", &id]).await;
    refused("jo.token", &["recovery", "fetch", &id, "--pfx", &pfx]).await;
    assert!(!fs::exists(&pfx).unwrap(), "nothing is left of what was refused");

    let agreed = people.by("kim.token", &["recovery", "approve", &id]).await.good();
    assert!(agreed.contains("may fetch the keys of user1"), "{agreed}");
    // Whoever agreed gets nothing; whoever asked does, once.
    refused("kim.token", &["recovery", "fetch", &id, "--pfx", &other]).await;
    let done = people.by("jo.token", &["recovery", "fetch", &id, "--pfx", &pfx]).await;
    assert_eq!(fs::metadata(&pfx).unwrap().permissions().mode() & 0o777, 0o600);
    let passphrase = done.good();
    let opened = Pkcs12::decode(&fs::read(&pfx).unwrap(), &SecretText::new(passphrase.trim().to_owned())).unwrap();
    assert_eq!(opened.keys.len(), 1);
    refused("jo.token", &["recovery", "fetch", &id, "--pfx", &other]).await;
    assert!(!fs::exists(&other).unwrap());

    let listed: Vec<Value> = serde_json::from_str(&people.by("kim.token", &["recovery", "list", "--json"]).await.good()).unwrap();
    assert_eq!(
        (listed.len(), listed[0]["reason"].as_str(), listed[0]["given-out-at"].is_string()),
        (1, Some("phone lost"), true)
    );
    assert!(people.here(&["recovery", "list"]).await.good().contains("GIVEN OUT"));
    let audit = server.admin.audit().await;
    let count = |kind: &str| audit.iter().filter(|record| record.kind == kind).count();
    assert_eq!((count("recovery-asked"), count("recovery-approved"), count("keys-recovered")), (1, 1, 1));
}

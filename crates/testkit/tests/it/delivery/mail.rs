//! Certificates and invitations by mail, through a real mail server.

use std::{fs, os::unix::fs::PermissionsExt as _};

use lanyard_model::time::Span;
use lanyard_pki::{cms::signed::SignedData, pem, pkcs12::Pkcs12};
use lanyard_server::{
    api::{delivery_types::PfxMade, types::Order},
    config::Config,
};
use lanyard_testkit::{
    process::lanyard,
    programs::{
        exim::{Exim, PASSWORD},
        run,
    },
    server::TestServer,
};
use serde_json::{Value, json};
use tokio::process::Command;

use super::support::{Person, add_person, between, value};

async fn with(exim: &Exim) -> TestServer {
    let section = format!("{}\n[listen]", exim.section());
    let builder = TestServer::builder().config("[listen]", &section);
    builder.file("mail.pem", exim.certificate.clone()).file("mail.secret", format!("{PASSWORD}\n")).start().await
}

async fn post(server: &TestServer, path: &str, body: Value) -> (u16, Value) {
    let answer = server.admin.call("POST", path, &serde_json::to_vec(&body).unwrap()).await;
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

fn of(template: &str, user: &str) -> Order {
    Order { template: template.into(), user: Some(user.into()), ..Order::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_invited_by_mail_and_fetches_an_identity_once() {
    let exim = Exim::start(&[]).await;
    let server = with(&exim).await;
    add_person(&server, "user1").await;
    let (status, told) = post(&server, "/invitations", json!({ "user": "user1", "template": "user-client", "mail": true })).await;
    assert_eq!((status, &told["sent-to"], &told["link"]), (200, &json!("user1@example.org"), &Value::Null), "{told}");
    let mail = exim.mails(1).await.remove(0);
    assert!(mail.text.contains("To: user1@example.org") && mail.text.contains("Content-Transfer-Encoding"), "{}", mail.text);
    // Handed over by TLS, and signed in.
    assert!(mail.text.contains("esmtpsa"), "{}", mail.text);
    let link = between(&mail.body(), "https://", "\n");
    let path = link.split_once('/').unwrap().1;
    let path = format!("/{path}");
    let nobody = Person::new(&server);
    // Looking at it, as scanners do, uses nothing up.
    for _ in 0..2 {
        let page = nobody.get(&path).await;
        assert!(page.status == 200 && page.text().contains("A person proves who they are"), "{}", page.text());
    }
    assert!(server.admin.certificates().await.is_empty());
    let shown = nobody.post(&path, &[]).await.text();
    let passphrase = between(&shown, "id=\"passphrase\">", "<");
    assert!(!mail.text.contains(&passphrase));
    let file = nobody.post("/portal/invitation-file", &[("file", &value(&shown, "file"))]).await;
    assert_eq!(file.field("content-type"), Some("application/x-pkcs12"));
    let opened = Pkcs12::decode(&file.body, &lanyard_model::secret::SecretText::new(passphrase)).unwrap();
    assert_eq!((opened.keys.len(), opened.certificates.len()), (1, 3));
    assert_eq!(server.admin.certificates().await[0].user.as_deref(), Some("user1"));
    // Once.
    assert_eq!((nobody.get(&path).await.status, nobody.post(&path, &[]).await.status), (410, 410));
    assert_eq!(server.admin.certificates().await.len(), 1);
    // For somebody who is signed in, and nobody else.
    add_person(&server, "user2").await;
    let wanted = json!({ "user": "user1", "template": "user-client", "sign-in": true });
    let link =
        post(&server, "/invitations", wanted).await.1["link"].as_str().unwrap().split_once("/portal").unwrap().1.to_owned();
    let link = format!("/portal{link}");
    assert_eq!((nobody.get(&link).await.status, nobody.post(&link, &[]).await.status), (403, 403));
    assert_eq!(Person::signed_in(&server, "user2").await.post(&link, &[]).await.status, 403);
    assert_eq!(Person::signed_in(&server, "user1").await.post(&link, &[]).await.status, 200);
    assert_eq!(server.admin.certificates().await.len(), 2);
    // Not changed, not later.
    let (_, told) = post(&server, "/invitations", json!({ "user": "user1", "template": "user-client", "ttl": "1h" })).await;
    let link = told["link"].as_str().unwrap().split_once("/portal").unwrap().1.to_owned();
    let changed = format!("/portal{}A{}", &link[..30], &link[31..]);
    assert_eq!(nobody.get(&changed).await.status, 410);
    server.advance(Span::from_secs(3601));
    assert_eq!(nobody.post(&format!("/portal{link}"), &[]).await.status, 410);
    assert_eq!(server.admin.certificates().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_arrive_octet_by_octet_and_a_link_goes_where_they_are_blocked() {
    let exim = Exim::start(&["p12", "pem"]).await;
    let server = with(&exim).await;
    add_person(&server, "user1").await;
    let made = server.admin.pfx(&of("user-client", "user1"), false).await;
    let (serial, text) = (made.request.certificate.unwrap(), made.certificate.unwrap());
    let der = pem::decode(pem::CERTIFICATE, &text).unwrap();
    let path = format!("/certificates/{serial}/send");
    for (form, as_link) in [("cer", false), ("p7b", false), ("pem", true)] {
        let (status, told) = post(&server, &path, json!({ "form": form })).await;
        assert_eq!((status, &told["as-link"]), (200, &json!(as_link)), "{form} {told}");
    }
    let mails = exim.mails(3).await;
    assert_eq!(mails[0].attachment(), ("certificate.cer".to_owned(), der.clone()));
    let (name, bag) = mails[1].attachment();
    let bag = SignedData::decode_certificates(&bag, 10).unwrap();
    assert_eq!((name.as_str(), bag.len(), bag[0].der()), ("certificate.p7b", 3, der.as_slice()));
    let nobody = Person::new(&server);
    let link = format!("/{}", between(&mails[2].body(), "https://", "\n").split_once('/').unwrap().1);
    assert_eq!(nobody.get(&link).await.status, 200);
    let fetched = nobody.post(&link, &[]).await;
    assert_eq!((fetched.status, fetched.body), (200, text.into_bytes()));
    assert_eq!(nobody.post(&link, &[]).await.status, 410);

    // A file with a key is blocked: its certificate is revoked, nobody learns a passphrase, and an invitation goes instead.
    let (status, told) = post(&server, "/pfx", json!({ "order": of("user-client", "user1"), "mail": true })).await;
    let told: PfxMade = serde_json::from_value(told).unwrap();
    assert!(status == 200 && told.passphrase.is_none() && told.file.is_none() && told.sent.unwrap().as_link);
    assert_eq!(server.admin.certificate(&told.request.certificate.unwrap()).await.status, "revoked");
    assert!(exim.mails(4).await[3].body().contains("/portal/invitation/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_its_key_goes_without_its_passphrase() {
    let exim = Exim::start(&[]).await;
    let server = with(&exim).await;
    add_person(&server, "user1").await;
    let (status, told) = post(&server, "/pfx", json!({ "order": of("user-client", "user1"), "mail": true, "old": true })).await;
    let told: PfxMade = serde_json::from_value(told).unwrap();
    let passphrase = told.passphrase.unwrap();
    assert!(status == 200 && told.file.is_none());
    let mail = exim.mails(1).await.remove(0);
    let whole: Vec<u8> = mail.parts().into_iter().flat_map(|(_, octets)| octets).collect();
    assert!(!mail.text.contains(&passphrase) && !String::from_utf8_lossy(&whole).contains(&passphrase));
    let (name, octets) = mail.attachment();
    assert_eq!(name, "identity.p12");
    let opened = Pkcs12::decode(&octets, &lanyard_model::secret::SecretText::new(passphrase)).unwrap();
    assert_eq!(opened.keys.len(), 1);
    // Without an address nothing is made at all.
    server.admin.save_user(json!({ "name": "user2" })).await;
    let (status, told) = post(&server, "/pfx", json!({ "order": of("user-client", "user2"), "mail": true })).await;
    assert!(status == 400 && told["title"].as_str().unwrap().contains("no e-mail address"), "{told}");
    assert_eq!(server.admin.certificates().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_are_invited_from_a_file() {
    let exim = Exim::start(&[]).await;
    let server = with(&exim).await;
    let mut people = "name\n".to_owned();
    for n in 0..120 {
        server.admin.save_user(json!({ "name": format!("user{n}"), "email": format!("user{n}@example.org") })).await;
        people.push_str(&format!("user{n}\n"));
    }
    people.push_str("nobody\n");
    let folder = server.site.temp.path();
    let (file, results) = (folder.join("people.csv"), folder.join("sent.csv"));
    fs::write(&file, people).unwrap();
    let mut command = Command::new(lanyard());
    command.args(["invite", "--template", "user-client", "--mail", "--dir"]).arg(server.dir());
    command.arg("--file").arg(&file).arg("--results").arg(&results);
    let done = run(&mut command).await;
    assert!(!done.success && done.output.contains("120 invited, 1 not"), "{}", done.output);
    let told = fs::read_to_string(&results).unwrap();
    assert_eq!((told.lines().count(), told.matches("\"sent\"").count()), (122, 120), "{told}");
    assert!(told.lines().last().unwrap().contains("\"nobody\",\"failed\""), "{told}");
    assert_eq!(fs::metadata(&results).unwrap().permissions().mode() & 0o777, 0o600);
    let mails = exim.mails(120).await;
    let links: std::collections::BTreeSet<String> = mails.iter().map(|mail| between(&mail.body(), "https://", "\n")).collect();
    assert_eq!(links.len(), 120);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_cannot_be_believed_gets_nothing() {
    let (exim, other) = (Exim::start(&[]).await, Exim::start(&[]).await);
    let section = format!("{}\n[listen]", exim.section());
    let builder = TestServer::builder().config("[listen]", &section).file("mail.pem", other.certificate.clone());
    let server = builder.file("mail.secret", PASSWORD).start().await;
    add_person(&server, "user1").await;
    let (status, told) = post(&server, "/invitations", json!({ "user": "user1", "template": "user-client", "mail": true })).await;
    assert_eq!((status, &told["code"]), (502, &json!("server.mail")), "{told}");
    let section = exim.section();
    for (from, to, problem) in [
        ("ca-file = \"mail.pem\"\n", "", "mail.ca-file is missing"),
        ("server = \"localhost\"", "server = \"mail.example.org\"\ntls = \"none\"", "on this machine only"),
        ("<pki@example.org>", "<pki>", "no mail address"),
        ("password-file = \"mail.secret\"\n", "", "go together"),
    ] {
        let changed = section.replace(from, to);
        assert_ne!(changed, section);
        let config =
            format!("organization = \"x\"\nurl = \"http://x\"\n{changed}[listen]\nhttp = \"[::]:1\"\nhttps = \"[::]:2\"\n");
        let refused = Config::from_text(&config, std::path::Path::new("lanyard.toml")).unwrap_err();
        assert!(refused.to_string().contains(problem), "{refused}");
    }
}

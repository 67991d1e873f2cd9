//! The page where people help themselves, without a browser.

use std::{fs, process::Command};

use lanyard_model::time::Span;
use lanyard_pki::{certificate::Certificate, cms::signed::SignedData, pem};
use lanyard_server::api::types::Order;
use lanyard_testkit::server::TestServer;
use serde_json::json;

use super::support::{PASSWORD, Person, add_person, between, form, portal, value};
use crate::support::audited;

/// A person with a device and an identity for each.
async fn with_device(server: &TestServer, name: &str, device: &str) {
    add_person(server, name).await;
    server.admin.save_device(json!({ "id": device, "name": device, "user": name })).await;
}

#[tokio::test]
async fn somebody_gets_an_identity_and_reports_the_device_lost() {
    let server = portal().start().await;
    with_device(&server, "user1", "phone-1").await;
    let person = Person::signed_in(&server, "user1").await;
    let page = person.get("/portal").await.text();
    assert!(page.contains("Person user1") && page.contains("phone-1") && page.contains("A person proves who they are"), "{page}");
    let token = person.token().await;
    let order = [("token", token.as_str()), ("profile", "people"), ("template", "user-client"), ("device", "phone-1")];
    let shown = person.post("/portal/identity", &order).await;
    assert_eq!(shown.status, 200, "{}", shown.text());
    assert_eq!(shown.field("cache-control"), Some("no-store"));
    let shown = shown.text();
    let passphrase = between(&shown, "id=\"passphrase\">", "<");
    let files: Vec<&str> = shown.split("name=\"file\" value=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(files.len(), 2);
    for (file, arguments) in files.into_iter().zip([&[][..], &["-legacy"][..]]) {
        let answer = person.post("/portal/file", &[("token", &token), ("file", file)]).await;
        assert_eq!((answer.status, answer.field("content-type")), (200, Some("application/x-pkcs12")), "{}", answer.text());
        let path = server.site.temp.path().join("identity.p12");
        fs::write(&path, &answer.body).unwrap();
        let mut openssl = Command::new("openssl");
        openssl.args(["pkcs12", "-nodes", "-in"]).arg(&path).args(arguments).arg("-passin").arg(format!("pass:{passphrase}"));
        let read = openssl.output().expect("openssl");
        let text = String::from_utf8_lossy(&read.stdout).into_owned();
        assert!(read.status.success() && text.contains("PRIVATE KEY") && text.contains("CN = user1"), "{text}");
    }
    let issued = server.admin.certificates().await;
    let one = &issued[0];
    assert_eq!((issued.len(), one.user.as_deref(), one.device.as_deref()), (1, Some("user1"), Some("phone-1")));

    // Asked once more, then revoked and blocked at once.
    let page = person.get("/portal/lost?device=phone-1").await.text();
    assert!(page.contains("Is it lost?") && page.contains("1 valid"), "{page}");
    let done = person.post("/portal/lost", &[("token", &token), ("device", "phone-1")]).await;
    assert!(done.status == 200 && done.text().contains("1 certificate(s) were revoked"), "{}", done.text());
    let one = server.admin.certificate(&one.serial).await;
    assert_eq!((one.status.as_str(), one.revocation_reason.as_deref()), ("revoked", Some("keyCompromise")));
    let again = person.post("/portal/identity", &order).await;
    assert!(again.status == 403 && again.text().contains("The device is blocked."), "{}", again.text());
    let audited = audited(&server).await;
    for kind in ["signed-in", "certificate-issued", "reported-lost", "certificate-revoked"] {
        assert!(audited.keys().any(|(found, _)| found == kind), "{kind}: {audited:?}");
    }
}

#[tokio::test]
async fn nobody_gets_what_is_not_theirs_or_not_listed() {
    let server = portal().start().await;
    with_device(&server, "user1", "phone-1").await;
    with_device(&server, "user2", "phone-2").await;
    let theirs =
        Order { template: "user-client".into(), user: Some("user2".into()), device: Some("phone-2".into()), ..Order::default() };
    let theirs = server.admin.pfx(&theirs, false).await.request.certificate.unwrap();
    let person = Person::signed_in(&server, "user1").await;
    let token = person.token().await;
    let page = person.get("/portal").await.text();
    assert!(!page.contains("phone-2") && !page.contains(&theirs), "{page}");
    let ask = async |profile: &str, template: &str, device: &str, path: &str| {
        let fields = [("token", token.as_str()), ("profile", profile), ("template", template), ("device", device)];
        let answer = person.post(path, &fields).await;
        (answer.status, answer.text())
    };
    for path in ["/portal/identity", "/portal/challenge"] {
        for (profile, template, device) in [
            // Not listed anywhere, listed elsewhere, somebody else's device, and nothing that exists.
            ("people", "tls-server", ""),
            ("default", "user-client", ""),
            ("people", "user-client", "phone-2"),
            ("people", "user-client", "phone-3"),
            ("nothing", "user-client", ""),
        ] {
            let (status, text) = ask(profile, template, device, path).await;
            assert!(matches!(status, 403 | 404), "{path} {profile} {template} {device}: {status} {text}");
        }
    }
    for target in ["device=phone-2".to_owned(), format!("certificate={theirs}")] {
        assert_eq!(person.get(&format!("/portal/lost?{target}")).await.status, 404);
        let (field, value) = target.split_once('=').unwrap();
        assert_eq!(person.post("/portal/lost", &[("token", &token), (field, value)]).await.status, 404);
    }
    assert_eq!(server.admin.certificate(&theirs).await.status, "valid");
    assert_eq!(server.admin.certificates().await.len(), 1);
    // A file that another person's page carries opens nothing.
    let (status, shown) = ask("people", "user-client", "", "/portal/identity").await;
    assert_eq!(status, 200, "{shown}");
    let other = Person::signed_in(&server, "user2").await;
    let stolen = [("token", other.token().await), ("file", value(&shown, "file"))];
    let stolen: Vec<(&str, &str)> = stolen.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(other.post("/portal/file", &stolen).await.status, 403);
}

#[tokio::test]
async fn forms_from_elsewhere_and_old_sessions_do_nothing() {
    let server = portal().start().await;
    add_person(&server, "user1").await;
    let person = Person::signed_in(&server, "user1").await;
    let token = person.token().await;
    let fields = [("token", token.as_str()), ("profile", "people"), ("template", "user-client")];
    let ours = "Origin: https://localhost\r\n";
    for headers in [
        "",
        "Origin: null\r\n",
        "Origin: https://localhost.evil.example\r\n",
        "Origin: http://localhost\r\n",
        "Origin: https://localhost\r\nSec-Fetch-Site: cross-site\r\n",
        "Origin: https://localhost\r\nSec-Fetch-Site: same-site\r\n",
        "Sec-Fetch-Site: same-origin\r\n",
    ] {
        for path in
            ["/portal/identity", "/portal/lost", "/portal/sign-in", "/portal/sign-out", "/portal/file", "/portal/challenge"]
        {
            assert_eq!(person.exchange("POST", path, headers, &form(&fields)).await.status, 403, "{path} {headers}");
        }
    }
    // The right origin and a wrong token, or another session's.
    let other = Person::signed_in(&server, "user1").await.token().await;
    for wrong in ["", "x", &other] {
        let fields = [("token", wrong), ("profile", "people"), ("template", "user-client")];
        assert_eq!(person.exchange("POST", "/portal/identity", ours, &form(&fields)).await.status, 403);
    }
    assert!(server.admin.certificates().await.is_empty());
    // Signed out: the cookie is worth nothing, wherever it was copied to.
    assert_eq!(person.post("/portal/sign-out", &[("token", &token)]).await.status, 303);
    assert!(person.get("/portal").await.text().contains("name=\"password\""));
    assert_eq!(person.post("/portal/identity", &fields).await.field("location"), Some("/portal"));
    // Too old.
    let person = Person::signed_in(&server, "user1").await;
    server.advance(Span::from_secs(901));
    assert!(person.get("/portal").await.text().contains("name=\"password\""));
    // Disabled meanwhile.
    let person = Person::signed_in(&server, "user1").await;
    server.admin.save_user(json!({ "name": "user1", "disabled": true })).await;
    assert!(person.get("/portal").await.text().contains("name=\"password\""));
    // Not on plain HTTP at all.
    assert_eq!(lanyard_testkit::http::get(server.http, "/portal").await.status, 404);
}

#[tokio::test]
async fn wrong_passwords_are_counted_and_look_alike() {
    let server = portal().start().await;
    add_person(&server, "user1").await;
    let person = Person::new(&server);
    let wrong = async |name: &str| person.post("/portal/sign-in", &[("user", name), ("password", "guess guess")]).await;
    let strip = |text: String| text.split(" (").next().unwrap().replace("user1", "").replace("nobody", "");
    let (known, unknown) = (wrong("user1").await, wrong("nobody").await);
    assert_eq!((known.status, strip(known.text())), (unknown.status, strip(unknown.text())));
    for _ in 0..10 {
        wrong("user1").await;
    }
    // Even the right one has to wait now.
    let late = person.post("/portal/sign-in", &[("user", "user1"), ("password", PASSWORD)]).await;
    assert_eq!(late.status, 429, "{}", late.text());
    server.advance(Span::from_secs(600));
    Person::signed_in(&server, "user1").await;
}

#[tokio::test]
async fn roots_come_in_the_form_of_each_platform() {
    let server = portal().start().await;
    let nobody = Person::new(&server);
    let page = nobody.get("/portal/roots").await.text();
    let fingerprint: String = lanyard_model::text::hex(&server.site.root.fingerprint()).to_uppercase();
    assert!(page.replace(':', "").contains(&fingerprint), "{page}");
    let name = between(&page, "/portal/roots/", ".mobileconfig");
    for (file, media_type) in [
        (format!("{name}.cer"), "application/x-x509-ca-cert"),
        (format!("{name}.pem"), "application/x-pem-file"),
        ("roots.p7b".to_owned(), "application/x-pkcs7-certificates"),
        ("roots.mobileconfig".to_owned(), "application/x-apple-aspen-config"),
    ] {
        let answer = nobody.get(&format!("/portal/roots/{file}")).await;
        assert_eq!((answer.status, answer.field("content-type")), (200, Some(media_type)), "{file}");
        assert_eq!(answer.field("content-disposition"), Some(format!("attachment; filename=\"{file}\"").as_str()));
        let found = match file.rsplit_once('.').unwrap().1 {
            "cer" => answer.body,
            "pem" => pem::decode(pem::CERTIFICATE, &answer.text()).unwrap(),
            "p7b" => SignedData::decode_certificates(&answer.body, 10).unwrap()[0].der().to_vec(),
            _ => {
                let content = SignedData::decode(&answer.body).unwrap().content.unwrap();
                assert!(String::from_utf8(content).unwrap().contains("com.apple.security.root"));
                continue;
            }
        };
        assert_eq!(Certificate::decode(&found).unwrap().der(), server.site.root.der(), "{file}");
    }
    for file in ["roots.cer.exe", "root-00000000.cer", "roots", "..%2flanyard.toml", "roots.cer%0d%0aX:%20y"] {
        assert_eq!(nobody.get(&format!("/portal/roots/{file}")).await.status, 404, "{file}");
    }
}

#[tokio::test]
async fn text_from_outside_is_text_on_every_page() {
    let server = portal().start().await;
    let evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
    add_person(&server, "user1").await;
    server.admin.save_user(json!({ "name": "user1", "display-name": evil, "email": "user1@example.org" })).await;
    server.admin.save_device(json!({ "id": "phone-1", "name": evil, "user": "user1" })).await;
    let person = Person::signed_in(&server, "user1").await;
    let token = person.token().await;
    let order = [("token", token.as_str()), ("profile", "people"), ("template", "user-client"), ("device", "phone-1")];
    let failed = person.post("/portal/sign-in", &[("user", evil), ("password", "x")]).await;
    let pages = [
        person.get("/portal").await,
        person.get("/portal/lost?device=phone-1").await,
        person.post("/portal/identity", &order).await,
        person.get("/portal").await,
        failed,
    ];
    for page in pages {
        let policy = page.field("content-security-policy").unwrap().to_owned();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe") && !policy.contains("script"), "{policy}");
        let text = page.text();
        assert!(!text.contains("<script") && !text.contains("<img"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_identity_names_the_one_before_and_only_ones_own() {
    let server = portal().start().await;
    add_person(&server, "user1").await;
    add_person(&server, "user2").await;
    let person = Person::signed_in(&server, "user1").await;
    let token = person.token().await;
    let order = [("token", token.as_str()), ("profile", "people"), ("template", "user-client"), ("device", "")];
    assert_eq!(person.post("/portal/identity", &order).await.status, 200);
    let page = person.get("/portal").await.text();
    let first = server.admin.certificates().await[0].serial.clone();
    assert_eq!(super::support::value(&page, "renews"), first, "the button says what it renews");

    // Somebody else's certificate has no successor of mine.
    let other = Person::signed_in(&server, "user2").await;
    let stranger = other.token().await;
    let theirs = [("token", stranger.as_str()), ("profile", "people"), ("template", "user-client"), ("renews", first.as_str())];
    let refused = other.post("/portal/identity", &theirs).await;
    assert_eq!(refused.status, 403, "{}", refused.text());
    // Nor has one of another template.
    let encryption =
        [("token", token.as_str()), ("profile", "people"), ("template", "smime-encryption"), ("renews", first.as_str())];
    assert_eq!(person.post("/portal/identity", &encryption).await.status, 403);
    assert_eq!(server.admin.certificates().await.len(), 1);

    let renewal = [&order[..], &[("renews", first.as_str())]].concat();
    assert_eq!(person.post("/portal/identity", &renewal).await.status, 200);
    let before = server.admin.certificate(&first).await;
    let second = before.renewed_by.clone().expect("a successor");
    assert_eq!(
        (before.status.as_str(), server.admin.certificate(&second).await.renews.as_deref()),
        ("valid", Some(first.as_str()))
    );
    // Only the newest is renewed; the page offers nothing else.
    let page = person.get("/portal").await.text();
    assert_eq!((page.matches("name=\"renews\"").count(), super::support::value(&page, "renews")), (1, second));
}

//! Policies in the form of other platforms: signed, well-formed, and good for an enrolment.

use std::{fs, path::Path};

use lanyard_testkit::{
    keys::rsa,
    process::lanyard,
    programs::{program, run, write_certificates},
    scep::{device::Device, endpoint::Endpoint},
    server::TestServer,
};
use serde_json::{Value, json};
use tokio::process::Command;

use super::support::{Person, add_person, portal};

const POLICY: &str = r#"
format = 1
name = "phones"
revision = 3
description = "Phones that nobody manages"
[[scep]]
name = "wifi"
template = "user-client"
[[wifi]]
ssid = "Example & <Co>"
security = "wpa3"
eap = { scep = "wifi", server-names = ["radius.example.org"] }
[[mail]]
guid = "{c556e16f-56c4-4edb-9c64-d9469ee1fbe0}"
account-name = "Example"
server-name = "mail.example.org"
"#;

/// Keys of the payloads as Apple's schema spells them (github.com/apple/device-management, mdm/profiles).
const COMMON: &[&str] = &[
    "PayloadType",
    "PayloadVersion",
    "PayloadIdentifier",
    "PayloadUUID",
    "PayloadDisplayName",
    "PayloadDescription",
    "PayloadOrganization",
];
const TOP: &[&str] = &["PayloadContent", "PayloadRemovalDisallowed"];
const CERTIFICATE: &[&str] = &["PayloadContent", "PayloadCertificateFileName"];
const SCEP: &[&str] = &[
    "URL",
    "Name",
    "Subject",
    "Challenge",
    "Keysize",
    "Key Type",
    "Key Usage",
    "CAFingerprint",
    "Retries",
    "RetryDelay",
    "SubjectAltName",
    "KeyIsExtractable",
];
const WIFI: &[&str] =
    &["SSID_STR", "HIDDEN_NETWORK", "AutoJoin", "EncryptionType", "PayloadCertificateUUID", "EAPClientConfiguration"];
const EAP: &[&str] = &["AcceptEAPTypes", "PayloadCertificateAnchorUUID", "TLSTrustedServerNames", "TLSMinimumVersion"];
const MAIL: &[&str] = &["EmailAddress", "Host", "UserName", "SSL", "SMIMESigningEnabled", "SMIMESigningCertificateUUID"];

fn assert_keys(value: &Value, known: &[&[&str]]) {
    for key in value.as_object().expect("a dictionary").keys() {
        assert!(known.iter().any(|list| list.contains(&key.as_str())), "{key} is in no schema");
    }
}

/// What OpenSSL takes out of a signature under this root.
async fn verified(folder: &Path, root: &lanyard_pki::certificate::Certificate, file: &[u8]) -> Vec<u8> {
    let path = |name: &str| folder.join(name);
    fs::write(path("signed"), file).unwrap();
    write_certificates(&path("root.pem"), &[root]);
    for command in ["smime", "cms"] {
        let mut openssl = Command::new(program("openssl", "openssl"));
        openssl.args([command, "-verify", "-inform", "DER", "-binary", "-in"]).arg(path("signed"));
        openssl.arg("-CAfile").arg(path("root.pem")).arg("-out").arg(path("content"));
        let done = run(&mut openssl).await;
        assert!(done.success, "{command}: {}", done.output);
    }
    fs::read(path("content")).unwrap()
}

/// What Python's reader of property lists makes of it, octets in hexadecimal.
async fn plist(folder: &Path, text: &[u8]) -> Value {
    let path = folder.join("plist");
    fs::write(&path, text).unwrap();
    let script =
        "import plistlib,json,sys; json.dump(plistlib.load(open(sys.argv[1],'rb')), sys.stdout, default=lambda o: o.hex())";
    let mut python = Command::new(program("python3", "python3"));
    serde_json::from_str(&run(python.args(["-c", script]).arg(path)).await.good()).unwrap()
}

fn payload<'p>(profile: &'p Value, kind: &str) -> &'p Value {
    let all = profile["PayloadContent"].as_array().unwrap();
    all.iter().find(|payload| payload["PayloadType"] == kind).unwrap_or_else(|| panic!("no {kind}: {profile}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_becomes_a_signed_profile_with_which_an_apple_device_enrols() {
    let server = TestServer::builder().profile("default", "phones", &[]).file("fleet/phones.toml", POLICY).start().await;
    add_person(&server, "user1").await;
    let folder = server.site.temp.path();
    let export = async |platform: &str, user: &[&str]| {
        let mut command = Command::new(lanyard());
        command.args(["profile", "export", "phones", "--platform", platform, "--dir"]).arg(server.dir()).args(user);
        command.stdin(std::process::Stdio::null()).output().await.unwrap()
    };
    let made = export("apple", &["--user", "user1"]).await;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let text = verified(folder, &server.site.root, &made.stdout).await;
    let profile = plist(folder, &text).await;
    assert_keys(&profile, &[COMMON, TOP]);
    assert_eq!((&profile["PayloadType"], &profile["PayloadVersion"]), (&json!("Configuration"), &json!(1)));

    let root = payload(&profile, "com.apple.security.root");
    assert_keys(root, &[COMMON, CERTIFICATE]);
    assert_eq!(root["PayloadContent"], json!(lanyard_model::text::hex(server.site.root.der())));
    let between = payload(&profile, "com.apple.security.pkcs1");
    assert_eq!(between["PayloadContent"], json!(lanyard_model::text::hex(server.site.issuing.der())));
    let scep = payload(&profile, "com.apple.security.scep");
    assert_keys(&scep["PayloadContent"], &[SCEP]);
    let content = &scep["PayloadContent"];
    assert_eq!((&content["Keysize"], &content["Key Type"], &content["Key Usage"]), (&json!(2048), &json!("RSA"), &json!(1)));
    assert_eq!(content["Subject"], json!([[["CN", "user1"]], [["O", "Example"]]]));
    assert_eq!(content["SubjectAltName"], json!({ "rfc822Name": "user1@example.org" }));
    let wifi = payload(&profile, "com.apple.wifi.managed");
    assert_keys(wifi, &[COMMON, WIFI]);
    assert_keys(&wifi["EAPClientConfiguration"], &[EAP]);
    assert_eq!((&wifi["SSID_STR"], &wifi["EncryptionType"]), (&json!("Example & <Co>"), &json!("WPA3")));
    assert_eq!(wifi["PayloadCertificateUUID"], scep["PayloadUUID"]);
    assert_eq!(wifi["EAPClientConfiguration"]["PayloadCertificateAnchorUUID"], json!([root["PayloadUUID"]]));
    let mail = payload(&profile, "com.apple.eas.account");
    assert_keys(mail, &[COMMON, MAIL]);
    assert_eq!(mail["EmailAddress"], "user1@example.org");

    // What an Apple device would do with it: exactly these names, and the challenge, once.
    let endpoint = Endpoint::at(server.http, "default").await;
    let device = Device::new(rsa(0), "CN=user1,O=Example");
    let mut device = device.challenge(content["Challenge"].as_str().unwrap());
    device.info.san = vec!["email:user1@example.org".parse().unwrap()];
    let reply = endpoint.enrol(&device).await;
    reply.certificate().verify_issued_by(&server.site.issuing).unwrap();

    // A newer profile replaces the older one, with another challenge.
    let again = export("apple", &["--user", "user1"]).await;
    let again = plist(folder, &verified(folder, &server.site.root, &again.stdout).await).await;
    assert_eq!(again["PayloadUUID"], profile["PayloadUUID"]);
    assert_ne!(payload(&again, "com.apple.security.scep")["PayloadContent"]["Challenge"], content["Challenge"]);
    // An identity without a person is nobody's.
    assert!(!export("apple", &[]).await.status.success());

    for platform in ["linux", "android"] {
        let made = export(platform, &["--user", "user1"]).await;
        let policy: Value = serde_json::from_slice(&verified(folder, &server.site.root, &made.stdout).await).unwrap();
        assert_eq!((&policy["platform"], &policy["revision"]), (&json!(platform), &json!(3)));
        assert_eq!(policy["scep"][0]["san"], json!(["email:user1@example.org"]));
        assert_eq!(policy["wifi"][0]["identity"], policy["scep"][0]["name"]);
    }
    assert!(server.admin.audit().await.iter().filter(|record| record.kind == "profile-exported").count() >= 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_fetches_a_profile_for_their_own_phone() {
    let server = portal().start().await;
    add_person(&server, "user1").await;
    let person = Person::signed_in(&server, "user1").await;
    let token = person.token().await;
    let order = [("token", token.as_str()), ("profile", "people"), ("template", "user-client")];
    let answer = person.post("/portal/apple", &order).await;
    assert_eq!(
        (answer.status, answer.field("content-type")),
        (200, Some("application/x-apple-aspen-config")),
        "{}",
        answer.text()
    );
    let folder = server.site.temp.path();
    let profile = plist(folder, &verified(folder, &server.site.root, &answer.body).await).await;
    let content = &payload(&profile, "com.apple.security.scep")["PayloadContent"];
    assert!(content["URL"].as_str().unwrap().ends_with("/scep/people"), "{content}");
    let endpoint = Endpoint::at(server.http, "people").await;
    let mut device = Device::new(rsa(0), "CN=user1,O=Example").challenge(content["Challenge"].as_str().unwrap());
    device.info.san = vec!["email:user1@example.org".parse().unwrap()];
    assert_eq!(endpoint.enrol(&device).await.status, "0");
}

//! Template files: what is refused when they are loaded.

use lanyard_ra::template::{Templates, builtin};

use crate::support::*;

#[test]
fn builtin_templates_load() {
    let templates = Templates::load(files(builtin())).unwrap();
    let names: Vec<&str> = templates.iter().map(|t| t.name.as_str()).collect();
    let expected = [
        "code-signing",
        "device-client",
        "mdm-identity",
        "smime-encryption",
        "smime-signing",
        "tls-server",
        "user-client",
        "vpn",
        "wifi",
    ];
    assert_eq!(names, expected);
}

#[test]
fn builtin_templates_follow_revocation_3_2() {
    let templates = Templates::load(files(builtin())).unwrap();
    let told: Vec<String> = templates
        .iter()
        .map(|t| {
            let purposes: Vec<String> = t.usage.extended_key_usage.iter().map(ToString::to_string).collect();
            let protocols: Vec<String> = t.protocols.iter().map(ToString::to_string).collect();
            format!("{} {:?} {} {} {:?}", t.name, t.usage.key_usage, purposes.join("+"), protocols.join("+"), t.approval)
        })
        .collect();
    assert_eq!(
        told,
        [
            "code-signing {DigitalSignature} codeSigning scep Person",
            "device-client {DigitalSignature} clientAuth scep+est+acme+api Automatic",
            "mdm-identity {DigitalSignature} clientAuth wstep+scep+api Automatic",
            "smime-encryption {KeyEncipherment} emailProtection pfx Automatic",
            "smime-signing {DigitalSignature} emailProtection scep+est+api Automatic",
            "tls-server {DigitalSignature} serverAuth scep+est+acme+api Automatic",
            "user-client {DigitalSignature} clientAuth scep+est+api+pfx Automatic",
            "vpn {DigitalSignature} clientAuth+ipsecIKE scep+est+api Automatic",
            "wifi {DigitalSignature} clientAuth scep+est+api+pfx Automatic",
        ]
    );
}

#[test]
fn templates_that_cannot_be_are_refused_with_file_key_and_remedy() {
    let ku = "key-usage = [\"digitalSignature\"]\nextended";
    let table = [
        ("device-client", "format", "format = 1", "format = 2"),
        ("device-client", "name", "name = \"device-client\"", "name = \"device\""),
        ("device-client", "revision", "revision = 1", "revision = 0"),
        ("device-client", "protocols", "protocols = [\"scep\", \"est\", \"acme\", \"api\"]", "protocols = []"),
        ("device-client", "reading it", "protocols", "protocol"),
        ("device-client", "reading it", "\"scep\"", "\"telnet\""),
        ("device-client", "reading it", "format = 1", "format = "),
        ("device-client", "reading it", "lifetime = \"365d\"", "lifetime = \"1y\""),
        ("device-client", "reading it", "\"rsa:2048\"", "\"rsa:1024\""),
        ("device-client", "subject.pattern", "CN={device.name}", "CN={device.color}"),
        ("device-client", "subject.pattern", "CN={device.name}", "CN={device.name},CN=x"),
        ("device-client", "subject.pattern", "CN={device.name}", "XX={device.name}"),
        ("device-client", "subject.pattern", "CN={device.name}", "CN"),
        ("device-client", "subject.pattern", "CN={device.name}", "CN="),
        ("device-client", "subject.pattern", "CN={device.name},O={organization}", ""),
        ("device-client", "subject.allow", "\"OU\", ", "\"CN\", "),
        ("device-client", "subject.allow", "\"OU\", ", "\"XX\", "),
        ("device-client", "subject.allow", "\"OU\", ", "\"OU\", \"OU\", "),
        ("device-client", "san.pattern", "{device.dns-name}", "{device.dns}"),
        ("device-client", "san.pattern", "{device.dns-name}", ""),
        ("device-client", "usage.key-usage", ku, "key-usage = []\nextended"),
        ("device-client", "usage.key-usage", ku, "key-usage = [\"digitalSignature\", \"keyCertSign\"]\nextended"),
        ("device-client", "usage.key-usage", ku, "key-usage = [\"digitalSignature\", \"cRLSign\"]\nextended"),
        ("device-client", "usage.key-usage", ku, "key-usage = [\"digitalSignature\", \"encipherOnly\"]\nextended"),
        ("device-client", "keys.accepted", ku, "key-usage = [\"digitalSignature\", \"keyEncipherment\"]\nextended"),
        ("device-client", "keys.accepted", ku, "key-usage = [\"digitalSignature\", \"keyAgreement\"]\nextended"),
        ("device-client", "keys.accepted", "accepted = [\"rsa:2048\", \"ec:p256\", \"ec:p384\"]", "accepted = []"),
        ("device-client", "usage.extended-key-usage", "\"clientAuth\"", "\"anyExtendedKeyUsage\""),
        ("device-client", "usage.extended-key-usage", "\"clientAuth\"", "\"clientAuth\", \"msEnrollmentAgent\""),
        ("device-client", "usage.extended-key-usage", "\"clientAuth\"", "\"1.3.6.1.4.1.311.20.2.2\""),
        ("device-client", "usage.extended-key-usage", "\"clientAuth\"", "\"OCSPSigning\""),
        ("device-client", "usage.extended-key-usage", "\"clientAuth\"", "\"pkInitKDC\""),
        ("device-client", "validity.lifetime", "lifetime = \"365d\"", "lifetime = \"2h\""),
        ("device-client", "validity.lifetime", "lifetime = \"365d\"", "lifetime = \"36526d\""),
        ("device-client", "validity.renewal-window", "renewal-window = \"120d\"", "renewal-window = \"366d\""),
        ("smime-encryption", "protocols", "[\"pfx\"]", "[\"pfx\", \"scep\"]"),
        ("smime-encryption", "protocols", "[\"pfx\"]", "[\"est\"]"),
        ("smime-encryption", "protocols", "[\"pfx\"]", "[\"api\"]"),
        ("smime-encryption", "usage.extended-key-usage", "[\"emailProtection\"]", "[]"),
        ("smime-encryption", "usage.extended-key-usage", "[\"emailProtection\"]", "[\"emailProtection\", \"clientAuth\"]"),
        ("smime-encryption", "usage.key-usage", "[\"keyEncipherment\"]", "[\"keyEncipherment\", \"digitalSignature\"]"),
    ];
    for (name, key, from, to) in table {
        let error = Templates::load(edited(name, &[(from, to)])).unwrap_err();
        assert_eq!(error.code(), "ra.template-invalid");
        let text = error.to_string();
        assert!(text.starts_with(&format!("template file {name}.toml, {key}: ")) && text.contains("; "), "{to}: {text}");
    }
    let twice = [files(builtin()), files(builtin())].concat();
    assert!(Templates::load(twice).unwrap_err().to_string().contains("same name"));
}

#[test]
fn a_template_may_be_without_a_subject_when_a_name_is_required() {
    let from = "pattern = \"CN={device.dns-name},O={organization}\"";
    let policy = policy_edited("tls-server", &[(from, "pattern = \"\"")]);
    let mut order = order();
    order.template = "tls-server".parse().unwrap();
    order.subject = None;
    let grant = granted(Scene::of(&order, policy).decide());
    assert!(grant.content().subject.is_empty() && grant.content().san.len() == 1);
}

#[test]
fn escapes_in_a_subject_pattern_are_literal() {
    let policy = policy_edited("device-client", &[("O={organization}", "O=Example\\\\, Inc.")]);
    let mut order = order();
    order.subject = Some(dn("CN=laptop-7,O=Example\\, Inc."));
    granted(Scene::of(&order, policy).decide());
}

#[test]
fn names_with_text_around_the_variable_are_compared_in_canonical_form() {
    let policy = policy_edited("user-client", &[("{user.email}", "{user.name}@Mail.Example.org")]);
    let mut order = order();
    order.template = "user-client".parse().unwrap();
    order.subject = Some(dn("CN=Jo,O=Example"));
    for (name, good) in [
        ("email:Jo@mail.example.org", true),
        ("email:Jo@MAIL.example.org", true),
        ("email:Jo@mail.example.com", false),
        ("email:Jo@evil.mail.example.org", false),
    ] {
        order.san = Some(sans(&[name]));
        let minted = lanyard_ra::challenge::mint(&order, &policy, &keys(), [1; 16], NOW);
        assert_eq!(minted.is_ok(), good, "{name}");
    }
}

//! Requests that differ from their challenge in one field, each refused for its own reason (ndes-policy, section 7, tests 1 and 4).

use lanyard_model::{
    enroll::{EnrollRequest, Protocol},
    key::KeyKind,
    oid::Oid,
    san::SubjectAltName,
    usage::{ExtendedKeyUsages, KeyUsage, KeyUsages},
};
use lanyard_ra::{challenge::ChallengeOrder, reason::Reason};

use crate::support::*;

const SUBJECT: &str = "CN=laptop-7,O=Example,OU=Lab,C=DE,serialNumber=A7";
const NAMES: [&str; 4] = ["dns:laptop-7.example.org", "dns:l7.example.org", "ip:10.0.0.7", "uri:urn:uuid:1-7"];

fn rich() -> ChallengeOrder {
    ChallengeOrder { subject: Some(dn(SUBJECT)), san: Some(sans(&NAMES)), ..order() }
}

/// Changes one thing of the request that agrees and expects a refusal that spends the challenge.
#[track_caller]
fn one_field(what: &str, reason: Reason, change: impl FnOnce(&mut EnrollRequest)) {
    let mut scene = Scene::of(&rich(), policy());
    granted(scene.decide());
    change(&mut scene.request);
    let denied = denied(scene.decide());
    assert_eq!(denied.reason, reason, "{what}: {}", denied.detail);
    assert_eq!(denied.challenge, scene.facts.challenge.map(|c| c.id), "{what}");
    assert_eq!(denied.burn, reason.is_mismatch(), "{what}");
    assert!(!denied.detail.is_empty() && denied.detail.chars().all(|c| !c.is_control()), "{what}: {:?}", denied.detail);
}

#[test]
fn subjects() {
    let table = [
        ("CN changed", "CN=laptop-8,O=Example,OU=Lab,C=DE,serialNumber=A7"),
        ("CN in other case", "CN=Laptop-7,O=Example,OU=Lab,C=DE,serialNumber=A7"),
        ("CN with a space", "CN=laptop-7\\ ,O=Example,OU=Lab,C=DE,serialNumber=A7"),
        ("CN longer", "CN=laptop-77,O=Example,OU=Lab,C=DE,serialNumber=A7"),
        ("CN shorter", "CN=laptop-,O=Example,OU=Lab,C=DE,serialNumber=A7"),
        ("CN missing", "O=Example,OU=Lab,C=DE,serialNumber=A7"),
        ("CN twice", "CN=laptop-7,CN=laptop-7,O=Example,OU=Lab,C=DE,serialNumber=A7"),
        ("another CN first", "CN=root,CN=laptop-7,O=Example,OU=Lab,C=DE,serialNumber=A7"),
        ("CN that looks alike", "CN=l\u{430}ptop-7,O=Example,OU=Lab,C=DE,serialNumber=A7"),
        ("O changed", "CN=laptop-7,O=Example2,OU=Lab,C=DE,serialNumber=A7"),
        ("O in other case", "CN=laptop-7,O=EXAMPLE,OU=Lab,C=DE,serialNumber=A7"),
        ("O missing", "CN=laptop-7,OU=Lab,C=DE,serialNumber=A7"),
        ("OU changed", "CN=laptop-7,O=Example,OU=Labs,C=DE,serialNumber=A7"),
        ("OU missing", "CN=laptop-7,O=Example,C=DE,serialNumber=A7"),
        ("OU added", "CN=laptop-7,O=Example,OU=Lab,OU=Admins,C=DE,serialNumber=A7"),
        ("C changed", "CN=laptop-7,O=Example,OU=Lab,C=FR,serialNumber=A7"),
        ("C in other case", "CN=laptop-7,O=Example,OU=Lab,C=de,serialNumber=A7"),
        ("C missing", "CN=laptop-7,O=Example,OU=Lab,serialNumber=A7"),
        ("serialNumber changed", "CN=laptop-7,O=Example,OU=Lab,C=DE,serialNumber=A8"),
        ("serialNumber missing", "CN=laptop-7,O=Example,OU=Lab,C=DE"),
        ("values swapped", "CN=Example,O=laptop-7,OU=Lab,C=DE,serialNumber=A7"),
        ("types swapped", "CN=laptop-7,OU=Example,O=Lab,C=DE,serialNumber=A7"),
        ("L added", "CN=laptop-7,O=Example,OU=Lab,C=DE,serialNumber=A7,L=Bonn"),
        ("emailAddress added", "CN=laptop-7,O=Example,OU=Lab,C=DE,serialNumber=A7,emailAddress=root@example.org"),
        ("UID added", "CN=laptop-7,O=Example,OU=Lab,C=DE,serialNumber=A7,UID=root"),
        ("DC added", "CN=laptop-7,O=Example,OU=Lab,C=DE,serialNumber=A7,DC=example"),
        ("attributes in the value", "CN=laptop-7\\,O\\=Example,OU=Lab,C=DE,serialNumber=A7"),
    ];
    for (what, subject) in table {
        one_field(what, Reason::SubjectMismatch, |request| request.content.subject = dn(subject));
    }
    one_field("empty", Reason::SubjectMissing, |request| request.content.subject = dn(""));
}

#[test]
fn alternative_names() {
    let table: [(&str, &[&str]); 21] = [
        ("dns changed", &["dns:laptop-8.example.org", NAMES[1], NAMES[2], NAMES[3]]),
        ("dns of a parent", &["dns:example.org", NAMES[1], NAMES[2], NAMES[3]]),
        ("dns as wildcard", &["dns:*.example.org", NAMES[1], NAMES[2], NAMES[3]]),
        ("dns missing", &[NAMES[1], NAMES[2], NAMES[3]]),
        ("dns twice in place of another", &[NAMES[0], NAMES[0], NAMES[2], NAMES[3]]),
        ("dns twice", &[NAMES[0], NAMES[0], NAMES[1], NAMES[2], NAMES[3]]),
        ("dns added", &[NAMES[0], NAMES[1], NAMES[2], NAMES[3], "dns:dc.example.org"]),
        ("ip changed", &[NAMES[0], NAMES[1], "ip:10.0.0.8", NAMES[3]]),
        ("ip mapped into IPv6", &[NAMES[0], NAMES[1], "ip:::ffff:10.0.0.7", NAMES[3]]),
        ("ip missing", &[NAMES[0], NAMES[1], NAMES[3]]),
        ("ip added", &[NAMES[0], NAMES[1], NAMES[2], NAMES[3], "ip:10.0.0.9"]),
        ("ip as dns", &[NAMES[0], NAMES[1], "dns:10.0.0.7", NAMES[3]]),
        ("uri changed", &[NAMES[0], NAMES[1], NAMES[2], "uri:urn:uuid:1-8"]),
        ("uri in other case", &[NAMES[0], NAMES[1], NAMES[2], "uri:urn:UUID:1-7"]),
        ("uri missing", &[NAMES[0], NAMES[1], NAMES[2]]),
        ("uri added", &[NAMES[0], NAMES[1], NAMES[2], NAMES[3], "uri:spiffe://example.org/root"]),
        ("sid as uri", &[NAMES[0], NAMES[1], NAMES[2], NAMES[3], "uri:tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-500"]),
        ("email added", &[NAMES[0], NAMES[1], NAMES[2], NAMES[3], "email:root@example.org"]),
        ("upn added", &[NAMES[0], NAMES[1], NAMES[2], NAMES[3], "upn:root@example.org"]),
        ("dns as email", &["email:laptop-7@example.org", NAMES[1], NAMES[2], NAMES[3]]),
        ("one alone", &[NAMES[0]]),
    ];
    for (what, names) in table {
        one_field(what, Reason::SanMismatch, |request| request.content.san = sans(names));
    }
    one_field("none", Reason::SanMissing, |request| request.content.san.clear());
    one_field("unsupported added", Reason::SanMismatch, |request| {
        request.content.san.push(SubjectAltName::Unsupported("otherName 1.2.3".into()));
    });
}

#[test]
fn names_of_people() {
    let order =
        ChallengeOrder { template: "user-client".parse().unwrap(), subject: None, san: None, user: Some(user()), ..order() };
    granted(Scene::of(&order, policy()).decide());
    let table: [(&str, Reason, &[&str]); 9] = [
        ("upn of another", Reason::SanMismatch, &["upn:bob@example.org", "email:Jo.Doe@example.org"]),
        ("upn in other case", Reason::SanMismatch, &["upn:JO@example.org", "email:Jo.Doe@example.org"]),
        ("upn missing", Reason::SanMismatch, &["email:Jo.Doe@example.org"]),
        ("upn of another domain", Reason::SanMismatch, &["upn:jo@example.com", "email:Jo.Doe@example.org"]),
        ("upn added", Reason::SanMismatch, &["upn:jo@example.org", "upn:bob@example.org", "email:Jo.Doe@example.org"]),
        ("email of another", Reason::SanMismatch, &["upn:jo@example.org", "email:bob@example.org"]),
        ("email in other case", Reason::SanMismatch, &["upn:jo@example.org", "email:jo.doe@example.org"]),
        ("email added", Reason::SanMismatch, &["upn:jo@example.org", "email:Jo.Doe@example.org", "email:bob@example.org"]),
        ("none", Reason::SanMissing, &[]),
    ];
    for (what, reason, names) in table {
        let mut scene = Scene::of(&order, policy());
        scene.request.content.san = sans(names);
        assert_denied(scene.decide(), reason, what);
    }
}

#[test]
fn no_alternative_names_means_none() {
    for name in ["dns:a.example.org", "ip:10.0.0.1", "uri:urn:x:1", "email:a@example.org", "upn:a@example.org"] {
        let mut scene = Scene::of(&ChallengeOrder { san: Some(Vec::new()), ..order() }, policy());
        scene.request.content.san = sans(&[name]);
        assert_denied(scene.decide(), Reason::SanMismatch, name);
    }
}

#[test]
fn usages() {
    use KeyUsage::{CrlSign, DataEncipherment, DigitalSignature, KeyAgreement, KeyCertSign, KeyEncipherment};
    let table: [&[KeyUsage]; 8] = [
        &[],
        &[KeyEncipherment],
        &[DigitalSignature, KeyEncipherment],
        &[DigitalSignature, KeyUsage::ContentCommitment],
        &[DigitalSignature, KeyCertSign],
        &[DigitalSignature, CrlSign],
        &[DigitalSignature, DataEncipherment],
        &[KeyAgreement],
    ];
    for claimed in table {
        let set: KeyUsages = claimed.iter().copied().collect();
        one_field(&format!("{claimed:?}"), Reason::KeyUsageMismatch, |request| request.content.key_usage = Some(set));
    }
    let table: [&[&str]; 9] = [
        &[],
        &["serverAuth"],
        &["clientAuth", "serverAuth"],
        &["clientAuth", "anyExtendedKeyUsage"],
        &["anyExtendedKeyUsage"],
        &["clientAuth", "msSmartcardLogon"],
        &["msEnrollmentAgent"],
        &["clientAuth", "codeSigning"],
        &["clientAuth", "1.2.3.4"],
    ];
    for claimed in table {
        let set: ExtendedKeyUsages = claimed.iter().map(|purpose| purpose.parse().unwrap()).collect();
        one_field(&format!("{claimed:?}"), Reason::EkuMismatch, |request| request.content.extended_key_usage = Some(set));
    }
}

#[test]
fn keys_are_of_the_exact_kind_and_size() {
    let (length, kind) = (Reason::KeyLengthMismatch, Reason::KeyTypeMismatch);
    let table = [
        (KeyKind::Rsa(1024), length),
        (KeyKind::Rsa(2040), length),
        (KeyKind::Rsa(2056), length),
        (KeyKind::Rsa(3072), length),
        (KeyKind::Rsa(4096), length),
        (KeyKind::EcP256, kind),
        (KeyKind::EcP384, kind),
        (KeyKind::EcP521, kind),
        (KeyKind::Ed25519, kind),
    ];
    for (claimed, reason) in table {
        one_field(&claimed.to_string(), reason, |request| request.content.key.kind = claimed);
    }
    let table = [(KeyKind::EcP384, length), (KeyKind::EcP521, length), (KeyKind::Rsa(2048), kind), (KeyKind::Ed25519, kind)];
    for (claimed, reason) in table {
        let mut scene = Scene::of(&ChallengeOrder { key: Some(KeyKind::EcP256), ..order() }, policy());
        granted(scene.decide());
        scene.request.content.key.kind = claimed;
        assert_denied(scene.decide(), reason, &format!("{claimed} for ec:p256"));
    }
}

#[test]
fn extensions() {
    one_field("cA TRUE", Reason::CaRequested, |request| request.content.wants_ca = true);
    for extension in [
        "1.3.6.1.4.1.311.25.2",
        "1.3.6.1.4.1.311.21.10",
        "1.3.6.1.4.1.311.20.2",
        "1.3.6.1.4.1.311.21.7",
        "2.5.29.32",
        "2.5.29.30",
        "2.5.29.36",
        "2.5.29.35",
        "2.5.29.31",
        "1.3.6.1.5.5.7.1.1",
        "1.3.6.1.5.5.7.1.24",
        "1.2.3.4",
    ] {
        let oid: Oid = extension.parse().unwrap();
        one_field(extension, Reason::ExtensionNotAllowed, |request| request.content.other_extensions.push(oid));
    }
}

#[test]
fn where_and_how_the_request_came() {
    one_field("another profile", Reason::ChallengeOtherAudience, |r| r.profile = "legacy".parse().unwrap());
    one_field("a profile there is not", Reason::ChallengeOtherAudience, |r| r.profile = "nowhere".parse().unwrap());
    one_field("a protocol the template does not allow", Reason::ProtocolNotAllowed, |r| r.protocol = Protocol::Wstep);
    one_field("a weak signature", Reason::WeakSignature, |r| r.strong_signature = false);
}

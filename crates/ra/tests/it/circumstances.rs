//! Challenges and circumstances that are not as they were: altered texts and records, times, uses, entitlements, templates
//! (ndes-policy, section 7, tests 2, 4, 5, 8).

use lanyard_model::{
    challenge::Binding,
    enroll::RequestSigner,
    key::KeyKind,
    secret::SecretText,
    time::{Span, Timestamp},
    usage::ExtendedKeyUsages,
};
use lanyard_ra::{challenge::ChallengeOrder, reason::Reason};

use crate::support::*;

fn rich() -> ChallengeOrder {
    ChallengeOrder {
        subject: Some(dn("CN=laptop-7,O=Example,OU=Lab,C=DE,serialNumber=A7")),
        san: Some(sans(&["dns:laptop-7.example.org", "dns:l7.example.org", "ip:10.0.0.7", "uri:urn:uuid:1-7"])),
        ..order()
    }
}

#[test]
fn signers_that_may_not() {
    let mut scene = Scene::new();
    scene.request.signer = RequestSigner::Foreign;
    assert_denied(scene.decide(), Reason::SignerForeign, "foreign with a good challenge");
    scene.request.signer = RequestSigner::Administrator("root".into());
    assert_denied(scene.decide(), Reason::ChallengeMissing, "administrator without an order");
    let mut scene = Scene::new();
    scene.request.signer_key_digest = [9; 32];
    let refused = denied(scene.decide());
    assert_eq!(refused.reason, Reason::SignerKeyMismatch);
    assert!(!refused.burn && refused.challenge.is_none(), "a captured envelope leaves the challenge unspent");
}

#[test]
fn challenge_texts() {
    let table = [
        ("", Reason::ChallengeMissing),
        (" ", Reason::ChallengeMalformed),
        ("LC1", Reason::ChallengeMalformed),
        ("password", Reason::ChallengeMalformed),
        ("\0", Reason::ChallengeMalformed),
    ];
    for (text, reason) in table {
        let mut scene = Scene::new();
        scene.request.challenge = Some(SecretText::new(text.into()));
        assert_denied(scene.decide(), reason, text);
    }
    let mut scene = Scene::new();
    scene.request.challenge = None;
    assert_denied(scene.decide(), Reason::ChallengeMissing, "none");
    scene.facts.challenge = None;
    assert_denied(scene.decide(), Reason::ChallengeMissing, "none, nothing on record");
    scene.request.renewal = true;
    assert_denied(scene.decide(), Reason::ChallengeMissing, "self-signed but called a renewal");
}

#[test]
fn every_position_of_the_challenge_counts() {
    let text = minted(&rich(), &policy()).text.expose().to_owned();
    for position in 0..text.len() {
        for replacement in ["A", "7", "Q", "a", "=", "_"] {
            let mut altered = text.clone();
            altered.replace_range(position..=position, replacement);
            if altered == text {
                continue;
            }
            let mut scene = Scene::of(&rich(), policy());
            scene.request.challenge = Some(SecretText::new(altered));
            let refused = denied(scene.decide());
            let expected = [Reason::ChallengeMalformed, Reason::ChallengeUnknown, Reason::ChallengeSignature];
            assert!(expected.contains(&refused.reason), "position {position}: {}", refused.detail);
            assert!(!refused.burn && refused.challenge.is_none(), "an altered challenge spends nothing");
        }
    }
}

#[test]
fn every_bit_of_the_record_counts() {
    let length = Scene::of(&rich(), policy()).challenge().binding.len();
    for position in 0..length {
        let mut scene = Scene::of(&rich(), policy());
        scene.challenge().binding[position] ^= 1;
        assert_denied(scene.decide(), Reason::ChallengeSignature, &format!("binding octet {position}"));
    }
    for position in 0..32 {
        let mut scene = Scene::of(&rich(), policy());
        scene.challenge().keyed_hash[position] ^= 0x80;
        assert_denied(scene.decide(), Reason::ChallengeSignature, &format!("keyed hash octet {position}"));
    }
    let mut scene = Scene::of(&rich(), policy());
    scene.challenge().id.0[3] ^= 1;
    assert_denied(scene.decide(), Reason::ChallengeUnknown, "another record");
    let mut scene = Scene::of(&rich(), policy());
    scene.challenge().expires_at = NOW + Span::from_days(9000);
    assert_denied(scene.decide(), Reason::ChallengeSignature, "prolonged on record");
}

#[test]
fn an_edited_binding_is_seen() {
    type Edit = fn(&mut Binding);
    let edits: [(&str, Edit); 7] = [
        ("subject", |b| b.subject = dn("CN=root,O=Example")),
        ("san", |b| b.san = sans(&["dns:dc.example.org"])),
        ("usages", |b| b.usages.extended_key_usage = ExtendedKeyUsages::from(["serverAuth".parse().unwrap()])),
        ("key", |b| b.key = KeyKind::EcP256),
        ("template", |b| b.template = "tls-server".parse().unwrap()),
        ("profile", |b| b.profile = "legacy".parse().unwrap()),
        ("user", |b| b.user = Some("root".parse().unwrap())),
    ];
    for (what, edit) in edits {
        let mut scene = Scene::of(&rich(), policy());
        let mut binding: Binding = serde_json::from_slice(&scene.challenge().binding).unwrap();
        edit(&mut binding);
        scene.challenge().binding = serde_json::to_vec(&binding).unwrap();
        scene.request.content.subject = binding.subject;
        scene.request.content.san = binding.san;
        scene.request.content.key.kind = binding.key;
        scene.request.profile = binding.profile;
        assert_denied(scene.decide(), Reason::ChallengeSignature, what);
    }
}

#[test]
fn times() {
    let mut scene = Scene::new();
    let expires_at = scene.challenge().expires_at;
    for (now, reason) in [
        (Timestamp(expires_at.0 - 1), None),
        (expires_at, Some(Reason::ChallengeExpired)),
        (expires_at + Span::from_secs(1), Some(Reason::ChallengeExpired)),
        (expires_at + Span::from_days(9000), Some(Reason::ChallengeExpired)),
        (NOW, None),
        (NOW - Span::from_secs(1), Some(Reason::ChallengeNotYetValid)),
        (Timestamp(0), Some(Reason::ChallengeNotYetValid)),
    ] {
        scene.now = now;
        match reason {
            None => drop(granted(scene.decide())),
            Some(reason) => assert_denied(scene.decide(), reason, &now.to_string()),
        }
    }
}

#[test]
fn challenges_of_others() {
    let mut scene = Scene::new();
    scene.policy.instance = "installation-2".into();
    assert_denied(scene.decide(), Reason::ChallengeOtherInstance, "restored into another installation");
    let mut scene = Scene::new();
    scene.keys = lanyard_ra::challenge::ChallengeKeys::derive(&lanyard_model::secret::SecretBytes::new(vec![8; 32]));
    assert_denied(scene.decide(), Reason::ChallengeSignature, "other keys");
}

#[test]
fn used_challenges() {
    let mut scene = Scene::new();
    scene.use_challenge(request_id(5));
    scene.request.content.csr_digest = [2; 32];
    assert_denied(scene.decide(), Reason::ChallengeUsed, "same key, another CSR");
    let mut scene = Scene::new();
    scene.use_challenge(request_id(5));
    scene.request.content.key = key(KeyKind::Rsa(2048), 77);
    scene.request.signer_key_digest = scene.request.content.key.digest;
    let refused = denied(scene.decide());
    assert_eq!(refused.reason, Reason::ChallengeOtherKey);
    assert!(refused.reason.is_incident() && !refused.burn);
    let mut scene = Scene::new();
    scene.use_challenge(request_id(5));
    let (issuer, serial) = ("issuing".parse().unwrap(), lanyard_model::serial::SerialNumber::from_random([1; 16]));
    scene.request.signer = RequestSigner::Ours { issuer, serial, digest: [1; 32] };
    assert_denied(scene.decide(), Reason::ChallengeUsed, "an outcome is repeated to its requester alone");
    // Held for approval, but nobody approved: the first outcome stands.
    let mut scene = Scene::new();
    scene.use_challenge(scene.request.id);
    assert!(matches!(scene.decide(), lanyard_ra::decide::Decision::Repeat(id) if id == request_id(1)));
}

#[test]
fn entitlements() {
    let mut order = order();
    (order.user, order.device) = (Some(user()), Some(device()));
    granted(Scene::of(&order, policy()).decide());
    let table: [Deviation; 8] = [
        ("user gone", Reason::UserUnknown, |s| s.facts.user = None),
        ("another user", Reason::UserUnknown, |s| s.facts.user.as_mut().unwrap().name = "bob".parse().unwrap()),
        ("user disabled", Reason::UserDisabled, |s| s.facts.user.as_mut().unwrap().disabled = true),
        ("device gone", Reason::DeviceUnknown, |s| s.facts.device = None),
        ("another device", Reason::DeviceUnknown, |s| s.facts.device.as_mut().unwrap().id = "inv-8".parse().unwrap()),
        ("device blocked", Reason::DeviceBlocked, |s| s.facts.device.as_mut().unwrap().blocked = true),
        ("device renamed", Reason::RecordChanged, |s| s.facts.device.as_mut().unwrap().name = Some("laptop-9".into())),
        ("device moved", Reason::RecordChanged, |s| s.facts.device.as_mut().unwrap().dns_name = Some("x.example.org".into())),
    ];
    for (what, reason, change) in table {
        let mut scene = Scene::of(&order, policy());
        change(&mut scene);
        let refused = denied(scene.decide());
        assert_eq!(refused.reason, reason, "{what}: {}", refused.detail);
        assert!(!refused.burn, "{what}: what an administrator can put right spends nothing");
        assert_eq!(refused.user.map(|u| u.to_string()).as_deref(), Some("jo"));
        assert_eq!(refused.device.map(|d| d.to_string()).as_deref(), Some("inv-7"));
    }
}

#[test]
fn templates_that_changed() {
    let table: [(&str, &[(&str, &str)]); 6] = [
        ("pattern", &[("revision = 1", "revision = 2"), ("CN={device.name}", "CN=dev-{device.name}")]),
        ("allowed attributes", &[("\"OU\", ", "")]),
        ("key usage", &[("[\"digitalSignature\"]", "[\"digitalSignature\", \"contentCommitment\"]")]),
        ("purposes", &[("[\"clientAuth\"]", "[\"clientAuth\", \"serverAuth\"]")]),
        ("keys", &[("rsa:2048", "rsa:3072")]),
        ("names", &[("kind = \"ip\"", "kind = \"email\"")]),
    ];
    for (what, edits) in table {
        let mut scene = Scene::of(&rich(), policy());
        scene.policy = policy_edited("device-client", edits);
        assert_denied(scene.decide(), Reason::TemplateChanged, what);
    }
    let mut scene = Scene::new();
    scene.policy = policy_edited("device-client", &[("[\"scep\", ", "[")]);
    assert_denied(scene.decide(), Reason::ProtocolNotAllowed, "protocol taken away");
    let rest = files(lanyard_ra::template::builtin()).into_iter().filter(|(file, _)| file != "device-client.toml").collect();
    scene.policy = policy_with(rest, files(lanyard_ra::profile::builtin()));
    assert_denied(scene.decide(), Reason::TemplateUnknown, "template removed");
    let profile = lanyard_ra::profile::builtin()[0].1;
    let narrowed = profile.replace("templates = []", "templates = [\"wifi\"]");
    scene.policy = policy_with(files(lanyard_ra::template::builtin()), files(&[("default.toml", &narrowed)]));
    assert_denied(scene.decide(), Reason::TemplateNotInProfile, "template taken from the profile");
    scene.policy = policy_with(files(lanyard_ra::template::builtin()), files(&[lanyard_ra::profile::builtin()[1]]));
    assert_denied(scene.decide(), Reason::ProfileUnknown, "profile removed");
}

#[test]
fn a_profile_may_leave_the_challenge_unspent() {
    let profile = lanyard_ra::profile::builtin()[0].1.replace("burn-on-mismatch = true", "burn-on-mismatch = false");
    let mut scene = Scene::new();
    scene.policy = policy_with(files(lanyard_ra::template::builtin()), files(&[("default.toml", &profile)]));
    scene.request.content.subject = dn("CN=root,O=Example");
    let refused = denied(scene.decide());
    assert!(!refused.burn && refused.challenge.is_some() && refused.reason == Reason::SubjectMismatch);
}

#[test]
fn text_from_outside_is_safe_to_print_and_short() {
    let mut scene = Scene::new();
    scene.request.content.subject.0[0].value = format!("a\r\nb\u{1b}[31m\u{202e}{}", "x".repeat(10_000));
    let refused = denied(scene.decide());
    assert!(refused.detail.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{:?}", refused.detail);
    assert!(refused.detail.len() < 1000);
}

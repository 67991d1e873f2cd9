//! Making and reading challenges.

use lanyard_model::{
    challenge::{Binding, ChallengeId},
    directory::{Device, User},
    key::KeyKind,
    secret::{SecretBytes, SecretText},
    time::{Span, Timestamp},
};
use lanyard_ra::{
    challenge::{ChallengeKeys, ChallengeOrder, locate, mint},
    error::RaError,
};
use proptest::prelude::*;

use crate::support::*;

#[test]
fn a_challenge_has_88_characters_of_a_narrow_alphabet() {
    let minted = minted(&order(), &policy());
    let text = minted.text.expose();
    assert_eq!(text.len(), 88);
    assert!(text.starts_with("LC1") && text.bytes().all(|b| matches!(b, b'A'..=b'Z' | b'1'..=b'7')));
    assert_eq!(locate(&minted.text), Some(ChallengeId([0x5a; 16])));
}

#[test]
fn the_record_tells_what_is_bound_and_not_the_text() {
    let minted = minted(&order(), &policy());
    let record = &minted.record;
    let binding: Binding = serde_json::from_slice(&record.binding).unwrap();
    assert_eq!(binding.instance, "installation-1");
    assert_eq!((binding.template.as_str(), binding.template_revision), ("device-client", 1));
    assert_eq!(binding.key, KeyKind::Rsa(2048));
    assert_eq!(record.created_at, NOW);
    assert_eq!(record.expires_at, NOW.truncated() + Span::from_secs(3600));
    assert!(record.used.is_none());
    let told = format!("{record:?}{minted:?}");
    assert!(!told.contains(&minted.text.expose()[30..]), "neither the record nor Debug shows the text");
}

#[test]
fn the_profile_gives_life_and_the_template_the_key() {
    let order = ChallengeOrder { ttl: None, key: None, ..order() };
    let record = minted(&order, &policy()).record;
    assert_eq!(record.expires_at, NOW.truncated() + Span::from_secs(3600));
    assert_eq!(serde_json::from_slice::<Binding>(&record.binding).unwrap().key, KeyKind::Rsa(2048));
}

#[test]
fn lives_have_bounds() {
    for (seconds, good) in [(59, false), (60, true), (30 * 86_400, true), (30 * 86_400 + 1, false), (0, false)] {
        let order = ChallengeOrder { ttl: Some(Span::from_secs(seconds)), ..order() };
        let result = mint(&order, &policy(), &keys(), [1; 16], NOW);
        assert_eq!(result.is_ok(), good, "{seconds}");
        if let Err(error) = result {
            assert_eq!(error.code(), "ra.order-lifetime");
        }
    }
    let order = order();
    let far = Timestamp::from_secs(i64::from(u32::MAX));
    assert_eq!(mint(&order, &policy(), &keys(), [1; 16], far).unwrap_err().code(), "ra.mint");
}

#[test]
fn orders_that_policy_does_not_allow_are_refused_with_the_remedy() {
    let named = |template: &str| ChallengeOrder { template: template.parse().unwrap(), ..order() };
    let subject = |text: &str| ChallengeOrder { subject: Some(dn(text)), ..order() };
    let names = |list: &[&str]| ChallengeOrder { san: Some(sans(list)), ..order() };
    let raw = |value: &str| {
        let mut order = order();
        order.subject.as_mut().unwrap().0[0].value = value.into();
        order
    };
    let table = [
        ("ra.template-unknown", named("none")),
        ("ra.profile-unknown", ChallengeOrder { profile: "none".parse().unwrap(), ..order() }),
        ("ra.protocol-not-allowed", named("smime-encryption")),
        ("ra.subject-mismatch", subject("CN=laptop-7")),
        ("ra.subject-mismatch", subject("O=Example")),
        ("ra.subject-mismatch", subject("CN=laptop-7,O=Another")),
        ("ra.subject-mismatch", subject("CN=laptop-7,CN=laptop-8,O=Example")),
        ("ra.subject-mismatch", subject("CN=laptop-7,O=Example,emailAddress=a@example.org")),
        ("ra.subject-mismatch", raw("")),
        ("ra.subject-mismatch", raw("a\nb")),
        ("ra.subject-mismatch", raw(&"x".repeat(65))),
        ("ra.subject-missing", subject("")),
        ("ra.subject-missing", ChallengeOrder { subject: None, ..order() }),
        ("ra.san-mismatch", names(&["email:a@example.org"])),
        ("ra.san-mismatch", names(&["upn:a@example.org"])),
        ("ra.san-mismatch", names(&["dns:a.example.org", "dns:a.example.org"])),
        ("ra.san-mismatch", names(&["uri:tag:microsoft.com,2022-09-14:sid:S-1-5-21-1"])),
        ("ra.san-missing", ChallengeOrder { template: "tls-server".parse().unwrap(), san: None, ..order() }),
        ("ra.san-mismatch", ChallengeOrder { template: "tls-server".parse().unwrap(), san: Some(Vec::new()), ..order() }),
        ("ra.key-length-mismatch", ChallengeOrder { key: Some(KeyKind::Rsa(1024)), ..order() }),
        ("ra.key-length-mismatch", ChallengeOrder { key: Some(KeyKind::EcP521), ..order() }),
        ("ra.key-type-mismatch", ChallengeOrder { key: Some(KeyKind::Ed25519), ..order() }),
        ("ra.user-disabled", ChallengeOrder { user: Some(User { disabled: true, ..user() }), ..order() }),
        ("ra.device-blocked", ChallengeOrder { device: Some(Device { blocked: true, ..device() }), ..order() }),
        ("ra.subject-mismatch", ChallengeOrder { device: Some(Device { name: Some("other".into()), ..device() }), ..order() }),
        (
            "ra.san-mismatch",
            ChallengeOrder { device: Some(Device { dns_name: Some("b.example".into()), ..device() }), ..order() },
        ),
        ("ra.san-mismatch", {
            let device = Device { dns_name: Some("not a name".into()), ..device() };
            ChallengeOrder { san: None, device: Some(device), ..order() }
        }),
    ];
    for (code, order) in table {
        let error = mint(&order, &policy(), &keys(), [1; 16], NOW).unwrap_err();
        assert_eq!(error.code(), code, "{error} {order:?}");
        let RaError::OrderRefused { reason, .. } = &error else { panic!("{error}") };
        assert!(error.to_string().contains(reason.remedy()), "{error}");
    }
    let narrow = lanyard_ra::profile::builtin()[0].1.replace("templates = []", "templates = [\"wifi\"]");
    let policy = policy_with(files(lanyard_ra::template::builtin()), files(&[("default.toml", &narrow)]));
    assert_eq!(mint(&order(), &policy, &keys(), [1; 16], NOW).unwrap_err().code(), "ra.template-not-in-profile");
}

#[test]
fn every_builtin_template_for_scep_can_be_ordered_from_records() {
    for template in policy().templates.iter().filter(|t| t.protocols.contains(&lanyard_model::enroll::Protocol::Scep)) {
        let order = ChallengeOrder {
            template: template.name.clone(),
            profile: "default".parse().unwrap(),
            subject: None,
            san: None,
            key: None,
            ttl: None,
            user: Some(user()),
            device: Some(device()),
            groups: Vec::new(),
            ordered_by: None,
        };
        let scene = Scene::of(&order, policy());
        assert!(!matches!(scene.decide(), lanyard_ra::decide::Decision::Denied(_)), "{}: {:?}", template.name, scene.decide());
    }
}

#[test]
fn finding_a_challenge_is_bounded_and_strict() {
    let good = minted(&order(), &policy()).text.expose().to_owned();
    let table = [
        String::new(),
        good.to_lowercase(),
        format!("{good} "),
        format!(" {good}"),
        format!("{good}\n"),
        good[..87].to_owned(),
        format!("{good}A"),
        format!("{good}===="),
        good.replacen("LC1", "LC2", 1),
        "A".repeat(88),
        "LC1".repeat(10_000),
        "ü".repeat(44),
    ];
    for text in table {
        assert!(locate(&SecretText::new(text.clone())).is_none(), "{text:.100}");
    }
}

/// It has a bit to spare, which must be zero.
#[test]
fn the_last_digit_has_one_spelling() {
    let good = minted(&order(), &policy()).text.expose().to_owned();
    let spellings = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".chars();
    let readable = spellings.filter(|c| locate(&SecretText::new(format!("{}{c}", &good[..87]))).is_some());
    assert_eq!(readable.count(), 16);
}

#[test]
fn keys_differ_by_master_and_the_same_order_by_its_random_octets() {
    let policy = policy();
    let other = ChallengeKeys::derive(&SecretBytes::new(vec![8; 32]));
    let a = mint(&order(), &policy, &keys(), [1; 16], NOW).unwrap();
    let b = mint(&order(), &policy, &other, [1; 16], NOW).unwrap();
    let c = mint(&order(), &policy, &keys(), [2; 16], NOW).unwrap();
    assert_ne!(a.text.expose(), b.text.expose());
    assert_ne!(a.record.keyed_hash, b.record.keyed_hash);
    assert_ne!(a.text.expose(), c.text.expose());
}

/// Computed by another implementation (Python's hmac and base64). Challenges outlive an update of the server, so form, keys and
/// stored binding may only change with the version in the text.
#[test]
fn text_record_and_keyed_hash_are_pinned() {
    let minted = mint(&order(), &policy(), &keys(), [0; 16], Timestamp::from_secs(1_767_225_600)).unwrap();
    let binding = concat!(
        r#"{"instance":"installation-1","profile":"default","template":"device-client","template-revision":1,"#,
        r#""subject":[{"oid":"2.5.4.3","value":"laptop-7"},{"oid":"2.5.4.10","value":"Example"}],"#,
        r#""san":["dns:laptop-7.example.org"],"#,
        r#""usages":{"key-usage":["digitalSignature"],"extended-key-usage":["clientAuth"]},"#,
        r#""key":"rsa:2048","user":null,"device":null}"#
    );
    assert_eq!(str::from_utf8(&minted.record.binding), Ok(binding));
    assert_eq!(minted.text.expose(), "LC1AEAAAAAAAAAAAAAAAAAAAAAAAAAGSVOHCAFSMG2FQTCWZ7QHX63U6DGAIZP2FJQOUSN6A7MHDHPWNDKY3FGWY");
    let hash: String = minted.record.keyed_hash.iter().map(|octet| format!("{octet:02x}")).collect();
    assert_eq!(hash, "2a5b4f46529985d5e31cd1642b2cfff1324d0c0c68a3855a760b40915916c420");
}

proptest! {
    #[test]
    fn challenge_text_never_leaves_the_alphabet(random in any::<[u8; 16]>(), seconds in 0i64..4_000_000_000, ttl in 60i64..2_592_000) {
        let order = ChallengeOrder { ttl: Some(Span::from_secs(ttl)), ..order() };
        let minted = mint(&order, &policy(), &keys(), random, Timestamp::from_secs(seconds)).unwrap();
        let text = minted.text.expose();
        prop_assert_eq!(text.len(), 88);
        prop_assert!(text.bytes().all(|b| matches!(b, b'A'..=b'Z' | b'1'..=b'7')));
        prop_assert_eq!(locate(&minted.text), Some(ChallengeId(random)));
    }

    #[test]
    fn finding_never_panics(text in "\\PC{0,200}") {
        let _ = locate(&SecretText::new(text));
    }
}

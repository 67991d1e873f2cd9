//! Templates that a person approves.

use lanyard_model::{challenge::Binding, key::KeyKind, secret::SecretText, time::Span};
use lanyard_ra::{
    challenge::ChallengeOrder,
    decide::{Approved, Decision},
    reason::Reason,
};

use crate::support::*;

fn code_signing() -> ChallengeOrder {
    ChallengeOrder {
        template: "code-signing".parse().unwrap(),
        subject: None,
        san: None,
        key: Some(KeyKind::EcP256),
        user: Some(user()),
        ..order()
    }
}

/// A request that was held with its challenge and approved a day later.
fn approved() -> Scene {
    let mut scene = Scene::of(&code_signing(), policy());
    scene.use_challenge(scene.request.id);
    scene.facts.approval = Some(Approved { by: "ann".into(), others: Vec::new() });
    scene.now = scene.now + Span::from_days(1);
    scene
}

#[test]
fn a_first_enrolment_is_held_with_its_binding() {
    let scene = Scene::of(&code_signing(), policy());
    let Decision::Pending(held) = scene.decide() else { panic!("not held") };
    let record = scene.facts.challenge.unwrap();
    assert_eq!(held.challenge, record.id);
    assert_eq!(held.binding, serde_json::from_slice::<Binding>(&record.binding).unwrap());
}

#[test]
fn a_request_that_disagrees_is_refused_and_not_held() {
    let mut scene = Scene::of(&code_signing(), policy());
    scene.request.content.subject = dn("CN=Somebody Else,O=Example");
    assert_denied(scene.decide(), Reason::SubjectMismatch, "held requests agree already");
}

#[test]
fn an_approved_request_is_granted_after_its_challenge_expired() {
    let scene = approved();
    let grant = granted(scene.decide());
    assert!(grant.from_pending() && grant.challenge().is_some());
    assert_eq!(grant.content().not_before.secs(), scene.now.secs() - 3600);
}

#[test]
fn an_approval_skips_nothing_else() {
    let table: [Deviation; 16] = [
        ("a challenge that is none", Reason::ChallengeMalformed, |s| s.request.challenge = Some(SecretText::new("x".into()))),
        ("no record", Reason::ChallengeUnknown, |s| s.facts.challenge = None),
        ("edited record", Reason::ChallengeSignature, |s| s.challenge().keyed_hash[0] ^= 1),
        ("another installation", Reason::ChallengeOtherInstance, |s| s.policy.instance = "other".into()),
        ("another profile", Reason::ChallengeOtherAudience, |s| s.request.profile = "legacy".parse().unwrap()),
        ("user disabled", Reason::UserDisabled, |s| s.facts.user.as_mut().unwrap().disabled = true),
        ("template changed", Reason::TemplateChanged, |s| {
            s.policy = policy_edited("code-signing", &[("\"codeSigning\"", "\"timeStamping\"")]);
        }),
        ("another CSR", Reason::ChallengeUsed, |s| s.request.content.csr_digest = [7; 32]),
        ("another key", Reason::ChallengeOtherKey, |s| {
            s.request.content.key = key(KeyKind::EcP256, 9);
            s.request.signer_key_digest = s.request.content.key.digest;
        }),
        ("another subject", Reason::SubjectMismatch, |s| s.request.content.subject = dn("CN=x,O=Example")),
        ("an extension", Reason::ExtensionNotAllowed, |s| s.request.content.other_extensions.push("1.2.3".parse().unwrap())),
        ("another request", Reason::ApprovalUnfounded, |s| s.request.id = request_id(99)),
        ("never held", Reason::ApprovalUnfounded, |s| s.challenge().used = None),
        ("consumed after expiry", Reason::ChallengeExpired, |s| {
            let expiry = s.challenge().expires_at;
            s.challenge().used.as_mut().unwrap().at = expiry;
        }),
        ("approved by the user", Reason::ApprovalOwn, |s| {
            s.facts.approval = Some(Approved { by: "jo".into(), others: Vec::new() })
        }),
        ("approved too late", Reason::ApprovalExpired, |s| s.now = s.now + Span::from_days(30)),
    ];
    for (what, reason, change) in table {
        // With the text of the challenge as it came, and without it as the record of the request has it.
        for with_text in [true, false] {
            let mut scene = approved();
            if !with_text {
                scene.request.challenge = None;
            }
            change(&mut scene);
            let refused = denied(scene.decide());
            let missing = !with_text && reason == Reason::ChallengeUnknown;
            let expected = if missing { Reason::ChallengeMissing } else { reason };
            assert_eq!(refused.reason, expected, "{what}: {}", refused.detail);
            assert!(!refused.burn, "{what}: it is spent already");
        }
    }
}

#[test]
fn an_approved_request_comes_from_the_record_without_its_challenge_text() {
    let mut scene = approved();
    scene.request.challenge = None;
    assert!(granted(scene.decide()).from_pending());
    for position in 0..scene.challenge().binding.len() {
        scene.challenge().binding[position] ^= 1;
        assert_denied(scene.decide(), Reason::ChallengeSignature, &format!("binding octet {position}"));
        scene.challenge().binding[position] ^= 1;
    }
    let expiry = scene.challenge().expires_at;
    scene.challenge().expires_at = expiry + Span::from_days(1);
    assert_denied(scene.decide(), Reason::ChallengeSignature, "prolonged");
    scene.challenge().expires_at = expiry;
    scene.challenge().id.0[0] ^= 1;
    assert_denied(scene.decide(), Reason::ChallengeSignature, "another id");
    scene.challenge().id.0[0] ^= 1;
    scene.facts.approval = None;
    assert_denied(scene.decide(), Reason::ChallengeMissing, "nobody approved");
}

#[test]
fn without_the_approval_the_held_request_is_a_repetition() {
    let mut scene = approved();
    scene.facts.approval = None;
    assert!(matches!(scene.decide(), Decision::Repeat(id) if id == scene.request.id));
}

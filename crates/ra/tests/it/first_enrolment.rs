//! A request that agrees with its challenge is granted, with content from the binding.

use lanyard_model::{
    enroll::RequestSigner,
    serial::SerialNumber,
    template::Usages,
    time::{Span, Timestamp},
    usage::{CLIENT_AUTH, ExtendedKeyUsages, KeyUsage, KeyUsages},
};
use lanyard_ra::{decide::Decision, reason::Reason};

use crate::support::*;

#[test]
fn a_request_that_agrees_is_granted_from_the_binding() {
    let scene = Scene::new();
    let grant = granted(scene.decide());
    let content = grant.content();
    assert_eq!(content.issuer.as_str(), "issuing");
    assert_eq!(content.subject, dn("CN=laptop-7,O=Example"));
    assert_eq!(content.san, sans(&["dns:laptop-7.example.org"]));
    let usages = Usages {
        key_usage: KeyUsages::from([KeyUsage::DigitalSignature]),
        extended_key_usage: ExtendedKeyUsages::from([CLIENT_AUTH]),
    };
    assert_eq!(content.usages, usages);
    assert_eq!(content.key, scene.request.content.key);
    assert_eq!(grant.template().map(|(name, revision)| (name.as_str(), revision)), Some(("device-client", 1)));
    assert_eq!(grant.profile().map(|p| p.as_str()), Some("default"));
    assert_eq!(grant.request(), scene.request.id);
    assert_eq!(grant.challenge(), scene.facts.challenge.map(|c| c.id));
    assert!(grant.renews().is_none() && grant.user().is_none() && grant.device().is_none() && !grant.from_pending());
}

#[test]
fn validity_is_the_lifetime_to_the_second_and_backdated() {
    let scene = Scene::new();
    let grant = granted(scene.decide());
    let (not_before, not_after) = (grant.content().not_before, grant.content().not_after);
    assert_eq!(not_before, Timestamp::from_secs(scene.now.secs() - 3600));
    assert_eq!(not_after.secs() - not_before.secs() + 1, 365 * 86_400);
}

#[test]
fn a_fleet_that_enrols_in_one_moment_ends_evenly_over_the_spread() {
    let hours = 20;
    let policy = policy_edited("device-client", &[("backdate = \"1h\"", "backdate = \"1h\"\nspread = \"20h\"")]);
    let mut scene = Scene::of(&order(), policy);
    let mut counts = vec![0_u32; usize::try_from(hours).unwrap()];
    for n in 0..4000_u32 {
        scene.request.content.key.digest = lanyard_pki::crypto::digest::sha256(&n.to_be_bytes());
        scene.request.signer_key_digest = scene.request.content.key.digest;
        let content = granted(scene.decide()).content().clone();
        assert_eq!(content.not_after.secs() - content.not_before.secs() + 1, 365 * 86_400);
        let back = scene.now.secs() - 3600 - content.not_before.secs();
        counts[usize::try_from((back / 3600).min(hours - 1)).unwrap()] += 1;
    }
    assert!(counts.iter().all(|count| (120..=300).contains(count)), "200 are to be expected in each hour: {counts:?}");
}

#[test]
fn the_order_of_rdns_and_of_names_does_not_matter() {
    let mut order = order();
    order.subject = Some(dn("CN=laptop-7,O=Example,OU=Lab,OU=West,C=DE"));
    order.san = Some(sans(&["dns:a.example.org", "dns:b.example.org", "ip:10.0.0.7"]));
    let mut scene = Scene::of(&order, policy());
    scene.request.content.subject = dn("C=DE,OU=West,O=Example,CN=laptop-7,OU=Lab");
    scene.request.content.san = sans(&["ip:10.0.0.7", "dns:B.Example.org.", "dns:a.example.org"]);
    let grant = granted(scene.decide());
    // The certificate keeps the order of the binding.
    assert_eq!(Some(&grant.content().subject), order.subject.as_ref());
    assert_eq!(Some(&grant.content().san), order.san.as_ref());
}

#[test]
fn usages_may_be_left_out_or_asked_for_exactly() {
    let mut scene = Scene::new();
    scene.request.content.key_usage = Some(KeyUsages::from([KeyUsage::DigitalSignature]));
    granted(scene.decide());
    scene.request.content.extended_key_usage = Some(ExtendedKeyUsages::from([CLIENT_AUTH]));
    granted(scene.decide());
    scene.request.content.key_usage = None;
    granted(scene.decide());
}

#[test]
fn device_client_needs_no_alternative_name() {
    let mut order = order();
    order.san = Some(Vec::new());
    let grant = granted(Scene::of(&order, policy()).decide());
    assert!(grant.content().san.is_empty());
    // Without a record there is nothing to fill in either.
    order.san = None;
    assert!(granted(Scene::of(&order, policy()).decide()).content().san.is_empty());
}

#[test]
fn names_are_filled_in_from_the_record() {
    let mut order = order();
    (order.subject, order.san, order.key, order.ttl) = (None, None, None, None);
    order.device = Some(device());
    let scene = Scene::of(&order, policy());
    let grant = granted(scene.decide());
    assert_eq!(grant.content().subject, dn("CN=laptop-7,O=Example"));
    assert_eq!(grant.content().san, sans(&["dns:laptop-7.example.org"]));
    assert_eq!(grant.content().key.kind.to_string(), "rsa:2048");
    assert_eq!(grant.device().map(|d| d.as_str()), Some("inv-7"));
}

#[test]
fn a_renewal_signer_with_a_challenge_stands_by_the_challenge() {
    let mut scene = Scene::new();
    scene.request.signer =
        RequestSigner::Ours { issuer: "issuing".parse().unwrap(), serial: SerialNumber::from_random([1; 16]), digest: [1; 32] };
    scene.request.signer_key_digest = [4; 32];
    // The certificate itself is not even on record: the challenge permits the request.
    granted(scene.decide());
    scene.facts.challenge = None;
    assert_denied(scene.decide(), Reason::ChallengeUnknown, "a wrong challenge is not ignored");
}

#[test]
fn sha1_is_accepted_with_a_challenge_of_a_legacy_profile_only() {
    let mut order = order();
    order.profile = "legacy".parse().unwrap();
    let mut scene = Scene::of(&order, policy());
    scene.request.strong_signature = false;
    granted(scene.decide());
    let mut scene = Scene::new();
    scene.request.strong_signature = false;
    assert_denied(scene.decide(), Reason::WeakSignature, "default profile");
}

#[test]
fn a_template_raised_without_effect_on_the_binding_still_grants() {
    let mut scene = Scene::new();
    scene.policy =
        policy_edited("device-client", &[("revision = 1", "revision = 2"), ("lifetime = \"365d\"", "lifetime = \"200d\"")]);
    let grant = granted(scene.decide());
    assert_eq!(grant.template().map(|(_, revision)| revision), Some(2));
    assert_eq!(grant.content().not_after.since(grant.content().not_before), Span::from_secs(200 * 86_400 - 1));
}

#[test]
fn the_same_request_again_is_a_repetition_even_after_expiry() {
    let mut scene = Scene::new();
    scene.use_challenge(request_id(1));
    scene.request.id = request_id(7);
    for later in [1, 100_000] {
        scene.now = scene.now + Span::from_secs(later);
        assert!(matches!(scene.decide(), Decision::Repeat(earlier) if earlier == request_id(1)));
    }
}

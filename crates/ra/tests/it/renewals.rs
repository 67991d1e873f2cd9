//! Renewals: the certificate on record decides (scep.md, section 9).

use lanyard_model::{
    certificate::{Revocation, RevocationReason},
    enroll::RequestSigner,
    key::KeyKind,
    san::SubjectAltName,
    secret::SecretText,
    serial::SerialNumber,
    time::Span,
    usage::{ExtendedKeyUsages, KeyUsage, KeyUsages},
};
use lanyard_ra::{
    decide::{Facts, Subjects, subjects_of},
    reason::Reason,
};

use lanyard_ra::{profile, template};

use crate::support::*;

#[test]
fn a_renewal_gets_what_the_record_says() {
    let mut scene = Scene::renewal();
    let successor = SerialNumber::from_random([4; 16]);
    scene.signer().successor = Some(successor.clone());
    let record = scene.facts.signer_certificate.clone().unwrap();
    let grant = granted(scene.decide());
    assert_eq!(grant.renews(), Some((&record.serial, Some(&successor))));
    assert_eq!((&grant.content().subject, &grant.content().san), (&record.subject, &record.san));
    assert_eq!(grant.content().key, scene.request.content.key);
    assert_eq!(grant.content().not_before.secs(), scene.now.secs() - 3600);
    assert!(grant.challenge().is_none() && !grant.from_pending());
    assert_eq!(grant.template().map(|(name, _)| name.as_str()), Some("device-client"));
}

#[test]
fn a_renewal_may_keep_its_key_and_need_not_be_called_one() {
    let mut scene = Scene::renewal();
    scene.request.content.key = key(KeyKind::Rsa(2048), 1);
    scene.request.renewal = false;
    granted(scene.decide());
}

#[test]
fn a_renewal_may_have_any_key_the_template_accepts() {
    let mut scene = Scene::renewal();
    for (kind, reason) in [
        (KeyKind::Rsa(4096), None),
        (KeyKind::EcP384, None),
        (KeyKind::Rsa(1024), Some(Reason::KeyLengthMismatch)),
        (KeyKind::EcP521, Some(Reason::KeyLengthMismatch)),
        (KeyKind::Ed25519, Some(Reason::KeyTypeMismatch)),
    ] {
        scene.request.content.key.kind = kind;
        match reason {
            None => drop(granted(scene.decide())),
            Some(reason) => assert_denied(scene.decide(), reason, &kind.to_string()),
        }
    }
}

#[test]
fn an_empty_challenge_is_none() {
    let mut scene = Scene::renewal();
    scene.request.challenge = Some(SecretText::new(String::new()));
    granted(scene.decide());
    scene.request.challenge = Some(SecretText::new("wrong".into()));
    assert_denied(scene.decide(), Reason::ChallengeMalformed, "a wrong challenge is not ignored");
}

#[test]
fn the_window_opens_and_closes_to_the_second() {
    let mut scene = Scene::renewal();
    let not_after = scene.signer().not_after;
    let from = not_after - Span::from_days(120);
    let second = Span::from_secs(1);
    for (now, reason) in [
        (from - second, Some(Reason::RenewalTooEarly)),
        (from, None),
        (not_after, None),
        (not_after + second, Some(Reason::RenewalExpired)),
    ] {
        scene.now = now;
        match reason {
            None => drop(granted(scene.decide())),
            Some(reason) => assert_denied(scene.decide(), reason, &now.to_string()),
        }
    }
    scene.policy = policy_edited("device-client", &[("renewal-grace = \"0d\"", "renewal-grace = \"7d\"")]);
    scene.now = not_after + Span::from_days(7);
    granted(scene.decide());
    scene.now = scene.now + second;
    assert_denied(scene.decide(), Reason::RenewalExpired, "after the grace");
}

#[test]
fn what_is_wrong_with_the_certificate() {
    let table: [Deviation; 14] = [
        ("not on record", Reason::RenewalUnknownCertificate, |s| s.facts.signer_certificate = None),
        ("only intended", Reason::RenewalUnknownCertificate, |s| s.signer().der = None),
        ("record of another serial", Reason::RenewalUnknownCertificate, |s| {
            s.signer().serial = SerialNumber::from_random([6; 16]);
        }),
        ("service certificate", Reason::RenewalUnknownCertificate, |s| s.signer().template = None),
        ("other octets", Reason::RenewalCertificateMismatch, |s| s.signer().der.as_mut().unwrap()[0] ^= 1),
        ("other key", Reason::RenewalCertificateMismatch, |s| s.signer().key_digest[0] ^= 1),
        ("other signer key", Reason::RenewalCertificateMismatch, |s| s.request.signer_key_digest[0] ^= 1),
        ("revoked", Reason::RenewalRevoked, |s| {
            let revocation = Revocation { at: s.now, reason: RevocationReason::KeyCompromise };
            s.signer().revocation = Some(revocation);
        }),
        ("of another profile", Reason::RenewalOtherProfile, |s| s.signer().profile = Some("legacy".parse().unwrap())),
        ("of no profile", Reason::RenewalOtherProfile, |s| s.signer().profile = None),
        ("asked at another profile", Reason::RenewalOtherProfile, |s| s.request.profile = "legacy".parse().unwrap()),
        ("weak signature", Reason::RenewalWeakSignature, |s| s.request.strong_signature = false),
        ("not yet valid", Reason::Clock, |s| s.now = s.signer().not_before - Span::from_secs(1)),
        ("of another authority", Reason::RenewalUnknownCertificate, |s| s.signer().issuer = "root".parse().unwrap()),
    ];
    for (what, reason, change) in table {
        let mut scene = Scene::renewal();
        granted(scene.decide());
        change(&mut scene);
        let refused = denied(scene.decide());
        assert_eq!(refused.reason, reason, "{what}: {}", refused.detail);
        assert!(refused.challenge.is_none() && !refused.burn);
    }
}

#[test]
fn weak_signatures_renew_only_where_a_legacy_profile_says_so() {
    let mut order = order();
    order.profile = "legacy".parse().unwrap();
    let mut scene = Scene::renewal_of(&order);
    scene.request.strong_signature = false;
    granted(scene.decide());
    for (from, to) in
        [("sha1-renewals = true", "sha1-renewals = false"), ("legacy-algorithms = true", "legacy-algorithms = false")]
    {
        let mut profiles = files(profile::builtin());
        profiles.iter_mut().for_each(|(_, text)| *text = text.replace(from, to));
        scene.policy = policy_with(files(template::builtin()), profiles);
        assert_denied(scene.decide(), Reason::RenewalWeakSignature, to);
    }
    let mut scene = Scene::renewal();
    scene.request.strong_signature = false;
    assert_denied(scene.decide(), Reason::RenewalWeakSignature, "default");
}

#[test]
fn claims_are_compared_with_the_record() {
    let table: [Deviation; 10] = [
        ("subject", Reason::SubjectMismatch, |s| s.request.content.subject = dn("CN=laptop-8,O=Example")),
        ("no subject", Reason::SubjectMissing, |s| s.request.content.subject = dn("")),
        ("name added", Reason::SanMismatch, |s| s.request.content.san.extend(sans(&["dns:dc.example.org"]))),
        ("no names", Reason::SanMissing, |s| s.request.content.san.clear()),
        ("key usage", Reason::KeyUsageMismatch, |s| {
            s.request.content.key_usage = Some(KeyUsages::from([KeyUsage::KeyEncipherment]));
        }),
        ("purposes", Reason::EkuMismatch, |s| {
            s.request.content.extended_key_usage = Some(ExtendedKeyUsages::from(["serverAuth".parse().unwrap()]));
        }),
        ("extension", Reason::ExtensionNotAllowed, |s| {
            s.request.content.other_extensions.push("1.3.6.1.4.1.311.25.2".parse().unwrap());
        }),
        ("authority", Reason::CaRequested, |s| s.request.content.wants_ca = true),
        ("another signer", Reason::SignerForeign, |s| s.request.signer = RequestSigner::Foreign),
        ("self-signed", Reason::ChallengeMissing, |s| s.request.signer = RequestSigner::SelfSigned),
    ];
    for (what, reason, change) in table {
        let mut scene = Scene::renewal();
        change(&mut scene);
        assert_denied(scene.decide(), reason, what);
    }
}

#[test]
fn what_is_never_issued_is_never_renewed() {
    let mut scene = Scene::renewal();
    let odd = SubjectAltName::Unsupported("otherName 1.2.3".into());
    scene.signer().san = vec![odd.clone()];
    scene.request.content.san = vec![odd];
    assert_denied(scene.decide(), Reason::TemplateChanged, "both have it");
}

#[test]
fn owners_must_still_be_entitled() {
    let mut order = order();
    (order.user, order.device) = (Some(user()), Some(device()));
    let table: [Deviation; 5] = [
        ("user gone", Reason::UserUnknown, |s| s.facts.user = None),
        ("user disabled", Reason::UserDisabled, |s| s.facts.user.as_mut().unwrap().disabled = true),
        ("device gone", Reason::DeviceUnknown, |s| s.facts.device = None),
        ("device blocked", Reason::DeviceBlocked, |s| s.facts.device.as_mut().unwrap().blocked = true),
        ("device renamed", Reason::RecordChanged, |s| s.facts.device.as_mut().unwrap().name = Some("laptop-9".into())),
    ];
    for (what, reason, change) in table {
        let mut scene = Scene::renewal_of(&order);
        granted(scene.decide());
        change(&mut scene);
        assert_denied(scene.decide(), reason, what);
    }
}

#[test]
fn the_rules_are_those_of_today() {
    let mut scene = Scene::renewal();
    scene.policy = policy_edited("device-client", &[("[\"scep\", ", "[")]);
    assert_denied(scene.decide(), Reason::ProtocolNotAllowed, "protocol taken away");
    scene.policy = policy_edited("device-client", &[("CN={device.name}", "CN=dev-{device.name}")]);
    assert_denied(scene.decide(), Reason::TemplateChanged, "pattern");
    // Usages are the template's, so a renewal follows them.
    scene.policy = policy_edited("device-client", &[("[\"clientAuth\"]", "[\"clientAuth\", \"eapOverLAN\"]")]);
    assert_eq!(granted(scene.decide()).content().usages.extended_key_usage.len(), 2);
    let rest = files(lanyard_ra::template::builtin()).into_iter().filter(|(file, _)| file != "device-client.toml").collect();
    scene.policy = policy_with(rest, files(lanyard_ra::profile::builtin()));
    assert_denied(scene.decide(), Reason::TemplateUnknown, "template removed");
}

#[test]
fn renewals_need_no_second_approval() {
    let mut order = order();
    order.template = "code-signing".parse().unwrap();
    (order.san, order.key) = (Some(Vec::new()), Some(KeyKind::EcP256));
    let mut scene = Scene::renewal();
    scene.signer().template = Some((order.template, 1));
    scene.signer().san.clear();
    scene.request.content.san.clear();
    scene.request.content.key.kind = KeyKind::EcP256;
    scene.now = scene.signer().not_after - Span::from_days(1);
    granted(scene.decide());
}

#[test]
fn the_caller_learns_whom_to_load() {
    let mut order = order();
    (order.user, order.device) = (Some(user()), Some(device()));
    let both = Subjects { user: Some("jo".parse().unwrap()), device: Some("inv-7".parse().unwrap()) };
    let first = Scene::of(&order, policy());
    assert_eq!(subjects_of(&first.facts), both);
    assert_eq!(subjects_of(&Facts::default()), Subjects::default());
    assert_eq!(subjects_of(&Scene::renewal_of(&order).facts), both);
}

#[test]
fn a_spent_challenge_of_the_same_identity_neither_permits_nor_hinders() {
    let with_spent = |edit: &dyn Fn(&mut Scene)| {
        let mut scene = Scene::renewal();
        let first = Scene::new();
        scene.request.challenge = first.request.challenge.clone();
        scene.facts.challenge = first.facts.challenge.clone();
        scene.use_challenge(request_id(5));
        edit(&mut scene);
        scene
    };
    assert!(granted(with_spent(&|_| ()).decide()).renews().is_some());
    assert!(granted(with_spent(&|s| s.request.content.csr_digest = [9; 32]).decide()).challenge().is_none());
    let revocation = Revocation { at: NOW, reason: RevocationReason::KeyCompromise };
    assert_denied(
        with_spent(&|s| s.signer().revocation = Some(revocation)).decide(),
        Reason::RenewalRevoked,
        "the certificate decides",
    );
    assert_denied(with_spent(&|s| s.signer().subject = dn("CN=other,O=Example")).decide(), Reason::ChallengeUsed, "another's");
    assert_denied(with_spent(&|s| s.challenge().keyed_hash[0] ^= 1).decide(), Reason::ChallengeSignature, "an edited record");
    let unused = |s: &mut Scene| {
        s.challenge().used = None;
        s.now = NOW;
    };
    let unused = with_spent(&unused).decide();
    assert!(granted(unused).challenge().is_some(), "an unused challenge decides as for a first enrolment");
}

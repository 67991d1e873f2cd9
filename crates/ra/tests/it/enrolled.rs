//! Devices that enrol for management: the user has signed in, the records name everything, the request brings a key.

use lanyard_model::{
    certificate::{CertificateRecord, Revocation, RevocationReason},
    directory::{Device, User},
    enroll::{EnrollRequest, Protocol, RequestSigner},
    key::KeyKind,
    serial::SerialNumber,
    time::{Span, Timestamp},
};
use lanyard_pki::crypto::digest::sha256;
use lanyard_ra::{
    challenge::ChallengeOrder,
    decide::{Decision, Facts, decide, decide_enrolled, decide_enrolled_renewal},
    policy::Policy,
    reason::Reason,
};

use crate::support::{
    NOW, assert_denied, device, dn, edited, files, granted, issued, key, keys, order, policy, policy_edited, policy_with,
    request, sans, user,
};

/// What is changed, the expected reason, and how.
type Deviation = (&'static str, Reason, fn(&mut Ask));

struct Ask {
    request: EnrollRequest,
    order: ChallengeOrder,
    facts: Facts,
    policy: Policy,
    now: Timestamp,
}

fn first() -> Ask {
    let order = ChallengeOrder {
        template: "mdm-identity".parse().unwrap(),
        profile: "mdm".parse().unwrap(),
        subject: None,
        san: None,
        key: None,
        user: Some(user()),
        device: Some(device()),
        ..order()
    };
    let mut request = request(&dn("CN=ConfigMgrEnroll"), &sans(&["dns:evil.example.org"]), None);
    request.protocol = Protocol::Wstep;
    request.profile = "mdm".parse().unwrap();
    request.signer = RequestSigner::User(user().name);
    request.content.other_extensions = vec!["1.3.6.1.4.1.311.66.1.0".parse().unwrap()];
    let facts = Facts { user: order.user.clone(), device: order.device.clone(), ..Facts::default() };
    Ask { request, order, facts, policy: policy(), now: NOW }
}

/// The identity of [`first`] in its window.
fn again() -> Ask {
    let mut ask = first();
    let grant = granted(ask.first());
    let (content, serial, der) = (grant.content(), SerialNumber::from_random([3; 16]), vec![9; 50]);
    ask.facts.signer_certificate = Some(issued(&grant, &serial, &der));
    ask.request.signer = RequestSigner::Ours { issuer: content.issuer.clone(), serial, digest: sha256(&der) };
    ask.request.content.key = key(KeyKind::Rsa(2048), 2);
    ask.now = NOW + Span::from_days(320);
    ask
}

impl Ask {
    fn first(&self) -> Decision {
        decide_enrolled(&self.request, &self.order, &self.facts, &self.policy, self.now)
    }

    fn again(&self) -> Decision {
        decide_enrolled_renewal(&self.request, &self.order, &self.facts, &self.policy, self.now)
    }

    fn signer(&mut self) -> &mut CertificateRecord {
        self.facts.signer_certificate.as_mut().unwrap()
    }
}

#[test]
fn enrollment_6_2_names_come_from_the_record_whatever_windows_asks_for() {
    let grant = granted(first().first());
    assert_eq!(grant.content().subject, dn("CN=inv-7"));
    assert!(grant.content().san.is_empty() && grant.challenge().is_none() && grant.renews().is_none());
    assert_eq!((grant.user(), grant.device()), (Some(&user().name), Some(&device().id)));
}

#[test]
fn a_first_identity_is_held_to_the_rules() {
    let table: [Deviation; 9] = [
        ("self-signed", Reason::SignerForeign, |a| a.request.signer = RequestSigner::SelfSigned),
        ("another user", Reason::SignerForeign, |a| a.request.signer = RequestSigner::User("eve".parse().unwrap())),
        ("by SCEP", Reason::ProtocolNotAllowed, |a| a.request.protocol = Protocol::Scep),
        ("another profile", Reason::ChallengeOtherAudience, |a| a.request.profile = "default".parse().unwrap()),
        ("a template that is not in it", Reason::TemplateNotInProfile, |a| a.order.template = "wifi".parse().unwrap()),
        ("an authority's certificate", Reason::CaRequested, |a| a.request.content.wants_ca = true),
        ("a short key", Reason::KeyLengthMismatch, |a| a.request.content.key.kind = KeyKind::Rsa(1024)),
        ("a disabled user", Reason::UserDisabled, |a| a.order.user = Some(User { disabled: true, ..user() })),
        ("a blocked device", Reason::DeviceBlocked, |a| a.order.device = Some(Device { blocked: true, ..device() })),
    ];
    for (what, reason, change) in table {
        let mut ask = first();
        change(&mut ask);
        assert_denied(ask.first(), reason, what);
    }
    let mut held = first();
    held.policy = policy_edited("mdm-identity", &[("approval = \"automatic\"", "approval = \"person\"")]);
    assert_denied(held.first(), Reason::ApprovalDenied, "a person's approval");
    // Without an order a user's word is worth nothing.
    let ask = first();
    assert_denied(decide(&ask.request, &ask.facts, &ask.policy, &keys(), NOW), Reason::ChallengeMissing, "no order");
}

#[test]
fn renewal_8_the_same_subject_under_another_template_if_it_is_so_ordered() {
    let mut ask = again();
    let renewed = granted(ask.again());
    assert_eq!(renewed.content().subject, dn("CN=inv-7"));
    assert_eq!(renewed.content().key, ask.request.content.key);
    assert_eq!(renewed.renews().map(|(serial, _)| serial), Some(&SerialNumber::from_random([3; 16])));
    let mut templates = files(lanyard_ra::template::builtin());
    let other = edited("mdm-identity", &[("name = \"mdm-identity\"", "name = \"mdm-next\""), ("\"365d\"", "\"200d\"")]);
    let other = other.into_iter().find(|(file, _)| file == "mdm-identity.toml").unwrap().1;
    templates.push(("mdm-next.toml".into(), other));
    let profiles = files(lanyard_ra::profile::builtin());
    let profiles = profiles.into_iter().map(|(f, t)| (f, t.replace("[\"mdm-identity\"]", "[\"mdm-identity\", \"mdm-next\"]")));
    ask.policy = policy_with(templates, profiles.collect());
    ask.order.template = "mdm-next".parse().unwrap();
    let next = granted(ask.again());
    let content = next.content();
    assert_eq!(content.not_after.since(content.not_before).secs(), Span::from_days(200).secs() - 1);
}

#[test]
fn renewals_are_held_to_the_rules() {
    let table: [Deviation; 9] = [
        ("a user alone", Reason::SignerForeign, |a| a.request.signer = RequestSigner::User(user().name)),
        ("not on record", Reason::RenewalUnknownCertificate, |a| a.facts.signer_certificate = None),
        ("another certificate", Reason::RenewalCertificateMismatch, |a| a.signer().der = Some(vec![1])),
        ("another device's", Reason::RenewalCertificateMismatch, |a| a.signer().device = Some("inv-8".parse().unwrap())),
        ("revoked", Reason::RenewalRevoked, |a| {
            a.signer().revocation = Some(Revocation { at: NOW, reason: RevocationReason::Superseded });
        }),
        ("too early", Reason::RenewalTooEarly, |a| a.now = NOW + Span::from_days(100)),
        ("too late", Reason::RenewalExpired, |a| a.now = NOW + Span::from_days(400)),
        ("a disabled user", Reason::UserDisabled, |a| a.facts.user = Some(User { disabled: true, ..user() })),
        ("a short key", Reason::KeyLengthMismatch, |a| a.request.content.key.kind = KeyKind::Rsa(1024)),
    ];
    for (what, reason, change) in table {
        let mut ask = again();
        change(&mut ask);
        assert_denied(ask.again(), reason, what);
    }
}

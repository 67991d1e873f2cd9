//! An administrator with an order and a CSR in hand.

use lanyard_model::{
    enroll::{EnrollRequest, Protocol, RequestSigner},
    key::KeyKind,
};
use lanyard_ra::{
    challenge::ChallengeOrder,
    decide::{Decision, Facts, decide_administrator},
    policy::Policy,
    reason::Reason,
};

use crate::support::*;

fn ask() -> (EnrollRequest, ChallengeOrder, Policy) {
    let order = order();
    let mut request = request(order.subject.as_ref().unwrap(), order.san.as_ref().unwrap(), None);
    request.protocol = Protocol::Api;
    request.signer = RequestSigner::Administrator("root".into());
    (request, order, policy())
}

fn decide((request, order, policy): &(EnrollRequest, ChallengeOrder, Policy)) -> Decision {
    let facts = Facts { user: order.user.clone(), device: order.device.clone(), ..Facts::default() };
    decide_administrator(request, order, &facts, policy, NOW)
}

#[test]
fn an_order_is_granted_without_a_challenge() {
    let ask = ask();
    let grant = granted(decide(&ask));
    assert!(grant.challenge().is_none() && grant.renews().is_none() && !grant.from_pending());
    assert_eq!(grant.content().subject, dn("CN=laptop-7,O=Example"));
    assert_eq!(grant.profile().map(|p| p.as_str()), Some("default"));
}

#[test]
fn an_order_without_a_key_takes_the_csr_s_if_the_template_accepts_it() {
    let mut ask = ask();
    ask.1.key = None;
    ask.0.content.key.kind = KeyKind::EcP384;
    granted(decide(&ask));
    ask.0.content.key.kind = KeyKind::Ed25519;
    assert_denied(decide(&ask), Reason::KeyTypeMismatch, "not accepted");
    ask.0.content.key.kind = KeyKind::Rsa(1024);
    assert_denied(decide(&ask), Reason::KeyLengthMismatch, "too short");
}

#[test]
fn orders_are_held_to_the_rules() {
    type Ask = (EnrollRequest, ChallengeOrder, Policy);
    type Change = fn(&mut Ask);
    let table: [(&str, Reason, Change); 19] = [
        ("self-signed", Reason::SignerForeign, |a| a.0.signer = RequestSigner::SelfSigned),
        ("foreign", Reason::SignerForeign, |a| a.0.signer = RequestSigner::Foreign),
        ("by SCEP", Reason::ProtocolNotAllowed, |a| a.0.protocol = Protocol::Scep),
        ("another profile", Reason::ChallengeOtherAudience, |a| a.0.profile = "legacy".parse().unwrap()),
        ("no such profile", Reason::ProfileUnknown, |a| {
            a.0.profile = "none".parse().unwrap();
            a.1.profile = a.0.profile.clone();
        }),
        ("no such template", Reason::TemplateUnknown, |a| a.1.template = "none".parse().unwrap()),
        ("template not for the API", Reason::ProtocolNotAllowed, |a| a.1.template = "smime-encryption".parse().unwrap()),
        ("subject of the order", Reason::SubjectMismatch, |a| a.1.subject = Some(dn("CN=laptop-7,O=Other"))),
        ("subject of the CSR", Reason::SubjectMismatch, |a| a.0.content.subject = dn("CN=laptop-8,O=Example")),
        ("no subject to be had", Reason::SubjectMissing, |a| a.1.subject = None),
        ("name of the order", Reason::SanMismatch, |a| a.1.san = Some(sans(&["email:a@example.org"]))),
        ("name of the CSR", Reason::SanMismatch, |a| a.0.content.san = sans(&["dns:b.example.org"])),
        ("no names in the CSR", Reason::SanMissing, |a| a.0.content.san.clear()),
        ("key of the CSR", Reason::KeyLengthMismatch, |a| a.0.content.key.kind = KeyKind::Rsa(3072)),
        ("key of the order", Reason::KeyTypeMismatch, |a| a.1.key = Some(KeyKind::Ed25519)),
        ("authority", Reason::CaRequested, |a| a.0.content.wants_ca = true),
        ("extension", Reason::ExtensionNotAllowed, |a| a.0.content.other_extensions.push("1.2.3".parse().unwrap())),
        ("user disabled", Reason::UserDisabled, |a| {
            a.1.user = Some(lanyard_model::directory::User { disabled: true, ..user() });
        }),
        ("device blocked", Reason::DeviceBlocked, |a| {
            a.1.device = Some(lanyard_model::directory::Device { blocked: true, ..device() });
        }),
    ];
    for (what, reason, change) in table {
        let mut ask = ask();
        change(&mut ask);
        let refused = denied(decide(&ask));
        assert_eq!(refused.reason, reason, "{what}: {}", refused.detail);
        assert!(refused.challenge.is_none() && !refused.burn);
        assert_eq!(refused.template, Some(ask.1.template));
    }
}

#[test]
fn nobody_approves_an_own_request() {
    let mut ask = ask();
    ask.2 = policy_edited("device-client", &[("approval = \"automatic\"", "approval = \"person\"")]);
    assert_denied(decide(&ask), Reason::ApprovalDenied, "approval = person");
}

#[test]
fn user_and_device_must_be_on_record() {
    let (request, mut order, policy) = ask();
    (order.user, order.device) = (Some(user()), Some(device()));
    let facts = Facts { user: order.user.clone(), device: order.device.clone(), ..Facts::default() };
    granted(decide_administrator(&request, &order, &facts, &policy, NOW));
    let gone = Facts { user: None, ..facts.clone() };
    assert_denied(decide_administrator(&request, &order, &gone, &policy, NOW), Reason::UserUnknown, "user");
    let gone = Facts { device: None, ..facts };
    assert_denied(decide_administrator(&request, &order, &gone, &policy, NOW), Reason::DeviceUnknown, "device");
}

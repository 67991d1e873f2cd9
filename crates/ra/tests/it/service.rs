//! Grants for the authority's own service certificates.

use lanyard_model::{
    key::KeyKind,
    usage::{ExtendedKeyUsages, KeyUsage, KeyUsages, SERVER_AUTH},
};
use lanyard_ra::{
    error::RaError,
    grant::Grant,
    service::{ServiceRole, grant},
};

use crate::support::*;

fn ask(role: ServiceRole, organization: &str, kind: KeyKind, names: &[&str]) -> Result<Grant, RaError> {
    grant(role, "issuing".parse().unwrap(), organization, key(kind, 1), sans(names), request_id(3), NOW)
}

#[test]
fn the_registration_certificate_has_a_fixed_profile() {
    let grant = ask(ServiceRole::Registration, "Example", KeyKind::Rsa(3072), &[]).unwrap();
    let content = grant.content();
    assert_eq!(content.subject, dn("CN=Example Registration,O=Example"));
    assert_eq!(content.usages.key_usage, KeyUsages::from([KeyUsage::DigitalSignature, KeyUsage::KeyEncipherment]));
    assert!(content.usages.extended_key_usage.is_empty() && content.san.is_empty());
    assert_eq!(content.not_before.secs(), NOW.secs() - 3600);
    assert_eq!(content.not_after.secs() - content.not_before.secs() + 1, 730 * 86_400);
    assert!(grant.template().is_none() && grant.profile().is_none() && grant.challenge().is_none() && grant.renews().is_none());
    assert_eq!(grant.request(), request_id(3));
}

#[test]
fn a_long_organization_still_fits_the_common_name() {
    let grant = ask(ServiceRole::Registration, &"Ö".repeat(64), KeyKind::Rsa(2048), &[]).unwrap();
    assert_eq!(grant.content().subject.0[0].value.chars().count(), 64);
    assert!(ask(ServiceRole::Registration, &"Ö".repeat(65), KeyKind::Rsa(2048), &[]).is_err());
}

#[test]
fn the_server_certificate_has_a_fixed_profile() {
    let grant = ask(ServiceRole::TlsServer, "Example", KeyKind::EcP256, &["dns:ca.example.org", "ip:10.0.0.1"]).unwrap();
    let content = grant.content();
    assert_eq!(content.subject, dn("CN=ca.example.org,O=Example"));
    assert_eq!(content.san, sans(&["dns:ca.example.org", "ip:10.0.0.1"]));
    assert_eq!(content.usages.key_usage, KeyUsages::from([KeyUsage::DigitalSignature]));
    assert_eq!(content.usages.extended_key_usage, ExtendedKeyUsages::from([SERVER_AUTH]));
    assert_eq!(content.not_after.secs() - content.not_before.secs() + 1, 90 * 86_400);
}

#[test]
fn what_does_not_suit_the_role_is_refused() {
    for (role, kind, names) in [
        (ServiceRole::Registration, KeyKind::EcP256, &[][..]),
        (ServiceRole::Registration, KeyKind::Ed25519, &[]),
        (ServiceRole::Registration, KeyKind::Rsa(2048), &["dns:ca.example.org"]),
        (ServiceRole::TlsServer, KeyKind::EcP256, &[]),
        (ServiceRole::TlsServer, KeyKind::EcP256, &["email:a@example.org"]),
        (ServiceRole::TlsServer, KeyKind::EcP256, &["dns:ca.example.org", "upn:a@example.org"]),
    ] {
        let error = ask(role, "Example", kind, names).unwrap_err();
        assert_eq!(error.code(), "ra.service-invalid", "{role:?} {kind} {names:?}");
    }
}

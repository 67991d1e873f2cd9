//! Everything that could differ between grant and bytes is found.

use lanyard_model::{
    certificate::CertificateContent,
    key::KeyKind,
    name::DistinguishedName,
    serial::SerialNumber,
    time::{Span, Timestamp},
    usage::{CLIENT_AUTH, KeyUsage},
};
use lanyard_pki::{
    crypto::software::{SoftwareSigner, generate},
    key::Signer,
    name,
    signature::{Digest, SignatureAlgorithm},
};
use lanyard_ra::service::{ServiceRole, grant};

use crate::{
    authority::Authority,
    ceremony,
    prepare::{Prepared, prepare},
};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn dn(text: &str) -> DistinguishedName {
    name::parse(text).unwrap()
}

fn authority(kind: KeyKind) -> Authority {
    let key = SoftwareSigner::from_pkcs8(&generate(kind).unwrap()).unwrap();
    let certificate = ceremony::root(&dn("CN=Root,O=Example"), &key, &SerialNumber::from_random([7; 16]), NOW).unwrap();
    let url = |rest: &str| format!("http://pki.example.org/{rest}");
    Authority::new("issuing".parse().unwrap(), certificate, Box::new(key), url("crl/issuing.crl"), url("ca/issuing.cer")).unwrap()
}

fn prepared(authority: &Authority) -> Prepared {
    let key = SoftwareSigner::from_pkcs8(&generate(KeyKind::EcP256).unwrap()).unwrap().public_key().clone();
    let names = vec!["dns:pki.example.org".parse().unwrap()];
    let request = lanyard_model::id::RequestId::generate(NOW);
    let grant = grant(ServiceRole::TlsServer, "issuing".parse().unwrap(), "Example", key, names, request, NOW).unwrap();
    prepare(authority, &grant, SerialNumber::from_random([5; 16]), NOW).unwrap()
}

#[test]
fn what_was_granted_passes_whatever_the_authority_signs_with() {
    for kind in [KeyKind::EcP256, KeyKind::EcP384, KeyKind::Ed25519, KeyKind::Rsa(2048)] {
        let authority = authority(kind);
        let der = prepared(&authority).lint(&authority).unwrap().sign(&authority).unwrap();
        let certificate = lanyard_pki::certificate::Certificate::decode(&der).unwrap();
        certificate.verify_issued_by(authority.certificate()).unwrap();
    }
}

#[test]
fn notafter_never_exceeds_the_authority() {
    let authority = authority(KeyKind::EcP256);
    let (_, last) = authority.validity();
    let key = SoftwareSigner::from_pkcs8(&generate(KeyKind::EcP256).unwrap()).unwrap().public_key().clone();
    let late = last - Span::from_days(1);
    let request = lanyard_model::id::RequestId::generate(late);
    let names = vec!["dns:pki.example.org".parse().unwrap()];
    let grant = grant(ServiceRole::TlsServer, "issuing".parse().unwrap(), "Example", key, names, request, late).unwrap();
    let prepared = prepare(&authority, &grant, SerialNumber::from_random([5; 16]), late).unwrap();
    assert_eq!(prepared.intent(late).not_after, last);
    prepared.lint(&authority).unwrap();
    let after = last + Span::from_secs(1);
    assert!(prepare(&authority, &grant, SerialNumber::from_random([6; 16]), after).is_err(), "an authority that has ended");
}

#[test]
fn security_2_each_difference_between_grant_and_bytes_is_refused() {
    type Change = fn(&mut CertificateContent);
    let changes: [(&str, Change); 10] = [
        ("subject", |c| c.subject = dn("CN=other,O=Example")),
        ("case of the subject", |c| c.subject = dn("CN=PKI.example.org,O=Example")),
        ("another name", |c| c.san.push("dns:other.example.org".parse().unwrap())),
        ("no name", |c| c.san.clear()),
        ("key usage", |c| c.usages.key_usage.extend([KeyUsage::KeyEncipherment])),
        ("purpose", |c| c.usages.extended_key_usage.extend([CLIENT_AUTH])),
        ("one second later", |c| c.not_after = c.not_after + Span::from_secs(1)),
        ("one second earlier", |c| c.not_before = c.not_before - Span::from_secs(1)),
        ("empty validity", |c| c.not_after = c.not_before),
        ("key", |c| c.key = SoftwareSigner::from_pkcs8(&generate(KeyKind::EcP256).unwrap()).unwrap().public_key().clone()),
    ];
    let authority = authority(KeyKind::EcP256);
    for (what, change) in changes {
        let mut prepared = prepared(&authority);
        change(&mut prepared.content);
        assert!(prepared.lint(&authority).is_err(), "{what}");
    }
    let mut serial = prepared(&authority);
    serial.serial = SerialNumber::from_random([9; 16]);
    assert!(serial.lint(&authority).is_err(), "serial number");
    let mut algorithm = prepared(&authority);
    algorithm.algorithm = SignatureAlgorithm::RsaPkcs1(Digest::Sha256);
    assert!(algorithm.lint(&authority).is_err(), "algorithm");
    assert!(prepared(&authority).lint(&self::authority(KeyKind::EcP256)).is_err(), "another authority of the same name");
}

#[test]
fn security_2_each_altered_octet_is_refused() {
    let authority = authority(KeyKind::EcP256);
    let good = prepared(&authority);
    for position in 0..good.tbs.len() {
        let mut altered = prepared(&authority);
        altered.content = good.content.clone();
        altered.tbs.clone_from(&good.tbs);
        altered.tbs[position] ^= 1;
        let around = good.tbs[position.saturating_sub(12)..(position + 8).min(good.tbs.len())].to_vec();
        assert!(altered.lint(&authority).is_err(), "octet {position} in {around:02x?}");
    }
}

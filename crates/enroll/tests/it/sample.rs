//! A little authority with a registration certificate, and a device.

use std::sync::OnceLock;

use lanyard_enroll::scep::client::trust::CaCertificates;
use lanyard_model::{
    key::KeyKind,
    secret::{SecretBytes, SecretText},
    serial::SerialNumber,
    time::{Span, Timestamp},
    usage::{KeyUsage, KeyUsages},
};
use lanyard_pki::{
    certificate::{
        Certificate,
        encode::{TbsCertificate, assemble},
    },
    cms::sign::certificates_only,
    crypto::software::{SoftwareDecrypter, SoftwareSigner, generate},
    csr::encode::{CertificationRequestInfo, encode},
    extension::{Extension, encode_basic_constraints, encode_key_usage},
    key::Signer,
    name, oids,
    signature::SignatureAlgorithm,
};

pub const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// A key in both its roles.
pub struct Key {
    pub signer: SoftwareSigner,
    pub decrypter: Option<SoftwareDecrypter>,
}

impl Key {
    pub fn new(kind: KeyKind) -> Self {
        let pkcs8: SecretBytes = generate(kind).unwrap();
        Self { signer: SoftwareSigner::from_pkcs8(&pkcs8).unwrap(), decrypter: SoftwareDecrypter::from_pkcs8(&pkcs8).ok() }
    }

    pub fn decrypter(&self) -> &SoftwareDecrypter {
        self.decrypter.as_ref().unwrap()
    }
}

pub struct Sample {
    pub ca: Certificate,
    pub ca_key: Key,
    pub registration: Certificate,
    pub registration_key: Key,
    pub device: Key,
}

pub fn certificate(subject: &str, key: &Key, issuer: &str, issuer_key: &Key, ca: bool) -> Certificate {
    let usages: KeyUsages = if ca {
        [KeyUsage::KeyCertSign, KeyUsage::CrlSign].into()
    } else {
        [KeyUsage::DigitalSignature, KeyUsage::KeyEncipherment].into()
    };
    let algorithm = SignatureAlgorithm::natural(issuer_key.signer.public_key().kind);
    let serial = SerialNumber::from_random(lanyard_pki::crypto::random::random().unwrap());
    let tbs = TbsCertificate {
        serial: &serial,
        algorithm,
        issuer: &name::encode(&name::parse(issuer).unwrap()),
        not_before: NOW - Span::from_days(1),
        not_after: NOW + Span::from_days(100),
        subject: &name::encode(&name::parse(subject).unwrap()),
        spki: &key.signer.public_key().spki,
        extensions: &[
            Extension::critical(oids::BASIC_CONSTRAINTS, encode_basic_constraints(ca.then_some(None))),
            Extension::critical(oids::KEY_USAGE, encode_key_usage(&usages)),
        ],
    }
    .encode();
    let signature = issuer_key.signer.sign(algorithm, &tbs).unwrap();
    Certificate::decode(&assemble(&tbs, algorithm, &signature)).unwrap()
}

pub fn sample() -> &'static Sample {
    static SAMPLE: OnceLock<Sample> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let ca_key = Key::new(KeyKind::EcP256);
        let registration_key = Key::new(KeyKind::Rsa(2048));
        Sample {
            ca: certificate("CN=CA", &ca_key, "CN=CA", &ca_key, true),
            registration: certificate("CN=RA", &registration_key, "CN=CA", &ca_key, false),
            ca_key,
            registration_key,
            device: Key::new(KeyKind::Rsa(2048)),
        }
    })
}

impl Sample {
    pub fn trusted(&self) -> CaCertificates {
        let bag = certificates_only(&[self.registration.der(), self.ca.der()]);
        CaCertificates::decode(&bag, &self.ca.fingerprint(), NOW).unwrap()
    }

    pub fn csr(&self, subject: &str, challenge: &str) -> Vec<u8> {
        let info = CertificationRequestInfo {
            subject: name::parse(subject).unwrap(),
            challenge: Some(SecretText::new(challenge.to_owned())),
            ..CertificationRequestInfo::default()
        };
        encode(&info, &self.device.signer).unwrap()
    }
}

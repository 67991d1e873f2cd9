//! A CA, its registration certificate, and certificates of other people.

use std::sync::{Arc, OnceLock};

use lanyard_agent::{key::DeviceKey, scep::SessionOptions};
use lanyard_model::{
    key::KeyKind,
    serial::SerialNumber,
    time::{Span, Timestamp},
    usage::{CLIENT_AUTH, KeyUsage},
};
use lanyard_pki::{
    certificate::{
        Certificate,
        encode::{TbsCertificate, assemble},
    },
    crypto::{
        random::random,
        software::{SoftwareSigner, generate},
    },
    extension::{Extension, encode_basic_constraints, encode_extended_key_usage, encode_key_usage},
    key::Signer,
    name, oids,
    signature::SignatureAlgorithm,
};

/// A CA with registration certificates.
pub struct Authority {
    pub ca: Certificate,
    ca_key: SoftwareSigner,
    /// The registration certificate that is offered.
    pub registration: Certificate,
    /// Its key.
    pub registration_key: Arc<DeviceKey>,
    /// A device's certificate of the same CA: usable keys, wrong purpose.
    pub foreign: Certificate,
    /// Its key.
    pub foreign_key: Arc<DeviceKey>,
}

/// An RSA key; making one takes long, so there are four for all tests.
pub fn rsa(which: usize) -> Arc<DeviceKey> {
    static KEYS: OnceLock<Vec<Arc<DeviceKey>>> = OnceLock::new();
    let make = || (0..4).map(|_| DeviceKey::from_pkcs8(generate(KeyKind::Rsa(2048)).unwrap()).unwrap()).collect();
    Arc::clone(&KEYS.get_or_init(make)[which])
}

/// The present.
pub fn now() -> Timestamp {
    (SessionOptions::default().clock)()
}

impl Authority {
    pub fn new() -> Self {
        let ca_key = SoftwareSigner::from_pkcs8(&generate(KeyKind::EcP256).unwrap()).unwrap();
        let subject = name::encode(&name::parse("CN=Test CA").unwrap());
        let extensions = [
            Extension::critical(oids::BASIC_CONSTRAINTS, encode_basic_constraints(Some(None))),
            Extension::critical(oids::KEY_USAGE, encode_key_usage(&[KeyUsage::KeyCertSign].into())),
        ];
        let ca = certificate(&subject, &ca_key, &subject, &ca_key.public_key().spki, &extensions);
        let both = || {
            Extension::critical(
                oids::KEY_USAGE,
                encode_key_usage(&[KeyUsage::DigitalSignature, KeyUsage::KeyEncipherment].into()),
            )
        };
        let client = Extension::plain(oids::EXTENDED_KEY_USAGE, encode_extended_key_usage(&[CLIENT_AUTH].into()));
        let leaf = |text: &str, key: &DeviceKey, extensions: &[Extension]| {
            let subject_of = name::encode(&name::parse(text).unwrap());
            certificate(&subject, &ca_key, &subject_of, &key.public_key().spki, extensions)
        };
        let registration = leaf("CN=Registration", &rsa(0), &[both()]);
        let foreign = leaf("CN=Mallory", &rsa(1), &[both(), client]);
        Self { ca, registration, registration_key: rsa(0), foreign, foreign_key: rsa(1), ca_key }
    }

    /// A device certificate.
    pub fn issue(&self, subject: &[u8], spki: &[u8], extensions: &[Extension]) -> Certificate {
        certificate(self.ca.subject_der(), &self.ca_key, subject, spki, extensions)
    }
}

fn certificate(issuer: &[u8], key: &SoftwareSigner, subject: &[u8], spki: &[u8], extensions: &[Extension]) -> Certificate {
    let algorithm = SignatureAlgorithm::natural(key.public_key().kind);
    let tbs = TbsCertificate {
        serial: &SerialNumber::from_random(random().unwrap()),
        algorithm,
        issuer,
        not_before: now() - Span::from_secs(3600),
        not_after: now() + Span::from_days(30),
        subject,
        spki,
        extensions,
    }
    .encode();
    let signature = key.sign(algorithm, &tbs).unwrap();
    Certificate::decode(&assemble(&tbs, algorithm, &signature)).unwrap()
}

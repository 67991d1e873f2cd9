//! Self-signed signer certificates that are odd in the ways clients make them.

use lanyard_pki::{
    certificate::{Certificate, encode::assemble},
    extension::Extension,
    key::Signer,
    name,
    signature::SignatureAlgorithm,
    tlv::tag,
    write,
};

use crate::keys::Key;

/// A signer certificate before it is signed.
#[derive(Debug, Clone)]
pub struct OddSigner {
    /// The version field, written even when it is the default; `None` leaves it out.
    pub version: Option<u64>,
    /// Contents octets of the serial number.
    pub serial: Vec<u8>,
    /// Subject and issuer.
    pub subject: String,
    /// notBefore and notAfter, DER.
    pub validity: [Vec<u8>; 2],
    /// Extensions.
    pub extensions: Vec<Extension>,
}

/// A GeneralizedTime such as `20260101000000Z`.
#[must_use]
pub fn generalized(text: &str) -> Vec<u8> {
    write::element(tag::GENERALIZED_TIME, text.as_bytes())
}

/// A UTCTime such as `260101000000Z`.
#[must_use]
pub fn utc(text: &str) -> Vec<u8> {
    write::element(tag::UTC_TIME, text.as_bytes())
}

impl OddSigner {
    /// One without oddities, for ten years from 2026.
    #[must_use]
    pub fn new(subject: &str) -> Self {
        Self {
            version: Some(2),
            serial: vec![1],
            subject: subject.to_owned(),
            validity: [utc("260101000000Z"), utc("360101000000Z")],
            extensions: Vec::new(),
        }
    }

    /// Signs it.
    ///
    /// # Panics
    /// When the subject is no name or the key cannot sign.
    #[must_use]
    pub fn sign(&self, key: &Key) -> Certificate {
        let name = name::encode(&name::parse(&self.subject).unwrap());
        let algorithm = SignatureAlgorithm::natural(key.public().kind);
        let mut fields = Vec::new();
        if let Some(version) = self.version {
            fields.push(write::explicit(0, &write::integer(version)));
        }
        fields.extend([
            write::element(tag::INTEGER, &self.serial),
            algorithm.identifier(),
            name.clone(),
            write::sequence(&self.validity),
            name,
            key.public().spki.clone(),
        ]);
        if !self.extensions.is_empty() {
            let all: Vec<Vec<u8>> = self.extensions.iter().map(Extension::encode).collect();
            fields.push(write::explicit(3, &write::sequence(&all)));
        }
        let tbs = write::sequence(&fields);
        Certificate::decode(&assemble(&tbs, algorithm, &key.signer.sign(algorithm, &tbs).unwrap())).unwrap()
    }
}

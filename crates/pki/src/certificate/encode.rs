//! Writing certificates: the part to be signed, then the whole around the signature.

use lanyard_model::{serial::SerialNumber, time::Timestamp};

use crate::{extension::Extension, signature::SignatureAlgorithm, time, write};

/// The fields of a TBSCertificate (RFC 5280, section 4.1).
#[derive(Debug, Clone)]
pub struct TbsCertificate<'a> {
    /// Serial number.
    pub serial: &'a SerialNumber,
    /// Algorithm of the signature to be.
    pub algorithm: SignatureAlgorithm,
    /// Issuer name, the octets of the issuer's subject.
    pub issuer: &'a [u8],
    /// First second of validity.
    pub not_before: Timestamp,
    /// Last second of validity.
    pub not_after: Timestamp,
    /// Subject name, DER.
    pub subject: &'a [u8],
    /// SubjectPublicKeyInfo, DER.
    pub spki: &'a [u8],
    /// Extensions in the order in which they are to stand.
    pub extensions: &'a [Extension],
}

impl TbsCertificate<'_> {
    /// DER, version 3.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let extensions: Vec<Vec<u8>> = self.extensions.iter().map(Extension::encode).collect();
        write::sequence(&[
            write::explicit(0, &write::integer(2)),
            write::unsigned(self.serial.magnitude()),
            self.algorithm.identifier(),
            self.issuer.to_vec(),
            write::sequence(&[time::encode(self.not_before), time::encode(self.not_after)]),
            self.subject.to_vec(),
            self.spki.to_vec(),
            write::explicit(3, &write::sequence(&extensions)),
        ])
    }
}

/// Puts the signature beside the signed part: a Certificate, CertificateList or CertificationRequest.
#[must_use]
pub fn assemble(tbs: &[u8], algorithm: SignatureAlgorithm, signature: &[u8]) -> Vec<u8> {
    write::sequence(&[tbs, &algorithm.identifier(), &write::bit_string(signature)])
}

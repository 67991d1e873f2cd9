//! Reading certificates.

use lanyard_model::{key::PublicKey, name::DistinguishedName, san::SubjectAltName, serial::SerialNumber, time::Timestamp};

use crate::{
    crypto::digest::sha256,
    error::PkiError,
    extension::{self, Extension},
    general_name, name, oids,
    signature::SignatureAlgorithm,
    spki, time,
    tlv::{Reader, tag},
};

const WHAT: &str = "certificate";

/// A certificate, read tolerantly: only the outer structure must hold. Signer certificates of SCEP messages are often odd (version 1 written
/// out, serial numbers of up to 32 octets, GeneralizedTime in this century) and authenticate nothing, so their fields are
/// checked by whoever uses them.
#[derive(Debug, Clone)]
pub struct Certificate {
    der: Vec<u8>,
    tbs: Vec<u8>,
    version: Option<u32>,
    serial: Vec<u8>,
    issuer: Vec<u8>,
    subject: Vec<u8>,
    validity: Vec<u8>,
    spki: Vec<u8>,
    extensions: Option<Vec<u8>>,
    algorithm: Vec<u8>,
    signature: Vec<u8>,
}

impl Certificate {
    /// Reads a certificate from DER.
    ///
    /// # Errors
    /// [`PkiError::Malformed`].
    pub fn decode(der: &[u8]) -> Result<Self, PkiError> {
        let mut outer = Reader::sequence_of(der, WHAT)?;
        let tbs = outer.expect(tag::SEQUENCE)?;
        let algorithm = outer.expect(tag::SEQUENCE)?;
        let signature = outer.octet_aligned_bits()?;
        outer.finish()?;
        let mut fields = tbs.reader(WHAT);
        let version = fields.optional(tag::context(0))?.and_then(|e| e.reader(WHAT).small().ok());
        let serial = fields.expect(tag::INTEGER)?;
        fields.expect(tag::SEQUENCE)?;
        let issuer = fields.expect(tag::SEQUENCE)?;
        let validity = fields.expect(tag::SEQUENCE)?;
        let subject = fields.expect(tag::SEQUENCE)?;
        let spki = fields.expect(tag::SEQUENCE)?;
        let mut extensions = None;
        while !fields.is_empty() {
            let element = fields.any()?;
            if element.tag == tag::context(3) {
                extensions = Some(element.contents.to_vec());
            }
        }
        Ok(Self {
            der: der.to_vec(),
            tbs: tbs.raw.to_vec(),
            version,
            serial: serial.contents.to_vec(),
            issuer: issuer.raw.to_vec(),
            subject: subject.raw.to_vec(),
            validity: validity.contents.to_vec(),
            spki: spki.raw.to_vec(),
            extensions,
            algorithm: algorithm.contents.to_vec(),
            signature: signature.to_vec(),
        })
    }

    /// The certificate as received.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The signed part as received.
    #[must_use]
    pub fn tbs(&self) -> &[u8] {
        &self.tbs
    }

    /// The version field as written: 2 in certificates of version 3, `None` when it was left out, as it must be in version 1.
    #[must_use]
    pub const fn version_written(&self) -> Option<u32> {
        self.version
    }

    /// The two times of the validity as received.
    pub(super) fn validity_der(&self) -> &[u8] {
        &self.validity
    }

    /// SHA-256 over the whole certificate.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        sha256(&self.der)
    }

    /// Contents octets of the serial number as received, for comparison with an issuerAndSerialNumber.
    #[must_use]
    pub fn serial_octets(&self) -> &[u8] {
        &self.serial
    }

    /// The serial number, if it is one that RFC 5280 allows.
    #[must_use]
    pub fn serial(&self) -> Option<SerialNumber> {
        (self.serial.first()? < &0x80).then(|| SerialNumber::from_magnitude(&self.serial)).flatten()
    }

    /// Issuer name as received, DER.
    #[must_use]
    pub fn issuer_der(&self) -> &[u8] {
        &self.issuer
    }

    /// Subject name as received, DER.
    #[must_use]
    pub fn subject_der(&self) -> &[u8] {
        &self.subject
    }

    /// Issuer name.
    ///
    /// # Errors
    /// [`PkiError::Malformed`].
    pub fn issuer(&self) -> Result<DistinguishedName, PkiError> {
        name::decode(Reader::sequence_of(&self.issuer, WHAT)?)
    }

    /// Subject name.
    ///
    /// # Errors
    /// [`PkiError::Malformed`].
    pub fn subject(&self) -> Result<DistinguishedName, PkiError> {
        name::decode(Reader::sequence_of(&self.subject, WHAT)?)
    }

    /// First and last second of validity.
    ///
    /// # Errors
    /// [`PkiError::Malformed`].
    pub fn validity(&self) -> Result<(Timestamp, Timestamp), PkiError> {
        let mut reader = Reader::new(&self.validity, WHAT);
        let not_before = time::decode(&reader.any()?, WHAT)?;
        let not_after = time::decode(&reader.any()?, WHAT)?;
        reader.finish()?;
        Ok((not_before, not_after))
    }

    /// Whether `now` lies within the validity.
    #[must_use]
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.validity().is_ok_and(|(first, last)| (first..=last).contains(&now.truncated()))
    }

    /// SubjectPublicKeyInfo as received, DER.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// The public key.
    ///
    /// # Errors
    /// [`PkiError::Unsupported`] for kinds and sizes that Lanyard does not accept.
    pub fn public_key(&self) -> Result<PublicKey, PkiError> {
        spki::decode(&self.spki)
    }

    /// Extensions.
    ///
    /// # Errors
    /// [`PkiError::Malformed`], [`PkiError::Limit`].
    pub fn extensions(&self) -> Result<Vec<Extension>, PkiError> {
        match &self.extensions {
            None => Ok(Vec::new()),
            Some(contents) => extension::decode_all(Reader::sequence_of(contents, WHAT)?),
        }
    }

    /// Subject alternative names; empty without the extension.
    ///
    /// # Errors
    /// [`PkiError::Malformed`], [`PkiError::Limit`].
    pub fn subject_alt_names(&self) -> Result<Vec<SubjectAltName>, PkiError> {
        match extension::find(&self.extensions()?, oids::SUBJECT_ALT_NAME) {
            None => Ok(Vec::new()),
            Some(found) => general_name::decode(&found.value),
        }
    }

    /// subjectKeyIdentifier, if there is one.
    #[must_use]
    pub fn subject_key_identifier(&self) -> Option<Vec<u8>> {
        let extensions = self.extensions().ok()?;
        let mut reader = Reader::new(&extension::find(&extensions, oids::SUBJECT_KEY_IDENTIFIER)?.value, WHAT);
        reader.expect(tag::OCTET_STRING).ok().map(|e| e.contents.to_vec())
    }

    /// Whether basicConstraints says cA TRUE.
    #[must_use]
    pub fn is_ca(&self) -> bool {
        let extensions = self.extensions().unwrap_or_default();
        extension::find(&extensions, oids::BASIC_CONSTRAINTS)
            .is_some_and(|e| extension::decode_basic_constraints(&e.value).unwrap_or(false))
    }

    /// Whether issuer and subject name are the same octets.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    /// Algorithm of the signature.
    ///
    /// # Errors
    /// [`PkiError::Unsupported`].
    pub fn signature_algorithm(&self) -> Result<SignatureAlgorithm, PkiError> {
        SignatureAlgorithm::decode(Reader::new(&self.algorithm, WHAT), None)
    }

    /// Signature octets.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
}

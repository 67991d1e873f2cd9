//! Reading and verifying SignedData (RFC 5652, section 5).

use lanyard_model::{key::PublicKey, oid::Oid};

use crate::{
    ber,
    certificate::Certificate,
    crypto::{
        digest::{constant_time_eq, digest_with},
        verify::verify,
    },
    error::PkiError,
    oids,
    signature::{Digest, SignatureAlgorithm},
    tlv::{Reader, tag},
    write,
};

const WHAT: &str = "SignedData";
/// Most certificates that may come along.
pub const MAX_CERTIFICATES: usize = 16;
const MAX_DIGESTS: usize = 8;
const MAX_ATTRIBUTES: usize = 64;

/// A SignedData, decoded; nothing is verified yet.
#[derive(Debug, Clone)]
pub struct SignedData {
    /// eContentType.
    pub content_type: Oid,
    /// eContent, joined when it came in chunks.
    pub content: Option<Vec<u8>>,
    /// Certificates in the order received.
    pub certificates: Vec<Certificate>,
    /// CRLs in the order received, DER.
    pub crls: Vec<Vec<u8>>,
    /// Signers.
    pub signers: Vec<SignerInfo>,
    /// Whether it came in an encoding that is not DER: indefinite or overlong lengths, strings in chunks.
    pub is_ber: bool,
}

/// How a message names the certificate of a signer or recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identifier {
    /// issuerAndSerialNumber: issuer DER and contents octets of the serial number.
    IssuerAndSerial {
        /// Issuer name, DER.
        issuer: Vec<u8>,
        /// Contents octets of the serial number.
        serial: Vec<u8>,
    },
    /// subjectKeyIdentifier.
    KeyIdentifier(Vec<u8>),
}

impl Identifier {
    /// Whether it names this certificate.
    #[must_use]
    pub fn names(&self, certificate: &Certificate) -> bool {
        match self {
            Self::IssuerAndSerial { issuer, serial } => {
                certificate.issuer_der() == issuer && certificate.serial_octets() == serial.as_slice()
            }
            Self::KeyIdentifier(id) => certificate.subject_key_identifier().as_ref() == Some(id),
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, PkiError> {
        if let Some(element) = reader.optional(tag::context_primitive(0))? {
            return Ok(Self::KeyIdentifier(element.contents.to_vec()));
        }
        let mut inner = reader.sequence()?;
        let issuer = inner.expect(tag::SEQUENCE)?.raw.to_vec();
        let serial = inner.expect(tag::INTEGER)?.contents.to_vec();
        inner.finish()?;
        Ok(Self::IssuerAndSerial { issuer, serial })
    }

    /// issuerAndSerialNumber of a certificate, DER.
    #[must_use]
    pub fn encode_issuer_and_serial(certificate: &Certificate) -> Vec<u8> {
        write::sequence(&[certificate.issuer_der(), &write::element(tag::INTEGER, certificate.serial_octets())])
    }
}

/// A signed attribute: its type and the identifier octet and contents of each value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Type.
    pub oid: Oid,
    /// Values.
    pub values: Vec<(u8, Vec<u8>)>,
}

/// One signer.
#[derive(Debug, Clone)]
pub struct SignerInfo {
    /// Names its certificate.
    pub identifier: Identifier,
    /// Digest algorithm; SHA-256 when `unsupported` is set.
    pub digest: Digest,
    /// Signature algorithm; that of PKCS#1 when `unsupported` is set.
    pub algorithm: SignatureAlgorithm,
    /// Why the signature can never be verified: an algorithm is not known. The attributes are read all the same, so that the sender can
    /// be told.
    pub unsupported: Option<PkiError>,
    /// Signed attributes.
    pub attributes: Vec<Attribute>,
    /// Whether they came in another order than DER's.
    pub is_unsorted: bool,
    signed_attributes: Option<Vec<u8>>,
    signature: Vec<u8>,
}

impl SignedData {
    /// Reads a ContentInfo with SignedData from BER or DER.
    ///
    /// # Errors
    /// [`PkiError::Malformed`], [`PkiError::Limit`], [`PkiError::Unsupported`].
    pub fn decode(bytes: &[u8]) -> Result<Self, PkiError> {
        let der = ber::normalise(bytes)?;
        let mut fields = super::signed::content_info(&der, oids::SIGNED_DATA, WHAT)?;
        fields.small()?;
        let mut digests = fields.expect(tag::SET)?.reader(WHAT);
        let mut count = 0;
        while !digests.is_empty() {
            digests.any()?;
            count += 1;
            if count > MAX_DIGESTS {
                return Err(PkiError::Limit { what: "number of digest algorithms", limit: MAX_DIGESTS });
            }
        }
        let mut encapsulated = fields.sequence()?;
        let content_type = encapsulated.oid()?;
        let content = match encapsulated.optional(tag::context(0))? {
            None => None,
            Some(element) => {
                let mut inner = element.reader(WHAT);
                let octets = inner.expect(tag::OCTET_STRING)?.contents.to_vec();
                inner.finish()?;
                Some(octets)
            }
        };
        encapsulated.finish()?;
        let certificates = match fields.optional(tag::context(0))? {
            None => Vec::new(),
            Some(element) => certificates(element.reader(WHAT), MAX_CERTIFICATES)?,
        };
        let crls = match fields.optional(tag::context(1))? {
            None => Vec::new(),
            Some(element) => crls(element.reader(WHAT))?,
        };
        let mut infos = fields.expect(tag::SET)?.reader(WHAT);
        fields.finish()?;
        let mut signers = Vec::new();
        while !infos.is_empty() {
            if !signers.is_empty() {
                return Err(PkiError::Limit { what: "number of signers", limit: 1 });
            }
            signers.push(SignerInfo::read(infos.sequence()?)?);
        }
        Ok(Self { content_type, content, certificates, crls, signers, is_ber: der != bytes })
    }

    /// Reads the certificates alone, whatever is signed by whom: what a file of certificates is (RFC 5652, section 5.1, the degenerate case).
    ///
    /// # Errors
    /// [`PkiError::Malformed`]; [`PkiError::Limit`] for more than `most` certificates.
    pub fn decode_certificates(bytes: &[u8], most: usize) -> Result<Vec<Certificate>, PkiError> {
        let der = ber::normalise(bytes)?;
        let mut fields = content_info(&der, oids::SIGNED_DATA, WHAT)?;
        fields.small()?;
        fields.expect(tag::SET)?;
        fields.expect(tag::SEQUENCE)?;
        match fields.optional(tag::context(0))? {
            None => Ok(Vec::new()),
            Some(element) => certificates(element.reader(WHAT), most),
        }
    }
}

/// Reads a ContentInfo of the expected type and returns a reader of the SEQUENCE inside.
pub(super) fn content_info<'a>(der: &'a [u8], expected: Oid, what: &'static str) -> Result<Reader<'a>, PkiError> {
    let mut info = Reader::sequence_of(der, what)?;
    let found = info.oid()?;
    if found != expected {
        return Err(PkiError::Unsupported { what: "content type", value: found.to_string() });
    }
    let content = info.expect(tag::context(0))?;
    info.finish()?;
    Reader::sequence_of(content.contents, what)
}

fn certificates(mut reader: Reader<'_>, most: usize) -> Result<Vec<Certificate>, PkiError> {
    let mut certificates = Vec::new();
    while !reader.is_empty() {
        if certificates.len() == most {
            return Err(PkiError::Limit { what: "number of certificates", limit: most });
        }
        let element = reader.any()?;
        // Attribute certificates and other formats are of no use here.
        if element.tag == tag::SEQUENCE {
            certificates.push(Certificate::decode(element.raw)?);
        }
    }
    Ok(certificates)
}

fn crls(mut reader: Reader<'_>) -> Result<Vec<Vec<u8>>, PkiError> {
    let mut crls = Vec::new();
    while !reader.is_empty() {
        if crls.len() == MAX_CERTIFICATES {
            return Err(PkiError::Limit { what: "number of CRLs", limit: MAX_CERTIFICATES });
        }
        let element = reader.any()?;
        if element.tag == tag::SEQUENCE {
            crls.push(element.raw.to_vec());
        }
    }
    Ok(crls)
}

impl SignerInfo {
    fn read(mut reader: Reader<'_>) -> Result<Self, PkiError> {
        reader.small()?;
        let identifier = Identifier::read(&mut reader)?;
        let digest_oid = reader.sequence()?.oid()?;
        let signed = reader.optional(tag::context(0))?;
        let algorithm_fields = reader.sequence()?;
        let algorithms = Digest::from_oid(digest_oid)
            .and_then(|digest| Ok((digest, SignatureAlgorithm::decode(algorithm_fields, Some(digest))?)));
        let (digest, algorithm, unsupported) = match algorithms {
            Ok((digest, algorithm)) => (digest, algorithm, None),
            Err(error @ PkiError::Unsupported { .. }) => {
                (Digest::Sha256, SignatureAlgorithm::RsaPkcs1(Digest::Sha256), Some(error))
            }
            Err(error) => return Err(error),
        };
        let signature = reader.expect(tag::OCTET_STRING)?.contents.to_vec();
        reader.optional(tag::context(1))?;
        reader.finish()?;
        let attributes = match &signed {
            None => Vec::new(),
            Some(element) => attributes(element.reader("signed attributes"))?,
        };
        let is_unsorted = signed.as_ref().is_some_and(|e| !e.reader("signed attributes").is_sorted());
        let signed_attributes = signed.map(|e| e.contents.to_vec());
        Ok(Self { identifier, digest, algorithm, unsupported, attributes, is_unsorted, signed_attributes, signature })
    }

    /// The single value of an attribute: its identifier octet and contents.
    ///
    /// # Errors
    /// [`PkiError::Malformed`] when the attribute has not exactly one value or occurs twice.
    pub fn attribute(&self, oid: Oid, what: &'static str) -> Result<Option<(u8, &[u8])>, PkiError> {
        let mut found = self.attributes.iter().filter(|a| a.oid == oid);
        let Some(attribute) = found.next() else { return Ok(None) };
        match (attribute.values.as_slice(), found.next()) {
            ([(tag, contents)], None) => Ok(Some((*tag, contents))),
            _ => Err(PkiError::Malformed { what, at: 0 }),
        }
    }

    /// Verifies the signature by `key`: signed attributes must be there, contentType must be `content_type` and messageDigest must
    /// be that of `content`.
    ///
    /// # Errors
    /// [`PkiError::BadSignature`], [`PkiError::Unsupported`].
    pub fn verify(&self, key: &PublicKey, content_type: Oid, content: &[u8]) -> Result<(), PkiError> {
        let bad = PkiError::BadSignature { what: WHAT };
        if let Some(error) = &self.unsupported {
            return Err(error.clone());
        }
        let signed = self.signed_attributes.as_ref().ok_or(bad.clone())?;
        if self.algorithm.digest() != self.digest && self.algorithm != SignatureAlgorithm::Ed25519 {
            return Err(bad);
        }
        match self.attribute(oids::CONTENT_TYPE, "contentType attribute")? {
            Some((tag::OID, octets)) if octets == content_type.0.as_bytes() => {}
            _ => return Err(bad),
        }
        match self.attribute(oids::MESSAGE_DIGEST, "messageDigest attribute")? {
            Some((tag::OCTET_STRING, octets)) if constant_time_eq(octets, &digest_with(self.digest, content)) => {}
            _ => return Err(bad),
        }
        // As received first; some senders sign the sorted form but send another order.
        let as_received = write::element(tag::SET, signed);
        if verify(key, self.algorithm, &as_received, &self.signature, WHAT).is_ok() {
            return Ok(());
        }
        let mut parts = Vec::new();
        let mut reader = Reader::new(signed, WHAT);
        while !reader.is_empty() {
            parts.push(reader.any()?.raw.to_vec());
        }
        let sorted = write::set_of(parts);
        if sorted == as_received {
            return Err(bad);
        }
        verify(key, self.algorithm, &sorted, &self.signature, WHAT)
    }
}

fn attributes(mut reader: Reader<'_>) -> Result<Vec<Attribute>, PkiError> {
    let mut attributes = Vec::new();
    while !reader.is_empty() {
        if attributes.len() == MAX_ATTRIBUTES {
            return Err(PkiError::Limit { what: "number of signed attributes", limit: MAX_ATTRIBUTES });
        }
        let mut one = reader.sequence()?;
        let oid = one.oid()?;
        let mut set = one.expect(tag::SET)?.reader("signed attributes");
        one.finish()?;
        let mut values = Vec::new();
        while !set.is_empty() {
            if values.len() == MAX_ATTRIBUTES {
                return Err(PkiError::Limit { what: "number of attribute values", limit: MAX_ATTRIBUTES });
            }
            let value = set.any()?;
            values.push((value.tag, value.contents.to_vec()));
        }
        attributes.push(Attribute { oid, values });
    }
    Ok(attributes)
}

//! Certificate revocation lists (RFC 5280, section 5).

use lanyard_model::{
    authority::CrlEntry,
    certificate::{Revocation, RevocationReason},
    serial::SerialNumber,
    time::Timestamp,
};

use crate::{
    crypto::verify::verify,
    error::PkiError,
    extension::{self, Extension, encode_authority_key_identifier},
    key::Signer,
    oids,
    signature::SignatureAlgorithm,
    time,
    tlv::{Reader, tag},
    write,
};

const WHAT: &str = "CRL";

/// What a full CRL says.
#[derive(Debug, Clone)]
pub struct TbsCertList<'a> {
    /// Issuer name, the octets of the CA's subject.
    pub issuer: &'a [u8],
    /// subjectKeyIdentifier of the CA.
    pub authority_key_identifier: &'a [u8],
    /// thisUpdate.
    pub this_update: Timestamp,
    /// nextUpdate.
    pub next_update: Timestamp,
    /// CRLNumber.
    pub number: u64,
    /// Revoked certificates.
    pub entries: &'a [CrlEntry],
}

/// Writes and signs a CRL.
///
/// # Errors
/// What the key answers.
pub fn encode(list: &TbsCertList<'_>, key: &dyn Signer) -> Result<Vec<u8>, PkiError> {
    let algorithm = SignatureAlgorithm::natural(key.public_key().kind);
    let mut parts = vec![
        write::integer(1),
        algorithm.identifier(),
        list.issuer.to_vec(),
        time::encode(list.this_update),
        time::encode(list.next_update),
    ];
    // revokedCertificates is left out when nothing is revoked: an empty SEQUENCE is forbidden.
    if !list.entries.is_empty() {
        let entries: Vec<Vec<u8>> = list.entries.iter().map(entry).collect();
        parts.push(write::sequence(&entries));
    }
    let extensions = write::sequence(&[
        Extension::plain(oids::AUTHORITY_KEY_IDENTIFIER, encode_authority_key_identifier(list.authority_key_identifier)).encode(),
        Extension::plain(oids::CRL_NUMBER, write::integer(list.number)).encode(),
    ]);
    parts.push(write::explicit(0, &extensions));
    let tbs = write::sequence(&parts);
    let signature = key.sign(algorithm, &tbs)?;
    Ok(crate::certificate::encode::assemble(&tbs, algorithm, &signature))
}

fn entry(entry: &CrlEntry) -> Vec<u8> {
    let mut parts = vec![write::unsigned(entry.serial.magnitude()), time::encode(entry.revocation.at)];
    if entry.revocation.reason != RevocationReason::Unspecified {
        let reason = write::element(tag::ENUMERATED, &[entry.revocation.reason.code()]);
        parts.push(write::sequence(&[Extension::plain(oids::CRL_REASON, reason).encode()]));
    }
    write::sequence(&parts)
}

/// A CRL as read. Its signature is verified by [`CertificateList::verify_signed_by`].
#[derive(Debug, Clone)]
pub struct CertificateList {
    tbs: Vec<u8>,
    algorithm: SignatureAlgorithm,
    signature: Vec<u8>,
    /// Issuer name as received, DER.
    pub issuer: Vec<u8>,
    /// thisUpdate.
    pub this_update: Timestamp,
    /// nextUpdate.
    pub next_update: Option<Timestamp>,
    /// CRLNumber as magnitude octets, if there is one.
    pub number: Option<Vec<u8>>,
    /// Revoked certificates.
    pub entries: Vec<CrlEntry>,
}

impl CertificateList {
    /// Reads a CRL from DER.
    ///
    /// # Errors
    /// [`PkiError::Malformed`], [`PkiError::Unsupported`].
    pub fn decode(der: &[u8]) -> Result<Self, PkiError> {
        let mut outer = Reader::sequence_of(der, WHAT)?;
        let tbs = outer.expect(tag::SEQUENCE)?;
        let algorithm = SignatureAlgorithm::decode(outer.sequence()?, None)?;
        let signature = outer.octet_aligned_bits()?.to_vec();
        outer.finish()?;
        let mut fields = tbs.reader(WHAT);
        fields.optional(tag::INTEGER)?;
        fields.expect(tag::SEQUENCE)?;
        let issuer = fields.expect(tag::SEQUENCE)?.raw.to_vec();
        let this_update = time::decode(&fields.any()?, WHAT)?;
        let next_update = match fields.peek() {
            Some(tag::UTC_TIME | tag::GENERALIZED_TIME) => Some(time::decode(&fields.any()?, WHAT)?),
            _ => None,
        };
        let mut entries = Vec::new();
        if let Some(revoked) = fields.optional(tag::SEQUENCE)? {
            let mut reader = revoked.reader(WHAT);
            while !reader.is_empty() {
                entries.push(decode_entry(reader.sequence()?)?);
            }
        }
        let mut number = None;
        if let Some(element) = fields.optional(tag::context(0))? {
            let extensions = extension::decode_all(Reader::sequence_of(element.contents, WHAT)?)?;
            if let Some(found) = extension::find(&extensions, oids::CRL_NUMBER) {
                number = Some(Reader::new(&found.value, WHAT).unsigned()?.to_vec());
            }
        }
        Ok(Self { tbs: tbs.raw.to_vec(), algorithm, signature, issuer, this_update, next_update, number, entries })
    }

    /// Verifies that this key signed the CRL.
    ///
    /// # Errors
    /// [`PkiError::BadSignature`].
    pub fn verify_signed_by(&self, issuer: &lanyard_model::key::PublicKey) -> Result<(), PkiError> {
        verify(issuer, self.algorithm, &self.tbs, &self.signature, WHAT)
    }

    /// Finds a serial number.
    #[must_use]
    pub fn find(&self, serial: &SerialNumber) -> Option<&CrlEntry> {
        self.entries.iter().find(|e| e.serial == *serial)
    }
}

fn decode_entry(mut reader: Reader<'_>) -> Result<CrlEntry, PkiError> {
    let malformed = PkiError::Malformed { what: WHAT, at: 0 };
    let serial = SerialNumber::from_magnitude(reader.unsigned()?).ok_or(malformed.clone())?;
    let at = time::decode(&reader.any()?, WHAT)?;
    let mut reason = RevocationReason::Unspecified;
    if let Some(element) = reader.optional(tag::SEQUENCE)? {
        let extensions = extension::decode_all(element.reader(WHAT))?;
        if let Some(found) = extension::find(&extensions, oids::CRL_REASON) {
            let code = Reader::new(&found.value, WHAT).expect(tag::ENUMERATED)?.contents;
            reason = code.first().and_then(|c| RevocationReason::from_code(*c)).ok_or(malformed)?;
        }
    }
    Ok(CrlEntry { serial, revocation: Revocation { at, reason } })
}

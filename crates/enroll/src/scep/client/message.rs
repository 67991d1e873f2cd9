//! Requests of a device.

use lanyard_model::{serial::SerialNumber, time::Timestamp, usage::KeyUsage};
use lanyard_pki::{
    certificate::{
        Certificate,
        encode::{TbsCertificate, assemble},
    },
    cms::{
        enveloped::{KeyTransport, seal},
        sign::sign,
    },
    crypto::{cipher::ContentCipher, digest::sha256, random::random},
    extension::{Extension, encode_key_usage},
    key::Signer,
    oids,
    signature::{Digest, SignatureAlgorithm},
    tlv::Reader,
    write,
};

use super::trust::CaCertificates;
use crate::scep::{
    attributes::{MESSAGE_TYPE, MessageType, SENDER_NONCE, TRANSACTION_ID, octets_attribute, printable_attribute},
    error::ScepError,
};

/// A message to send, and what its answer must match.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The pkiMessage.
    pub message: Vec<u8>,
    /// transactionID.
    pub transaction: String,
    /// senderNonce.
    pub nonce: [u8; 16],
}

/// Who signs the messages of a transaction: a self-signed certificate at first, the old certificate at renewal.
pub struct Identity<'a> {
    /// Signer certificate.
    pub certificate: &'a Certificate,
    /// Its key.
    pub signer: &'a dyn Signer,
}

/// transactionID of a request for this key: SHA-256 of the public key, in upper-case hexadecimal.
#[must_use]
pub fn transaction_id(key: &dyn Signer) -> String {
    sha256(&key.public_key().spki).iter().map(|octet| format!("{octet:02X}")).collect()
}

/// A self-signed certificate for a first enrolment (RFC 8894, section 2.3): the subject that is asked for, digitalSignature and
/// keyEncipherment, a week long.
///
/// # Errors
/// [`ScepError::Own`].
pub fn self_signed(subject: &[u8], key: &dyn Signer, now: Timestamp) -> Result<Certificate, ScepError> {
    let serial = SerialNumber::from_random(random().map_err(ScepError::Own)?);
    let algorithm = SignatureAlgorithm::natural(key.public_key().kind);
    let usages = [KeyUsage::DigitalSignature, KeyUsage::KeyEncipherment].into_iter().collect();
    let day = lanyard_model::time::Span::from_days(1);
    let tbs = TbsCertificate {
        serial: &serial,
        algorithm,
        issuer: subject,
        not_before: now - day,
        not_after: now + lanyard_model::time::Span::from_days(7),
        subject,
        spki: &key.public_key().spki,
        extensions: &[Extension::critical(oids::KEY_USAGE, encode_key_usage(&usages))],
    }
    .encode();
    let signature = key.sign(algorithm, &tbs).map_err(ScepError::Own)?;
    Certificate::decode(&assemble(&tbs, algorithm, &signature)).map_err(ScepError::Own)
}

/// A PKCSReq or RenewalReq around a CSR.
///
/// # Errors
/// [`ScepError::Own`].
pub fn request(
    message_type: MessageType,
    csr: &[u8],
    transaction: &str,
    identity: &Identity<'_>,
    ca: &CaCertificates,
) -> Result<Outgoing, ScepError> {
    outgoing(message_type, csr, transaction, identity, ca)
}

/// A CertPoll for the request of this transaction.
///
/// # Errors
/// [`ScepError::Own`].
pub fn poll(subject: &[u8], transaction: &str, identity: &Identity<'_>, ca: &CaCertificates) -> Result<Outgoing, ScepError> {
    let issuer = ca.intermediates.first().unwrap_or(&ca.anchor).subject_der();
    let issuer_and_subject = write::sequence(&[issuer, subject]);
    outgoing(MessageType::CertPoll, &issuer_and_subject, transaction, identity, ca)
}

/// Subject of a CSR as encoded.
///
/// # Errors
/// [`ScepError::Own`].
pub fn subject_of(csr: &[u8]) -> Result<Vec<u8>, ScepError> {
    let read = || {
        let mut info = Reader::sequence_of(csr, "certification request")?.sequence()?;
        info.small()?;
        Ok(info.any()?.raw.to_vec())
    };
    read().map_err(ScepError::Own)
}

fn outgoing(
    message_type: MessageType,
    plain: &[u8],
    transaction: &str,
    identity: &Identity<'_>,
    ca: &CaCertificates,
) -> Result<Outgoing, ScepError> {
    let recipient = &ca.encryption;
    let key = recipient.public_key().map_err(ScepError::Own)?;
    let envelope = seal(plain, recipient, &key, ContentCipher::Aes128, KeyTransport::Pkcs1).map_err(ScepError::Own)?;
    let nonce = random::<16>().map_err(ScepError::Own)?;
    let attributes = vec![
        printable_attribute(TRANSACTION_ID, transaction),
        printable_attribute(MESSAGE_TYPE, message_type.as_str()),
        octets_attribute(SENDER_NONCE, &nonce),
    ];
    let message =
        sign(Some(&envelope), attributes, Digest::Sha256, identity.signer, identity.certificate, &[identity.certificate])
            .map_err(ScepError::Own)?;
    Ok(Outgoing { message, transaction: transaction.to_owned(), nonce })
}

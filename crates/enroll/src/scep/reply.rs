//! CertRep and the answers that carry CA certificates (RFC 8894, sections 3.3.2 and 3.5.1).

use lanyard_model::key::PublicKey;
use lanyard_pki::{
    certificate::Certificate,
    cms::{
        enveloped::seal,
        sign::{SignedAttribute, certificates_only, crls_only, sign},
    },
    crypto::random::random,
    key::Signer,
    signature::Digest,
    write,
};

use super::{
    attributes::{
        FAIL_INFO, FAIL_INFO_TEXT, FailInfo, MESSAGE_TYPE, PKI_STATUS, PkiStatus, RECIPIENT_NONCE, SENDER_NONCE, TRANSACTION_ID,
        octets_attribute, printable_attribute,
    },
    error::ScepError,
    request::{Mirror, ReplyTo},
};

/// What a CertRep says.
#[derive(Debug, Clone, Copy)]
pub enum CertRep<'a> {
    /// The certificate, then its issuers; encrypted to the signer of the request.
    Success {
        /// DER, the issued one first: several clients take the first.
        certificates: &'a [&'a [u8]],
        /// Signer certificate of the request.
        recipient: &'a Certificate,
        /// Its key.
        recipient_key: &'a PublicKey,
        /// How the request was encrypted.
        mirror: Mirror,
    },
    /// The newest CRL, for a GetCRL; encrypted to the signer of the request.
    Crl {
        /// DER.
        crl: &'a [u8],
        /// Signer certificate of the request.
        recipient: &'a Certificate,
        /// Its key.
        recipient_key: &'a PublicKey,
        /// How the request was encrypted.
        mirror: Mirror,
    },
    /// Refused.
    Failure {
        /// Why, in one number.
        fail_info: FailInfo,
        /// Whether to add failInfoText.
        text: bool,
    },
    /// Held for a decision.
    Pending,
}

/// The registration certificate with its signing key.
#[derive(Clone, Copy)]
pub struct Replier<'a> {
    /// Byte for byte the one that GetCACert offers.
    pub certificate: &'a Certificate,
    /// Its key.
    pub signer: &'a dyn Signer,
}

/// Makes a CertRep.
///
/// # Errors
/// [`ScepError::Own`] when a key fails, or the requester's key cannot be encrypted to.
pub fn encode(reply: CertRep<'_>, to: &ReplyTo, by: Replier<'_>) -> Result<Vec<u8>, ScepError> {
    let status = match reply {
        CertRep::Success { .. } | CertRep::Crl { .. } => PkiStatus::Success,
        CertRep::Failure { .. } => PkiStatus::Failure,
        CertRep::Pending => PkiStatus::Pending,
    };
    // A fresh nonce each time: jscep takes a repeated one for a replay.
    let nonce = random::<16>().map_err(ScepError::Own)?;
    let mut attributes = vec![
        printable_attribute(TRANSACTION_ID, &to.transaction),
        printable_attribute(MESSAGE_TYPE, "3"),
        printable_attribute(PKI_STATUS, status.as_str()),
        octets_attribute(SENDER_NONCE, &nonce),
        octets_attribute(RECIPIENT_NONCE, &to.nonce),
    ];
    let mut content = None;
    match reply {
        CertRep::Success { certificates, recipient, recipient_key, mirror } => {
            let bag = certificates_only(certificates);
            content = Some(seal(&bag, recipient, recipient_key, mirror.cipher, mirror.transport).map_err(ScepError::Own)?);
        }
        CertRep::Crl { crl, recipient, recipient_key, mirror } => {
            let bag = crls_only(&[crl]);
            content = Some(seal(&bag, recipient, recipient_key, mirror.cipher, mirror.transport).map_err(ScepError::Own)?);
        }
        CertRep::Failure { fail_info, text } => {
            attributes.push(printable_attribute(FAIL_INFO, fail_info.as_str()));
            if text {
                attributes.push(SignedAttribute { oid: FAIL_INFO_TEXT, value: write::utf8_string(fail_info.text()) });
            }
        }
        CertRep::Pending => {}
    }
    // SHA-1 is verified for old clients but never made.
    let digest = if to.digest == Digest::Sha1 { Digest::Sha256 } else { to.digest };
    sign(content.as_deref(), attributes, digest, by.signer, by.certificate, &[by.certificate]).map_err(ScepError::Own)
}

/// Media type and body of the answer to GetCACert: registration certificate, issuing CA, further issuers, root last.
#[must_use]
pub fn ca_certificates(certificates: &[&[u8]]) -> (&'static str, Vec<u8>) {
    match certificates {
        [one] => ("application/x-x509-ca-cert", one.to_vec()),
        several => ("application/x-x509-ca-ra-cert", certificates_only(several)),
    }
}

/// Media type of the answer to GetNextCACert.
pub const NEXT_CA_CERTIFICATE: &str = "application/x-x509-next-ca-cert";

/// The body of the answer to GetNextCACert (section 4.7.1): the certificates that will be offered after the rollover, signed by the
/// registration certificate that is offered now.
///
/// # Errors
/// [`ScepError::Own`] when the key fails.
pub fn next_ca_certificates(certificates: &[&[u8]], by: Replier<'_>) -> Result<Vec<u8>, ScepError> {
    let bag = certificates_only(certificates);
    sign(Some(&bag), Vec::new(), Digest::Sha256, by.signer, by.certificate, &[by.certificate]).map_err(ScepError::Own)
}

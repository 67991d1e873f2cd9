//! Replies to a device.

use lanyard_model::{oid::Oid, secret::SecretBytes, time::Timestamp};
use lanyard_pki::{
    certificate::Certificate,
    cms::{
        enveloped::EnvelopedData,
        signed::{SignedData, SignerInfo},
    },
    crypto::digest::constant_time_eq,
    key::Decrypter,
    oids,
    signature::Digest,
};

use super::{message::Outgoing, trust::CaCertificates};
use crate::scep::{
    attributes::{
        FAIL_INFO, FAIL_INFO_TEXT, FailInfo, MESSAGE_TYPE, MS_ERROR_CODE, PKI_STATUS, RECIPIENT_NONCE, TRANSACTION_ID, nonce,
        printable,
    },
    error::ScepError,
};

/// What the server answered, verified.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The certificate for our key, and the issuers up to the pinned CA.
    Issued {
        /// The certificate.
        certificate: Box<Certificate>,
        /// Issuers, nearest first, anchor last.
        chain: Vec<Certificate>,
    },
    /// Held; ask again later.
    Pending,
    /// Refused.
    Refused {
        /// Why, in one number.
        fail_info: FailInfo,
        /// failInfoText.
        text: Option<String>,
        /// HRESULT of an NDES server.
        hresult: Option<String>,
    },
}

/// The keys that an answer concerns.
pub struct Expected<'a> {
    /// What was sent.
    pub sent: &'a Outgoing,
    /// Our signer certificate: the answer is encrypted to it.
    pub recipient: &'a Certificate,
    /// Its key.
    pub decrypter: &'a dyn Decrypter,
    /// SubjectPublicKeyInfo that is to be certified.
    pub spki: &'a [u8],
}

/// Verifies and reads a CertRep: signed by the server's verified certificate whether or not certificates came along, our transaction, our
/// nonce, a known status, a certificate for our key that chains to the pinned CA.
///
/// # Errors
/// [`ScepError::Reply`].
pub fn decode(bytes: &[u8], expected: &Expected<'_>, ca: &CaCertificates, now: Timestamp) -> Result<Answer, ScepError> {
    let refuse = |why: &str| ScepError::Reply(why.to_owned());
    let signed = SignedData::decode(bytes).map_err(|e| ScepError::Reply(format!("it cannot be read ({e})")))?;
    let signer = signed.signers.first().ok_or_else(|| refuse("it is not signed"))?;
    if !signer.identifier.names(&ca.signing) {
        return Err(refuse("it is signed by another certificate than the one the server offered"));
    }
    if signer.digest == Digest::Sha1 {
        return Err(refuse("it is signed with SHA-1"));
    }
    let key = ca.signing.public_key().map_err(|e| ScepError::Reply(format!("the server's key cannot be used ({e})")))?;
    let content = signed.content.as_deref().unwrap_or_default();
    signer.verify(&key, oids::DATA, content).map_err(|_| refuse("its signature does not verify"))?;

    let text = |oid: Oid, name| printable(signer, oid, name);
    if text(MESSAGE_TYPE, "messageType")?.as_deref() != Some("3") {
        return Err(refuse("it is not a CertRep"));
    }
    if text(TRANSACTION_ID, "transactionID")?.as_deref() != Some(expected.sent.transaction.as_str()) {
        return Err(refuse("it belongs to another transaction"));
    }
    let echoed = nonce(signer, RECIPIENT_NONCE, "recipientNonce")?.ok_or_else(|| refuse("it has no recipientNonce"))?;
    if !constant_time_eq(&echoed, &expected.sent.nonce) {
        return Err(refuse("it answers another message (recipientNonce)"));
    }
    match text(PKI_STATUS, "pkiStatus")?.as_deref() {
        Some("0") => issued(content, expected, ca, now),
        Some("3") => Ok(Answer::Pending),
        Some("2") => refused(signer),
        _ => Err(refuse("its pkiStatus is unknown")),
    }
}

fn refused(signer: &SignerInfo) -> Result<Answer, ScepError> {
    let number = printable(signer, FAIL_INFO, "failInfo")?.ok_or(ScepError::Reply("a failure without failInfo".into()))?;
    let fail_info = FailInfo::from_text(&number).ok_or_else(|| ScepError::Reply(format!("failInfo {number} is unknown")))?;
    let free_text = |oid| {
        let value = signer.attribute(oid, "text").ok().flatten()?;
        Some(lanyard_model::text::printable(&String::from_utf8_lossy(value.1)))
    };
    Ok(Answer::Refused { fail_info, text: free_text(FAIL_INFO_TEXT), hresult: free_text(MS_ERROR_CODE) })
}

fn issued(content: &[u8], expected: &Expected<'_>, ca: &CaCertificates, now: Timestamp) -> Result<Answer, ScepError> {
    let refuse = |why: &str| ScepError::Reply(why.to_owned());
    let envelope = EnvelopedData::decode(content).map_err(|e| ScepError::Reply(format!("its envelope cannot be read ({e})")))?;
    if envelope.cipher.is_legacy() {
        return Err(refuse("it is encrypted with DES"));
    }
    let recipient = envelope.recipient(expected.recipient).ok_or_else(|| refuse("it is encrypted to somebody else"))?;
    // Nothing is learnt from how our own decryption fails, so the substitute key needs no secret.
    let bag = envelope
        .open(recipient, expected.decrypter, &SecretBytes::new(vec![0; 32]))
        .map_err(|_| refuse("it cannot be decrypted with our key"))?;
    let bag = SignedData::decode(bag.expose()).map_err(|e| ScepError::Reply(format!("its certificates cannot be read ({e})")))?;
    let certificate = bag
        .certificates
        .into_iter()
        .find(|c| c.spki_der() == expected.spki)
        .ok_or_else(|| refuse("none of its certificates is for our key"))?;
    let chain = ca
        .chain_of(&certificate, now)
        .ok_or_else(|| refuse("the certificate does not chain to the pinned CA, or is not valid now"))?;
    Ok(Answer::Issued { certificate: Box::new(certificate), chain })
}

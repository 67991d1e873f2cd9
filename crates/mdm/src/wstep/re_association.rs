//! `SignedEntDMID`: after a renewal the device shows that it had the old key, too (MS-MDM; DMClient).
//!
//! Which encoding the value has is not specified. A SignedData around the EntDMID and the bare signature over it are read, both in base64;
//! ours is the former.

use lanyard_model::time::Timestamp;
use lanyard_pki::{
    certificate::Certificate,
    cms::{
        sign::{SignedAttribute, sign},
        signed::SignedData,
    },
    crypto::verify::verify,
    key::Signer,
    oids,
    signature::{Digest, SignatureAlgorithm},
    time,
};

use crate::{error::MdmError, soap::base64};

/// What a `SignedEntDMID` proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReAssociation {
    /// The old key has signed this EntDMID.
    Proved,
    /// It is a signature, and not that one.
    Wrong,
    /// It is in none of the forms that are known.
    Unreadable,
}

/// Signs the EntDMID with the old key; the old certificate goes along.
///
/// # Errors
/// [`MdmError::Own`].
pub fn sign_ent_dmid(ent_dmid: &str, key: &dyn Signer, certificate: &Certificate, now: Timestamp) -> Result<String, MdmError> {
    let signing_time = SignedAttribute { oid: oids::SIGNING_TIME, value: time::encode(now) };
    let signed = sign(Some(ent_dmid.as_bytes()), vec![signing_time], Digest::Sha256, key, certificate, &[certificate]);
    signed.map(|octets| base64::encode(&octets)).map_err(MdmError::Own)
}

/// Judges a `SignedEntDMID` by the certificate before the renewal.
#[must_use]
pub fn verify_ent_dmid(text: &str, ent_dmid: &str, old: &Certificate) -> ReAssociation {
    let Some(octets) = base64::decode(text).filter(|octets| !octets.is_empty()) else { return ReAssociation::Unreadable };
    let Ok(key) = old.public_key() else { return ReAssociation::Unreadable };
    let proved = |yes: bool| if yes { ReAssociation::Proved } else { ReAssociation::Wrong };
    if let Ok(signed) = SignedData::decode(&octets) {
        // A detached signature is over the EntDMID as well.
        let content = signed.content.as_deref().unwrap_or(ent_dmid.as_bytes());
        let [signer] = signed.signers.as_slice() else { return ReAssociation::Wrong };
        let by_old = signer.identifier.names(old) && signer.digest != Digest::Sha1;
        return proved(by_old && content == ent_dmid.as_bytes() && signer.verify(&key, signed.content_type, content).is_ok());
    }
    // The signature of a key of this size, and nothing else.
    let is_of_size = matches!(key.kind, lanyard_model::key::KeyKind::Rsa(bits) if octets.len() == usize::from(bits) / 8);
    if !is_of_size {
        return ReAssociation::Unreadable;
    }
    let algorithm = SignatureAlgorithm::RsaPkcs1(Digest::Sha256);
    proved(verify(&key, algorithm, ent_dmid.as_bytes(), &octets, "EntDMID").is_ok())
}

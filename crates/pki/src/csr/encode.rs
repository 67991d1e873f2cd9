//! Making certification requests.

use lanyard_model::{
    name::DistinguishedName,
    san::SubjectAltName,
    secret::SecretText,
    usage::{ExtendedKeyUsages, KeyUsages},
};

use crate::{
    certificate::encode::assemble,
    error::PkiError,
    extension::{Extension, encode_extended_key_usage, encode_key_usage},
    general_name,
    key::Signer,
    name, oids,
    signature::SignatureAlgorithm,
    write,
};

/// What to ask for.
#[derive(Debug, Clone, Default)]
pub struct CertificationRequestInfo {
    /// Subject.
    pub subject: DistinguishedName,
    /// Subject alternative names; without any the extension is left out.
    pub san: Vec<SubjectAltName>,
    /// keyUsage; empty leaves the extension out.
    pub key_usage: KeyUsages,
    /// extKeyUsage; empty leaves the extension out.
    pub extended_key_usage: ExtendedKeyUsages,
    /// Further extensions as they are.
    pub extensions: Vec<Extension>,
    /// challengePassword.
    pub challenge: Option<SecretText>,
}

/// Makes a request signed by the key it is for.
///
/// # Errors
/// What the key answers.
pub fn encode(info: &CertificationRequestInfo, key: &dyn Signer) -> Result<Vec<u8>, PkiError> {
    let mut extensions = info.extensions.clone();
    if !info.san.is_empty() {
        extensions.push(Extension::plain(oids::SUBJECT_ALT_NAME, general_name::encode(&info.san)));
    }
    if !info.key_usage.is_empty() {
        extensions.push(Extension::critical(oids::KEY_USAGE, encode_key_usage(&info.key_usage)));
    }
    if !info.extended_key_usage.is_empty() {
        extensions.push(Extension::plain(oids::EXTENDED_KEY_USAGE, encode_extended_key_usage(&info.extended_key_usage)));
    }
    let mut attributes = Vec::new();
    if let Some(challenge) = &info.challenge {
        let text = challenge.expose();
        let value = if write::is_printable_string(text) { write::printable_string(text) } else { write::utf8_string(text) };
        attributes.push(attribute(oids::CHALLENGE_PASSWORD, value));
    }
    if !extensions.is_empty() {
        let extensions: Vec<Vec<u8>> = extensions.iter().map(Extension::encode).collect();
        attributes.push(attribute(oids::EXTENSION_REQUEST, write::sequence(&extensions)));
    }
    attributes.sort();
    let info = write::sequence(&[
        write::integer(0),
        name::encode(&info.subject),
        key.public_key().spki.clone(),
        write::constructed(crate::tlv::tag::context(0), &attributes),
    ]);
    let algorithm = SignatureAlgorithm::natural(key.public_key().kind);
    Ok(assemble(&info, algorithm, &key.sign(algorithm, &info)?))
}

fn attribute(oid: lanyard_model::oid::Oid, value: Vec<u8>) -> Vec<u8> {
    write::sequence(&[write::oid(oid), write::set_of(vec![value])])
}

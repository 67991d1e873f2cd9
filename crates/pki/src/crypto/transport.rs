//! RSA key transport.

use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA384_MGF1SHA384, OAEP_SHA512_MGF1SHA512, OaepAlgorithm,
    Pkcs1PublicEncryptingKey, PublicEncryptingKey,
};
use lanyard_model::{key::PublicKey, secret::SecretBytes};

use crate::{cms::enveloped::KeyTransport, error::PkiError, signature::Digest};

pub(super) fn oaep(digest: Digest) -> &'static OaepAlgorithm {
    match digest {
        Digest::Sha1 => &OAEP_SHA1_MGF1SHA1,
        Digest::Sha256 => &OAEP_SHA256_MGF1SHA256,
        Digest::Sha384 => &OAEP_SHA384_MGF1SHA384,
        Digest::Sha512 => &OAEP_SHA512_MGF1SHA512,
    }
}

/// Wraps a content-encryption key to an RSA public key.
///
/// # Errors
/// [`PkiError::Key`] when the recipient's key is not RSA or cannot be used.
pub fn wrap_key(recipient: &PublicKey, transport: KeyTransport, key: &SecretBytes) -> Result<Vec<u8>, PkiError> {
    let fault = |problem| PkiError::Key { what: "recipient", problem };
    if !recipient.kind.is_rsa() {
        return Err(fault("it is not RSA, so nothing can be encrypted to it"));
    }
    let public = PublicEncryptingKey::from_der(&recipient.spki).map_err(|_| fault("it cannot be read"))?;
    let mut out = vec![0; public.key_size_bytes()];
    let length = match transport {
        KeyTransport::Pkcs1 => Pkcs1PublicEncryptingKey::new(public)
            .and_then(|k| k.encrypt(key.expose(), &mut out).map(|w| w.len()))
            .map_err(|_| fault("encryption failed"))?,
        KeyTransport::Oaep(digest) => aws_lc_rs::rsa::OaepPublicEncryptingKey::new(public)
            .and_then(|k| k.encrypt(oaep(digest), key.expose(), &mut out, None).map(|w| w.len()))
            .map_err(|_| fault("encryption failed"))?,
    };
    out.truncate(length);
    Ok(out)
}

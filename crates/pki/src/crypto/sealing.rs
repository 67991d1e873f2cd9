//! Authenticated encryption of keys at rest: AES-256-GCM with a random nonce in front.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use lanyard_model::secret::SecretBytes;

use crate::error::PkiError;

const NONCE: usize = 12;

fn fault(problem: &'static str) -> PkiError {
    PkiError::Key { what: "sealing", problem }
}

/// Seals `plain` under a 32-octet key, bound to `context`: nonce, then ciphertext with tag.
///
/// # Errors
/// [`PkiError::Key`] when the key has another length or the generator fails.
pub fn seal(key: &SecretBytes, context: &[u8], plain: &SecretBytes) -> Result<Vec<u8>, PkiError> {
    let key = RandomizedNonceKey::new(&AES_256_GCM, key.expose()).map_err(|_| fault("it has not 32 octets"))?;
    let mut in_out = plain.expose().to_vec();
    let nonce = key.seal_in_place_append_tag(Aad::from(context), &mut in_out).map_err(|_| fault("sealing failed"))?;
    let mut out = nonce.as_ref().to_vec();
    out.append(&mut in_out);
    Ok(out)
}

/// Opens what [`seal`] made, with the same context.
///
/// # Errors
/// [`PkiError::Key`] when key, context or contents differ.
pub fn open(key: &SecretBytes, context: &[u8], sealed: &[u8]) -> Result<SecretBytes, PkiError> {
    let key = RandomizedNonceKey::new(&AES_256_GCM, key.expose()).map_err(|_| fault("it has not 32 octets"))?;
    let (nonce, body) = sealed.split_at_checked(NONCE).ok_or_else(|| fault("what it sealed is truncated"))?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| fault("what it sealed is truncated"))?;
    let mut in_out = body.to_vec();
    let length =
        key.open_in_place(nonce, Aad::from(context), &mut in_out).map_err(|_| fault("it does not open what is sealed"))?.len();
    in_out.truncate(length);
    Ok(SecretBytes::new(in_out))
}

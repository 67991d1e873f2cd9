//! PEM armour (RFC 7468).

use der::pem::{LineEnding, decode_vec, encode_string};
use lanyard_model::secret::{SecretBytes, SecretText};

use crate::error::PkiError;

/// Label of a certificate.
pub const CERTIFICATE: &str = "CERTIFICATE";
/// Label of an unencrypted PKCS#8 key.
pub const PRIVATE_KEY: &str = "PRIVATE KEY";

/// Armours public bytes.
#[must_use]
pub fn encode(label: &'static str, der: &[u8]) -> String {
    // The labels above are valid and the length fits: encoding cannot fail.
    encode_string(label, LineEnding::LF, der).unwrap_or_default()
}

/// Armours a private key.
#[must_use]
pub fn encode_key(key: &SecretBytes) -> SecretText {
    SecretText::new(encode_string(PRIVATE_KEY, LineEnding::LF, key.expose()).unwrap_or_default())
}

/// Reads one armoured block with the expected label.
///
/// # Errors
/// [`PkiError::Text`].
pub fn decode(label: &'static str, text: &str) -> Result<Vec<u8>, PkiError> {
    match decode_vec(text.trim_start().as_bytes()) {
        Ok((found, der)) if found == label => Ok(der),
        Ok((found, _)) => Err(PkiError::Text(format!("expected a PEM block '{label}', found '{}'", found.escape_debug()))),
        Err(_) => Err(PkiError::Text(format!("expected a PEM block '{label}'"))),
    }
}

/// Reads one armoured private key.
///
/// # Errors
/// [`PkiError::Text`].
pub fn decode_key(text: &SecretText) -> Result<SecretBytes, PkiError> {
    decode(PRIVATE_KEY, text.expose()).map(SecretBytes::new)
}

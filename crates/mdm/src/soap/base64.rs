//! Base64 as it stands in these messages: broken into lines, indented, now and then without padding.

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// Decodes, leaving out all white space. Nothing when it is no base64.
#[must_use]
pub fn decode(text: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    let dense: Vec<u8> = text.as_ref().iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect();
    LENIENT.decode(dense).ok()
}

/// Encodes with padding, in one line.
#[must_use]
pub fn encode(octets: impl AsRef<[u8]>) -> String {
    LENIENT.encode(octets)
}

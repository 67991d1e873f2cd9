//! The form in which a challenge travels: `LC1` and base32 (RFC 4648, section 6, no padding) of version, id, expiry and MAC. Upper-case
//! letters and digits only, which every string type of challengePassword and every router's command line takes.
//!
//! For tools that know NDES there is a second spelling: the same octets in upper-case hexadecimal.

use lanyard_model::{challenge::ChallengeId, secret::SecretText};

/// Version of the layout.
pub(super) const VERSION: u8 = 1;
/// Length of every challenge in characters.
pub const LENGTH: usize = 88;

/// Length of a challenge in hexadecimal.
const HEX_LENGTH: usize = 2 * OCTETS;
const PREFIX: &str = "LC1";
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const OCTETS: usize = 1 + 16 + 4 + 32;

/// A challenge taken apart. Nothing in it is proven.
pub(super) struct Parts {
    pub id: ChallengeId,
    /// Seconds since the epoch.
    pub expiry: u32,
    pub mac: [u8; 32],
}

/// Finds the id of the challenge's record. Looks at the form alone; says nothing about whether the challenge is genuine.
#[must_use]
pub fn locate(text: &SecretText) -> Option<ChallengeId> {
    decode(text).map(|parts| parts.id)
}

/// Writes a challenge.
pub(super) fn encode(parts: &Parts) -> SecretText {
    let octets: Vec<u8> = [VERSION].into_iter().chain(parts.id.0).chain(parts.expiry.to_be_bytes()).chain(parts.mac).collect();
    let mut text = String::with_capacity(LENGTH);
    text.push_str(PREFIX);
    let (mut buffer, mut bits) = (0u32, 0u32);
    for octet in octets {
        buffer = (buffer << 8 | u32::from(octet)) & 0xfff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(digit(buffer >> bits));
        }
    }
    if bits > 0 {
        text.push(digit(buffer << (5 - bits)));
    }
    SecretText::new(text)
}

fn digit(value: u32) -> char {
    let index = usize::try_from(value & 31).unwrap_or_default();
    ALPHABET.get(index).copied().map_or('A', char::from)
}

/// The spelling of a challenge for tools that know NDES, whose passwords are upper-case hexadecimal; `None` for a text that is no
/// challenge.
#[must_use]
pub fn as_hex(text: &SecretText) -> Option<SecretText> {
    let octets = from_base32(text.expose())?;
    Some(SecretText::new(octets.iter().map(|octet| format!("{octet:02X}")).collect()))
}

/// Reads a challenge in either spelling; there is no third.
pub(super) fn decode(text: &SecretText) -> Option<Parts> {
    let octets = match text.expose().len() {
        LENGTH => from_base32(text.expose())?,
        HEX_LENGTH => from_hex(text.expose())?,
        _ => return None,
    };
    let (version, rest) = octets.split_first()?;
    let (id, rest) = rest.split_first_chunk::<16>()?;
    let (expiry, mac) = rest.split_first_chunk::<4>()?;
    let mac = <[u8; 32]>::try_from(mac).ok()?;
    (*version == VERSION).then(|| Parts { id: ChallengeId(*id), expiry: u32::from_be_bytes(*expiry), mac })
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let upper = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'));
    if upper { lanyard_model::text::unhex(text) } else { None }
}

fn from_base32(text: &str) -> Option<Vec<u8>> {
    if text.len() != LENGTH {
        return None;
    }
    let mut octets = Vec::with_capacity(OCTETS);
    let (mut buffer, mut bits) = (0u32, 0u32);
    for c in text.strip_prefix(PREFIX)?.bytes() {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'2'..=b'7' => c - b'2' + 26,
            _ => return None,
        };
        buffer = (buffer << 5 | u32::from(value)) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            octets.push(u8::try_from(buffer >> bits & 0xff).ok()?);
        }
    }
    if buffer & ((1 << bits) - 1) != 0 {
        return None;
    }
    Some(octets)
}

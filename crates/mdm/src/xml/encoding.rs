//! From octets to characters: UTF-8, or UTF-16 when the document says so (XML 1.0, section 4.3.3 and appendix F).

use std::borrow::Cow;

use crate::error::MdmError;

/// What the octets turned out to be, to be compared with the declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Utf16 { byte_order_mark: bool },
}

impl Encoding {
    /// Whether a declaration may name it so. A document in UTF-16 says so by its declaration or its byte order mark.
    pub(super) fn agrees(self, declared: Option<&str>) -> bool {
        let is = |name: &str| declared.is_some_and(|declared| declared.eq_ignore_ascii_case(name));
        match self {
            Self::Utf8 => declared.is_none() || is("utf-8"),
            Self::Utf16 { byte_order_mark } => is("utf-16") || (declared.is_none() && byte_order_mark),
        }
    }
}

/// The text without byte order mark.
pub(super) fn decode(octets: &[u8]) -> Result<(Cow<'_, str>, Encoding), MdmError> {
    let wrong = |what| MdmError::Encoding(what);
    let (rest, big_endian, byte_order_mark) = match octets {
        [0xEF, 0xBB, 0xBF, rest @ ..] => return Ok((utf8(rest)?, Encoding::Utf8)),
        [0xFE, 0xFF, rest @ ..] => (rest, true, true),
        [0xFF, 0xFE, rest @ ..] => (rest, false, true),
        [0, b'<', ..] => (octets, true, false),
        [b'<', 0, ..] => (octets, false, false),
        _ => return Ok((utf8(octets)?, Encoding::Utf8)),
    };
    let (pairs, odd) = rest.as_chunks::<2>();
    if !odd.is_empty() {
        return Err(wrong("it is UTF-16 with half a character at its end"));
    }
    let units = pairs.iter().map(|pair| if big_endian { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) });
    let text: Result<String, _> = char::decode_utf16(units).collect();
    let text = text.map_err(|_| wrong("it is UTF-16 with half a surrogate pair"))?;
    Ok((Cow::Owned(text), Encoding::Utf16 { byte_order_mark }))
}

fn utf8(octets: &[u8]) -> Result<Cow<'_, str>, MdmError> {
    std::str::from_utf8(octets).map(Cow::Borrowed).map_err(|_| MdmError::Encoding("it is not UTF-8"))
}

//! Writing DER.

use lanyard_model::oid::Oid;

use crate::tlv::tag;

/// One element with this identifier octet and contents.
#[must_use]
pub fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(contents.len() + 6);
    push_header(&mut out, tag, contents.len());
    out.extend_from_slice(contents);
    out
}

/// Appends the identifier and length octets of an element.
pub fn push_header(out: &mut Vec<u8>, tag: u8, length: usize) {
    out.push(tag);
    if length < 0x80 {
        // The branch bounds the value.
        out.push(u8::try_from(length).unwrap_or_default());
        return;
    }
    let octets = length.to_be_bytes();
    let start = octets.iter().position(|b| *b != 0).unwrap_or(octets.len() - 1);
    let significant = octets.get(start..).unwrap_or_default();
    out.push(0x80 | u8::try_from(significant.len()).unwrap_or_default());
    out.extend_from_slice(significant);
}

/// An element made of others, in the given order.
#[must_use]
pub fn constructed<T: AsRef<[u8]>>(tag: u8, parts: &[T]) -> Vec<u8> {
    let length = parts.iter().map(|p| p.as_ref().len()).sum();
    let mut out = Vec::with_capacity(length + 6);
    push_header(&mut out, tag, length);
    for part in parts {
        out.extend_from_slice(part.as_ref());
    }
    out
}

/// SEQUENCE.
#[must_use]
pub fn sequence<T: AsRef<[u8]>>(parts: &[T]) -> Vec<u8> {
    constructed(tag::SEQUENCE, parts)
}

/// SET OF, its parts sorted as DER wants (X.690, section 11.6).
#[must_use]
pub fn set_of(mut parts: Vec<Vec<u8>>) -> Vec<u8> {
    parts.sort();
    constructed(tag::SET, &parts)
}

/// `[n] EXPLICIT`.
#[must_use]
pub fn explicit(n: u8, inner: &[u8]) -> Vec<u8> {
    element(tag::context(n), inner)
}

/// OBJECT IDENTIFIER.
#[must_use]
pub fn oid(oid: Oid) -> Vec<u8> {
    element(tag::OID, oid.0.as_bytes())
}

/// OCTET STRING.
#[must_use]
pub fn octet_string(contents: &[u8]) -> Vec<u8> {
    element(tag::OCTET_STRING, contents)
}

/// BIT STRING of whole octets.
#[must_use]
pub fn bit_string(bits: &[u8]) -> Vec<u8> {
    let mut contents = Vec::with_capacity(bits.len() + 1);
    contents.push(0);
    contents.extend_from_slice(bits);
    element(tag::BIT_STRING, &contents)
}

/// BIT STRING of named bits: trailing zero bits are dropped (X.690, section 11.2.2). Bit 0 is the most significant of the first octet.
#[must_use]
pub fn named_bits(set: impl IntoIterator<Item = u32>) -> Vec<u8> {
    let mut octets = [0u8; 2];
    let mut highest = None;
    for bit in set {
        if let Some(octet) = octets.get_mut(usize::try_from(bit / 8).unwrap_or(usize::MAX)) {
            *octet |= 0x80 >> (bit % 8);
            highest = highest.max(Some(bit));
        }
    }
    let contents = match highest {
        None => vec![0],
        Some(bit) => {
            let used = usize::try_from(bit / 8).unwrap_or(0) + 1;
            let mut contents = vec![u8::try_from(7 - bit % 8).unwrap_or(0)];
            contents.extend(octets.into_iter().take(used));
            contents
        }
    };
    element(tag::BIT_STRING, &contents)
}

/// INTEGER from a magnitude, big endian.
#[must_use]
pub fn unsigned(magnitude: &[u8]) -> Vec<u8> {
    let start = magnitude.iter().position(|b| *b != 0).unwrap_or(magnitude.len());
    let significant = magnitude.get(start..).unwrap_or_default();
    let mut contents = Vec::with_capacity(significant.len() + 1);
    if significant.first().is_none_or(|b| *b >= 0x80) {
        contents.push(0);
    }
    contents.extend_from_slice(significant);
    element(tag::INTEGER, &contents)
}

/// INTEGER from a number.
#[must_use]
pub fn integer(value: u64) -> Vec<u8> {
    unsigned(&value.to_be_bytes())
}

/// NULL.
#[must_use]
pub fn null() -> Vec<u8> {
    element(tag::NULL, &[])
}

/// BOOLEAN TRUE.
#[must_use]
pub fn boolean_true() -> Vec<u8> {
    element(tag::BOOLEAN, &[0xff])
}

/// PrintableString; the caller has checked the alphabet.
#[must_use]
pub fn printable_string(text: &str) -> Vec<u8> {
    element(tag::PRINTABLE_STRING, text.as_bytes())
}

/// UTF8String.
#[must_use]
pub fn utf8_string(text: &str) -> Vec<u8> {
    element(tag::UTF8_STRING, text.as_bytes())
}

/// IA5String; the caller has checked that the text is ASCII.
#[must_use]
pub fn ia5_string(text: &str) -> Vec<u8> {
    element(tag::IA5_STRING, text.as_bytes())
}

/// Whether the text fits PrintableString (X.680, table 8).
#[must_use]
pub fn is_printable_string(text: &str) -> bool {
    text.bytes().all(|b| {
        b.is_ascii_alphanumeric()
            || matches!(b, b' ' | b'\'' | b'(' | b')' | b'+' | b',' | b'-' | b'.' | b'/' | b':' | b'=' | b'?')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x690_8_1_3_lengths_are_minimal() {
        for (length, header) in
            [(0usize, vec![4, 0]), (127, vec![4, 127]), (128, vec![4, 0x81, 128]), (65536, vec![4, 0x83, 1, 0, 0])]
        {
            let out = octet_string(&vec![7; length]);
            assert_eq!(out.get(..header.len()), Some(header.as_slice()));
            assert_eq!(out.len(), header.len() + length);
        }
    }

    #[test]
    fn x690_11_2_2_named_bits_drop_trailing_zeros() {
        assert_eq!(named_bits([0, 2]), [3, 2, 5, 0xa0]);
        assert_eq!(named_bits([5, 6]), [3, 2, 1, 0x06]);
        assert_eq!(named_bits([8]), [3, 3, 7, 0, 0x80]);
        assert_eq!(named_bits([]), [3, 1, 0]);
    }

    #[test]
    fn integers_are_positive_and_minimal() {
        assert_eq!(unsigned(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(unsigned(&[0, 0, 1]), [2, 1, 1]);
        assert_eq!(integer(0), [2, 1, 0]);
    }
}

//! BER normalisation: indefinite lengths become definite, chunked OCTET STRINGs become one.
//!
//! Apple devices, Java and some OpenSSL callers send such encodings (X.690, sections 8.1.3.6 and 8.7.3). Elements that are already
//! definite and primitive are copied as they stand, so signed bytes inside them do not change. Chunked context-tagged strings keep
//! their chunks: only whoever reads the structure knows that they are strings ([`join_chunks`]).

use crate::{
    error::PkiError,
    tlv::{Reader, header, tag},
    write::{element, push_header},
};

/// Deepest nesting that is followed.
pub const MAX_DEPTH: usize = 32;

const WHAT: &str = "BER encoding";

/// Rewrites one element with definite lengths. Trailing octets after it are refused.
///
/// # Errors
/// [`PkiError::Malformed`] when lengths do not fit, [`PkiError::Limit`] when nested deeper than [`MAX_DEPTH`].
pub fn normalise(bytes: &[u8]) -> Result<Vec<u8>, PkiError> {
    let mut out = Vec::with_capacity(bytes.len());
    let used = element_at(bytes, 0, 0, &mut out)?;
    if used == bytes.len() { Ok(out) } else { Err(PkiError::Malformed { what: WHAT, at: used }) }
}

/// Normalises the element at the start of `bytes`, appends it to `out` and returns how many octets it took.
fn element_at(bytes: &[u8], at: usize, depth: usize, out: &mut Vec<u8>) -> Result<usize, PkiError> {
    let malformed = PkiError::Malformed { what: WHAT, at };
    if depth > MAX_DEPTH {
        return Err(PkiError::Limit { what: "nesting depth", limit: MAX_DEPTH });
    }
    let [first, second, ..] = bytes else { return Err(malformed) };
    let indefinite = *second == 0x80;
    let constructed = first & 0x20 != 0;
    let (header_length, body) = if indefinite {
        if !constructed || first & 0x1f == 0x1f {
            return Err(malformed);
        }
        (2, bytes.get(2..).ok_or(malformed.clone())?)
    } else {
        let (_, head, length) = header(bytes).ok_or(malformed.clone())?;
        let end = head.checked_add(length).ok_or(malformed.clone())?;
        let body = bytes.get(head..end).ok_or(malformed.clone())?;
        if !constructed {
            out.extend_from_slice(bytes.get(..end).ok_or(malformed)?);
            return Ok(end);
        }
        (head, body)
    };
    let mut inner = Vec::with_capacity(body.len().min(64 * 1024));
    let mut position = 0;
    loop {
        let rest = body.get(position..).unwrap_or_default();
        if indefinite && rest.starts_with(&[0, 0]) {
            position += 2;
            break;
        }
        if rest.is_empty() {
            if indefinite {
                return Err(malformed);
            }
            break;
        }
        position += element_at(rest, at + header_length + position, depth + 1, &mut inner)?;
    }
    if *first == 0x24 {
        let joined = join(&inner).map_err(|()| malformed)?;
        out.extend_from_slice(&element(tag::OCTET_STRING, &joined));
    } else {
        push_header(out, *first, inner.len());
        out.extend_from_slice(&inner);
    }
    Ok(header_length + position)
}

fn join(chunks: &[u8]) -> Result<Vec<u8>, ()> {
    let mut joined = Vec::with_capacity(chunks.len());
    let mut reader = Reader::new(chunks, WHAT);
    while !reader.is_empty() {
        joined.extend_from_slice(reader.expect(tag::OCTET_STRING).map_err(|_| ())?.contents);
    }
    Ok(joined)
}

/// The contents of an `IMPLICIT OCTET STRING` that may have come in chunks: `primitive` tells which form the tag had.
///
/// # Errors
/// [`PkiError::Malformed`] when a chunk is not an OCTET STRING.
pub fn join_chunks(primitive: bool, contents: &[u8], what: &'static str) -> Result<Vec<u8>, PkiError> {
    if primitive { Ok(contents.to_vec()) } else { join(contents).map_err(|()| PkiError::Malformed { what, at: 0 }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definite_encodings_do_not_change() {
        let der = [0x30, 6, 2, 1, 5, 4, 1, 9];
        assert_eq!(normalise(&der).unwrap(), der);
    }

    #[test]
    fn x690_8_1_3_6_indefinite_length_becomes_definite() {
        assert_eq!(normalise(&[0x30, 0x80, 2, 1, 5, 0x30, 0x80, 0, 0, 0, 0]).unwrap(), [0x30, 5, 2, 1, 5, 0x30, 0]);
    }

    #[test]
    fn x690_8_7_3_chunked_octet_strings_are_joined() {
        assert_eq!(normalise(&[0x24, 0x80, 4, 1, 1, 0x24, 3, 4, 1, 2, 0, 0]).unwrap(), [4, 2, 1, 2]);
    }

    #[test]
    fn hostile_encodings_are_refused() {
        let deep: Vec<u8> = std::iter::repeat_n([0x30, 0x80], 5000).flatten().collect();
        for bad in [
            &[0x30, 0x80][..],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[4, 0x80, 0, 0],
            &[0x30, 0, 0],
            &[],
            &[0x24, 3, 2, 1, 1],
            &deep,
        ] {
            assert!(normalise(bad).is_err());
        }
    }
}

//! BER as Apple, Java and some callers of OpenSSL write it.

use lanyard_pki::{tlv::tag, write};

/// A constructed element of indefinite length (X.690, section 8.1.3.6).
#[must_use]
pub fn indefinite<T: AsRef<[u8]>>(tag: u8, parts: &[T]) -> Vec<u8> {
    let mut out = vec![tag, 0x80];
    parts.iter().for_each(|part| out.extend_from_slice(part.as_ref()));
    out.extend([0, 0]);
    out
}

/// A string of indefinite length in chunks of 1000 octets (section 8.7.3).
#[must_use]
pub fn in_chunks(tag: u8, contents: &[u8]) -> Vec<u8> {
    let chunks: Vec<Vec<u8>> = contents.chunks(1000).map(|chunk| write::element(tag::OCTET_STRING, chunk)).collect();
    indefinite(tag, &chunks)
}

//! Reading DER: one element at a time, never past the end, never copying.
//!
//! Only definite lengths and single-octet tags are read; [`crate::ber`] brings other encodings into this form first.

use const_oid::ObjectIdentifier;
use lanyard_model::oid::Oid;

use crate::error::PkiError;

/// Identifier octets used in this room.
pub mod tag {
    /// BOOLEAN.
    pub const BOOLEAN: u8 = 0x01;
    /// INTEGER.
    pub const INTEGER: u8 = 0x02;
    /// BIT STRING.
    pub const BIT_STRING: u8 = 0x03;
    /// OCTET STRING.
    pub const OCTET_STRING: u8 = 0x04;
    /// NULL.
    pub const NULL: u8 = 0x05;
    /// OBJECT IDENTIFIER.
    pub const OID: u8 = 0x06;
    /// ENUMERATED.
    pub const ENUMERATED: u8 = 0x0a;
    /// UTF8String.
    pub const UTF8_STRING: u8 = 0x0c;
    /// NumericString.
    pub const NUMERIC_STRING: u8 = 0x12;
    /// PrintableString.
    pub const PRINTABLE_STRING: u8 = 0x13;
    /// TeletexString.
    pub const TELETEX_STRING: u8 = 0x14;
    /// IA5String.
    pub const IA5_STRING: u8 = 0x16;
    /// UTCTime.
    pub const UTC_TIME: u8 = 0x17;
    /// GeneralizedTime.
    pub const GENERALIZED_TIME: u8 = 0x18;
    /// VisibleString.
    pub const VISIBLE_STRING: u8 = 0x1a;
    /// UniversalString.
    pub const UNIVERSAL_STRING: u8 = 0x1c;
    /// BMPString.
    pub const BMP_STRING: u8 = 0x1e;
    /// SEQUENCE, constructed.
    pub const SEQUENCE: u8 = 0x30;
    /// SET, constructed.
    pub const SET: u8 = 0x31;

    /// `[n]` constructed (EXPLICIT, or IMPLICIT of a constructed type).
    #[must_use]
    pub const fn context(n: u8) -> u8 {
        0xa0 | n
    }

    /// `[n]` primitive (IMPLICIT of a primitive type).
    #[must_use]
    pub const fn context_primitive(n: u8) -> u8 {
        0x80 | n
    }
}

/// One element: its identifier octet, contents, and all its octets.
#[derive(Debug, Clone, Copy)]
pub struct Element<'a> {
    /// Identifier octet.
    pub tag: u8,
    /// Contents octets.
    pub contents: &'a [u8],
    /// Identifier, length and contents octets as received.
    pub raw: &'a [u8],
    /// Offset of the contents in the message.
    pub at: usize,
}

impl<'a> Element<'a> {
    /// Reads the elements inside.
    #[must_use]
    pub const fn reader(&self, what: &'static str) -> Reader<'a> {
        Reader { rest: self.contents, at: self.at, what }
    }
}

/// Reads elements one after the other.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    at: usize,
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// Begins at the start of a message; `what` names the structure in errors.
    #[must_use]
    pub const fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Self { rest: bytes, at: 0, what }
    }

    /// Reads a message that is exactly one SEQUENCE and returns a reader of its contents.
    pub fn sequence_of(bytes: &'a [u8], what: &'static str) -> Result<Self, PkiError> {
        let mut outer = Self::new(bytes, what);
        let inner = outer.expect(tag::SEQUENCE)?.reader(what);
        outer.finish()?;
        Ok(inner)
    }

    fn malformed(&self) -> PkiError {
        PkiError::Malformed { what: self.what, at: self.at }
    }

    /// Whether nothing is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Whether what is left are elements in the order of a DER SET OF (X.690, section 11.6). What cannot be read counts as sorted.
    #[must_use]
    pub fn is_sorted(&self) -> bool {
        let mut reader = self.clone();
        let mut last: &[u8] = &[];
        while let Ok(element) = reader.any() {
            if element.raw < last {
                return false;
            }
            last = element.raw;
        }
        true
    }

    /// The tag of the next element.
    #[must_use]
    pub fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next element, whatever it is.
    pub fn any(&mut self) -> Result<Element<'a>, PkiError> {
        let (tag, header, length) = header(self.rest).ok_or_else(|| self.malformed())?;
        let end = header.checked_add(length).ok_or_else(|| self.malformed())?;
        let raw = self.rest.get(..end).ok_or_else(|| self.malformed())?;
        let contents = raw.get(header..).ok_or_else(|| self.malformed())?;
        let element = Element { tag, contents, raw, at: self.at + header };
        self.rest = self.rest.get(end..).unwrap_or_default();
        self.at += end;
        Ok(element)
    }

    /// The next element, which must have this tag.
    pub fn expect(&mut self, tag: u8) -> Result<Element<'a>, PkiError> {
        if self.peek() == Some(tag) { self.any() } else { Err(self.malformed()) }
    }

    /// The next element if it has this tag.
    pub fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, PkiError> {
        if self.peek() == Some(tag) { self.any().map(Some) } else { Ok(None) }
    }

    /// A reader of the next element, a SEQUENCE.
    pub fn sequence(&mut self) -> Result<Self, PkiError> {
        let what = self.what;
        Ok(self.expect(tag::SEQUENCE)?.reader(what))
    }

    /// The next element, an OBJECT IDENTIFIER.
    pub fn oid(&mut self) -> Result<Oid, PkiError> {
        let fault = self.malformed();
        let element = self.expect(tag::OID)?;
        ObjectIdentifier::from_bytes(element.contents).map(Oid).map_err(|_| fault)
    }

    /// The next element, a non-negative INTEGER: its magnitude, big endian, without leading zeros (empty for zero).
    pub fn unsigned(&mut self) -> Result<&'a [u8], PkiError> {
        let fault = self.malformed();
        let contents = self.expect(tag::INTEGER)?.contents;
        match contents {
            [] | [0x80..=0xff, ..] => Err(fault),
            _ => {
                let start = contents.iter().position(|b| *b != 0).unwrap_or(contents.len());
                Ok(contents.get(start..).unwrap_or_default())
            }
        }
    }

    /// The next element, a small non-negative INTEGER such as a version.
    pub fn small(&mut self) -> Result<u32, PkiError> {
        let fault = self.malformed();
        let magnitude = self.unsigned()?;
        if magnitude.len() > 4 {
            return Err(fault);
        }
        Ok(magnitude.iter().fold(0, |acc, b| acc << 8 | u32::from(*b)))
    }

    /// The next element, a BIT STRING of whole octets.
    pub fn octet_aligned_bits(&mut self) -> Result<&'a [u8], PkiError> {
        let fault = self.malformed();
        match self.expect(tag::BIT_STRING)?.contents {
            [0, bits @ ..] => Ok(bits),
            _ => Err(fault),
        }
    }

    /// Ends the reading: anything left is an error.
    pub fn finish(self) -> Result<(), PkiError> {
        if self.is_empty() { Ok(()) } else { Err(self.malformed()) }
    }
}

/// Identifier octet, number of header octets and length of contents; `None` if truncated, indefinite or too long.
pub(crate) fn header(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (tag, rest) = bytes.split_first()?;
    if tag & 0x1f == 0x1f {
        return None;
    }
    let (first, rest) = rest.split_first()?;
    if *first < 0x80 {
        return Some((*tag, 2, usize::from(*first)));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 || count > 4 {
        return None;
    }
    let length = rest.get(..count)?.iter().fold(0usize, |acc, b| acc << 8 | usize::from(*b));
    Some((*tag, 2 + count, length))
}

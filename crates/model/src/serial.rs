//! Certificate serial numbers.

use std::{fmt, str::FromStr};

use crate::id::IdError;

/// A certificate serial number: 1 to 20 octets, big endian, positive, without superfluous leading zeros
/// (RFC 5280, section 4.1.2.2). Printed as upper-case hexadecimal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SerialNumber(Vec<u8>);

impl SerialNumber {
    /// From the magnitude in big-endian octets; leading zeros are dropped. `None` for zero or more than 20 octets.
    #[must_use]
    pub fn from_magnitude(octets: &[u8]) -> Option<Self> {
        let start = octets.iter().position(|b| *b != 0)?;
        let magnitude = octets.get(start..)?;
        let encoded = magnitude.len() + usize::from(magnitude.first().is_some_and(|b| *b >= 0x80));
        (encoded <= 20).then(|| Self(magnitude.to_vec()))
    }

    /// From 16 random octets: the top bit is cleared and the first octet made non-zero, so that the DER form has
    /// exactly 16 octets with at least 120 random bits.
    #[must_use]
    pub fn from_random(mut octets: [u8; 16]) -> Self {
        let [first, ..] = &mut octets;
        *first &= 0x7f;
        if *first == 0 {
            *first = 0x40;
        }
        Self(octets.to_vec())
    }

    /// The magnitude, big endian.
    #[must_use]
    pub fn magnitude(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for octet in &self.0 {
            write!(f, "{octet:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for SerialNumber {
    type Err = IdError;

    /// Hexadecimal, with or without colons between octets.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let refuse =
            || IdError { kind: "serial number", text: crate::text::printable(text), expected: "1 to 20 octets in hexadecimal" };
        let mut digits = Vec::with_capacity(40);
        for c in text.chars().filter(|c| *c != ':') {
            digits.push(u8::try_from(c.to_digit(16).ok_or_else(refuse)?).map_err(|_| refuse())?);
        }
        if digits.is_empty() || digits.len() > 42 {
            return Err(refuse());
        }
        if digits.len() % 2 == 1 {
            digits.insert(0, 0);
        }
        let octets: Vec<u8> = digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |acc, d| acc << 4 | d)).collect();
        Self::from_magnitude(&octets).ok_or_else(refuse)
    }
}

crate::serde_as_text!(SerialNumber);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc5280_4_1_2_2_serial_is_positive_and_at_most_20_octets() {
        assert!(SerialNumber::from_magnitude(&[0, 0]).is_none());
        assert!(SerialNumber::from_magnitude(&[0x7f; 20]).is_some());
        assert!(SerialNumber::from_magnitude(&[0x80; 20]).is_none());
    }

    #[test]
    fn random_serials_have_sixteen_octets() {
        for fill in [0, 0x80, 0xff] {
            let serial = SerialNumber::from_random([fill; 16]);
            assert!(serial.magnitude().len() == 16 && serial.magnitude().first().is_some_and(|b| (1..0x80).contains(b)));
            assert_eq!(serial.to_string().parse::<SerialNumber>().ok(), Some(serial));
        }
    }
}

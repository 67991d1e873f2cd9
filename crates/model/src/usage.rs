//! Key usage and extended key usage.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{id::IdError, oid::Oid};

/// A bit of the keyUsage extension (RFC 5280, section 4.2.1.3), spelt as there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KeyUsage {
    /// Bit 0.
    DigitalSignature,
    /// Bit 1, also called nonRepudiation.
    ContentCommitment,
    /// Bit 2.
    KeyEncipherment,
    /// Bit 3.
    DataEncipherment,
    /// Bit 4.
    KeyAgreement,
    /// Bit 5. Authorities only.
    KeyCertSign,
    /// Bit 6. Authorities only.
    #[serde(rename = "cRLSign")]
    CrlSign,
    /// Bit 7.
    EncipherOnly,
    /// Bit 8.
    DecipherOnly,
}

impl KeyUsage {
    /// Every bit in order.
    pub const ALL: [Self; 9] = [
        Self::DigitalSignature,
        Self::ContentCommitment,
        Self::KeyEncipherment,
        Self::DataEncipherment,
        Self::KeyAgreement,
        Self::KeyCertSign,
        Self::CrlSign,
        Self::EncipherOnly,
        Self::DecipherOnly,
    ];

    /// Position of the bit, 0 for digitalSignature.
    #[must_use]
    pub const fn bit(self) -> u32 {
        self as u32
    }
}

/// A set of key usages; empty when the extension is absent.
pub type KeyUsages = BTreeSet<KeyUsage>;

/// A purpose of the extendedKeyUsage extension, written by name (`clientAuth`) or dotted identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtendedKeyUsage(pub Oid);

/// A set of extended key usages; empty when the extension is absent.
pub type ExtendedKeyUsages = BTreeSet<ExtendedKeyUsage>;

/// TLS client authentication.
pub const CLIENT_AUTH: ExtendedKeyUsage = ExtendedKeyUsage(Oid::new("1.3.6.1.5.5.7.3.2"));
/// TLS server authentication.
pub const SERVER_AUTH: ExtendedKeyUsage = ExtendedKeyUsage(Oid::new("1.3.6.1.5.5.7.3.1"));

/// Known purposes and whether a template for devices and people may carry them. The refused ones turn a certificate into
/// something else: any purpose, an enrolment agent, a domain log-on, a domain controller, an OCSP responder.
const KNOWN: &[(&str, ExtendedKeyUsage, bool)] = &[
    ("serverAuth", SERVER_AUTH, true),
    ("clientAuth", CLIENT_AUTH, true),
    ("codeSigning", ExtendedKeyUsage(Oid::new("1.3.6.1.5.5.7.3.3")), true),
    ("emailProtection", ExtendedKeyUsage(Oid::new("1.3.6.1.5.5.7.3.4")), true),
    ("timeStamping", ExtendedKeyUsage(Oid::new("1.3.6.1.5.5.7.3.8")), true),
    ("eapOverLAN", ExtendedKeyUsage(Oid::new("1.3.6.1.5.5.7.3.14")), true),
    ("ipsecIKE", ExtendedKeyUsage(Oid::new("1.3.6.1.5.5.7.3.17")), true),
    ("iKEIntermediate", ExtendedKeyUsage(Oid::new("1.3.6.1.5.5.8.2.2")), true),
    ("OCSPSigning", ExtendedKeyUsage(Oid::new("1.3.6.1.5.5.7.3.9")), false),
    ("anyExtendedKeyUsage", ExtendedKeyUsage(Oid::new("2.5.29.37.0")), false),
    ("msEnrollmentAgent", ExtendedKeyUsage(Oid::new("1.3.6.1.4.1.311.20.2.1")), false),
    ("msSmartcardLogon", ExtendedKeyUsage(Oid::new("1.3.6.1.4.1.311.20.2.2")), false),
    ("pkInitClientAuth", ExtendedKeyUsage(Oid::new("1.3.6.1.5.2.3.4")), false),
    ("pkInitKDC", ExtendedKeyUsage(Oid::new("1.3.6.1.5.2.3.5")), false),
];

impl ExtendedKeyUsage {
    /// Whether a certificate template may carry this purpose.
    #[must_use]
    pub fn allowed_in_template(self) -> bool {
        KNOWN.iter().find(|(_, known, _)| *known == self).is_none_or(|(_, _, allowed)| *allowed)
    }
}

impl fmt::Display for ExtendedKeyUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match KNOWN.iter().find(|(_, known, _)| known == self) {
            Some((name, _, _)) => f.pad(name),
            None => self.0.fmt(f),
        }
    }
}

impl FromStr for ExtendedKeyUsage {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match KNOWN.iter().find(|(name, _, _)| name.eq_ignore_ascii_case(text)) {
            Some((_, known, _)) => Ok(*known),
            None => text.parse().map(Self).map_err(|_| IdError {
                kind: "extended key usage",
                text: crate::text::printable(text),
                expected: "a name such as clientAuth, or a dotted object identifier",
            }),
        }
    }
}

crate::serde_as_text!(ExtendedKeyUsage);

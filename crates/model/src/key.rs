//! Kinds and sizes of public keys.

use std::{fmt, str::FromStr};

use crate::id::IdError;

/// A kind and size of key, written `rsa:2048`, `ec:p256`, `ec:p384`, `ec:p521`, `ed25519`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// RSA with this modulus length in bits.
    Rsa(u16),
    /// ECDSA on NIST P-256.
    EcP256,
    /// ECDSA on NIST P-384.
    EcP384,
    /// ECDSA on NIST P-521.
    EcP521,
    /// Ed25519 (RFC 8410).
    Ed25519,
}

impl KeyKind {
    /// Whether a key of kind `self` satisfies a rule that accepts `minimum`: same family, RSA at least as long.
    #[must_use]
    pub const fn satisfies(self, minimum: Self) -> bool {
        match (self, minimum) {
            (Self::Rsa(bits), Self::Rsa(least)) => bits >= least,
            (Self::EcP256, Self::EcP256)
            | (Self::EcP384, Self::EcP384)
            | (Self::EcP521, Self::EcP521)
            | (Self::Ed25519, Self::Ed25519) => true,
            _ => false,
        }
    }

    /// Whether both kinds are of one family (RSA, EC, Ed25519), whatever their size.
    #[must_use]
    pub const fn same_family(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Rsa(_), Self::Rsa(_))
                | (Self::EcP256 | Self::EcP384 | Self::EcP521, Self::EcP256 | Self::EcP384 | Self::EcP521)
                | (Self::Ed25519, Self::Ed25519)
        )
    }

    /// Whether it is an RSA key.
    #[must_use]
    pub const fn is_rsa(self) -> bool {
        matches!(self, Self::Rsa(_))
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "rsa:{bits}"),
            Self::EcP256 => f.pad("ec:p256"),
            Self::EcP384 => f.pad("ec:p384"),
            Self::EcP521 => f.pad("ec:p521"),
            Self::Ed25519 => f.pad("ed25519"),
        }
    }
}

impl FromStr for KeyKind {
    type Err = IdError;

    /// Also reads the short forms of `lanyard init --ca-key`: `rsa2048`, `p256`.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let refuse = || IdError {
            kind: "kind of key",
            text: crate::text::printable(text),
            expected: "rsa:2048, rsa:3072, rsa:4096, ec:p256, ec:p384, ec:p521 or ed25519",
        };
        let lower = text.to_ascii_lowercase();
        if let Some(bits) = lower.strip_prefix("rsa") {
            let bits = bits.strip_prefix(':').unwrap_or(bits).parse().map_err(|_| refuse())?;
            return if (2048..=4096).contains(&bits) && bits % 8 == 0 { Ok(Self::Rsa(bits)) } else { Err(refuse()) };
        }
        match lower.strip_prefix("ec:").unwrap_or(&lower) {
            "p256" => Ok(Self::EcP256),
            "p384" => Ok(Self::EcP384),
            "p521" => Ok(Self::EcP521),
            "ed25519" => Ok(Self::Ed25519),
            _ => Err(refuse()),
        }
    }
}

crate::serde_as_text!(KeyKind);

/// A public key as it stands in a CSR or certificate.
///
/// STORED: as part of `RequestedContent`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PublicKey {
    /// SubjectPublicKeyInfo, DER.
    #[serde(with = "crate::text::hex_octets")]
    pub spki: Vec<u8>,
    /// Kind and size.
    pub kind: KeyKind,
    #[serde(with = "crate::text::hex_digest")]
    /// SHA-256 of `spki`: names the key in records and comparisons.
    pub digest: [u8; 32],
}

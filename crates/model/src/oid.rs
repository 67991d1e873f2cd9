//! Object identifiers as values that can stand in files and records.

use std::{fmt, str::FromStr};

use const_oid::ObjectIdentifier;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// An ASN.1 object identifier (X.660), written in dotted decimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(pub ObjectIdentifier);

/// The text is not an object identifier in dotted decimal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an object identifier such as 1.3.6.1.5.5.7.3.2")]
pub struct OidError(pub String);

impl Oid {
    /// A constant identifier; fails the build when `text` is no object identifier.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self(ObjectIdentifier::new_unwrap(text))
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Oid {
    type Err = OidError;

    fn from_str(text: &str) -> Result<Self, OidError> {
        ObjectIdentifier::new(text).map(Self).map_err(|_| OidError(text.to_owned()))
    }
}

impl Serialize for Oid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Oid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

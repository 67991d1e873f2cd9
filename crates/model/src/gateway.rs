//! What gateways are told of certificates, users and devices, and how they follow it.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// One line of the state: JSON, one object a line. A snapshot begins with [`StateLine::Begin`]; changes are whole new values of what changed, so that
/// hearing one twice does no harm. Everything ends with [`StateLine::Now`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum StateLine {
    /// Everything that was known before is to be forgotten.
    Begin,
    /// A certificate.
    #[serde(rename_all = "kebab-case")]
    Certificate {
        /// SHA-256 of it.
        #[serde(with = "crate::text::hex_digest")]
        fingerprint: [u8; 32],
        /// Serial number, in hexadecimal, for the log.
        serial: String,
        /// User it is for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// Device it is for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        device: Option<String>,
        /// Last second of validity.
        not_after: Timestamp,
        /// Whether it is revoked.
        revoked: bool,
    },
    /// A user.
    #[serde(rename_all = "kebab-case")]
    User {
        /// Login name.
        name: String,
        /// User principal name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upn: Option<String>,
        /// Mail address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        email: Option<String>,
        /// May not enter.
        disabled: bool,
        /// Is no more.
        removed: bool,
    },
    /// A device.
    #[serde(rename_all = "kebab-case")]
    Device {
        /// Inventory id.
        id: String,
        /// Owner.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// May not enter.
        blocked: bool,
        /// Is no more.
        removed: bool,
    },
    /// All that happened up to here was told.
    Now {
        /// Place to go on from.
        sequence: u64,
    },
}

/// A password to be checked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PasswordQuestion {
    /// Name as the client wrote it.
    pub user: String,
    /// Password.
    pub password: String,
    /// Where the client is; counts of wrong passwords go by it.
    pub source: std::net::IpAddr,
}

/// What it was found to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PasswordAnswer {
    /// The user whose it is; absent when it is not right.
    pub user: Option<String>,
    /// Their user principal name.
    #[serde(default)]
    pub upn: Option<String>,
    /// Their mail address.
    #[serde(default)]
    pub email: Option<String>,
}

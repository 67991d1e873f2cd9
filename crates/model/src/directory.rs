//! Users and devices as the record knows them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::id::{DeviceId, GroupName, UserName};

/// A user.
///
/// STORED: as JSON; new fields must have defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct User {
    /// Login name; `{user.name}`.
    pub name: UserName,
    /// Name for people; `{user.display-name}`.
    #[serde(default)]
    pub display_name: Option<String>,
    /// User principal name; `{user.upn}`.
    #[serde(default)]
    pub upn: Option<String>,
    /// E-mail address; `{user.email}`.
    #[serde(default)]
    pub email: Option<String>,
    /// Identifier in a directory, such as an objectGUID; `{user.id}`.
    #[serde(default)]
    pub id: Option<String>,
    /// A disabled user gets nothing.
    #[serde(default)]
    pub disabled: bool,
}

/// A group of users and devices, to which profiles are assigned.
///
/// STORED: as JSON; new fields must have defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Group {
    /// Name.
    pub name: GroupName,
    /// One sentence for people.
    #[serde(default)]
    pub description: String,
    /// Users in it.
    #[serde(default)]
    pub users: BTreeSet<UserName>,
    /// Devices in it.
    #[serde(default)]
    pub devices: BTreeSet<DeviceId>,
}

/// A device.
///
/// STORED: as JSON; new fields must have defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Device {
    /// Inventory id; `{device.id}`.
    pub id: DeviceId,
    /// Host name; `{device.name}`.
    #[serde(default)]
    pub name: Option<String>,
    /// Fully qualified domain name; `{device.dns-name}`.
    #[serde(default)]
    pub dns_name: Option<String>,
    /// Hardware serial number; `{device.serial}`.
    #[serde(default)]
    pub serial: Option<String>,
    /// Owner.
    #[serde(default)]
    pub user: Option<UserName>,
    /// A blocked device gets nothing.
    #[serde(default)]
    pub blocked: bool,
}

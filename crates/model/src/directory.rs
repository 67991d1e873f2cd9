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
    /// First name; `{user.given-name}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    /// Family name; `{user.surname}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surname: Option<String>,
    /// Department; `{user.department}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// Name before Windows 2000; `{user.sam-account-name}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sam_account_name: Option<String>,
    /// Name in the directory; `{user.distinguished-name}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinguished_name: Option<String>,
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
    /// Identifier in a directory, such as an objectGUID or the one of Entra ID; `{device.directory-id}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory_id: Option<String>,
    /// IMEI; the device says so itself; `{device.imei}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imei: Option<String>,
    /// MEID; the device says so itself; `{device.meid}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meid: Option<String>,
    /// MAC address of its Wi-Fi; `{device.wifi-mac}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wifi_mac: Option<String>,
    /// Model; `{device.model}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Owner.
    #[serde(default)]
    pub user: Option<UserName>,
    /// A blocked device gets nothing.
    #[serde(default)]
    pub blocked: bool,
}

impl User {
    /// A user of whom only the name is known.
    #[must_use]
    pub const fn named(name: UserName) -> Self {
        Self {
            name,
            display_name: None,
            upn: None,
            email: None,
            id: None,
            given_name: None,
            surname: None,
            department: None,
            sam_account_name: None,
            distinguished_name: None,
            disabled: false,
        }
    }

    /// A text field by its name in files, `None` if there is none of that name.
    pub fn text_mut(&mut self, field: &str) -> Option<&mut Option<String>> {
        Some(match field {
            "display-name" => &mut self.display_name,
            "upn" => &mut self.upn,
            "email" => &mut self.email,
            "id" => &mut self.id,
            "given-name" => &mut self.given_name,
            "surname" => &mut self.surname,
            "department" => &mut self.department,
            "sam-account-name" => &mut self.sam_account_name,
            "distinguished-name" => &mut self.distinguished_name,
            _ => return None,
        })
    }
}

impl Device {
    /// A device of which only the id is known.
    #[must_use]
    pub const fn named(id: DeviceId) -> Self {
        Self {
            id,
            name: None,
            dns_name: None,
            serial: None,
            directory_id: None,
            imei: None,
            meid: None,
            wifi_mac: None,
            model: None,
            user: None,
            blocked: false,
        }
    }

    /// A text field by its name in files, `None` if there is none of that name.
    pub fn text_mut(&mut self, field: &str) -> Option<&mut Option<String>> {
        Some(match field {
            "name" => &mut self.name,
            "dns-name" => &mut self.dns_name,
            "serial" => &mut self.serial,
            "directory-id" => &mut self.directory_id,
            "imei" => &mut self.imei,
            "meid" => &mut self.meid,
            "wifi-mac" => &mut self.wifi_mac,
            "model" => &mut self.model,
            _ => return None,
        })
    }
}

//! The section `[ldap]` of the configuration file.

use std::collections::BTreeMap;

use lanyard_model::{
    directory::{Device, User},
    time::Span,
};
use serde::{Deserialize, Serialize};

/// What stands for the name that is looked for.
pub const NAME: &str = "{name}";
/// What stands for the distinguished name of the one whose groups are looked for.
pub const DN: &str = "{dn}";

/// The directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LdapSettings {
    /// `ldaps://host`; `ldap://host` with `start-tls`, or on this machine.
    pub url: String,
    /// StartTLS on an `ldap://` address.
    #[serde(default)]
    pub start_tls: bool,
    /// Certificates (PEM) under one of which the directory's own must stand; needed wherever TLS is.
    #[serde(default)]
    pub ca_file: Option<String>,
    /// Account that reads.
    pub bind_dn: String,
    /// File with its password; mode 0600.
    pub password_file: String,
    /// Time for one look-up.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
    /// How long what was found is believed without asking again.
    #[serde(default = "default_cache")]
    pub cache: Span,
    /// Where users are; absent means that users are not looked up.
    #[serde(default)]
    pub users: Option<Place>,
    /// Where devices are; absent means that devices are not looked up.
    #[serde(default)]
    pub devices: Option<Place>,
    /// Where groups are; absent means that groups are those kept here.
    #[serde(default)]
    pub groups: Option<Groups>,
}

/// Where one kind of record is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Place {
    /// Base of the search, with everything below it.
    pub base: String,
    /// Filter in which `{name}` stands for the name that is looked for.
    pub filter: String,
    /// Fields of the record and the attributes they are filled from.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

/// Where groups are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Groups {
    /// Base of the search, with everything below it.
    pub base: String,
    /// Filter in which `{dn}` stands for the distinguished name of the member.
    #[serde(default = "default_group_filter")]
    pub filter: String,
    /// Attribute with the group's name.
    #[serde(default = "default_group_name")]
    pub name: String,
}

const fn default_timeout() -> Span {
    Span::from_secs(5)
}

const fn default_cache() -> Span {
    Span::from_secs(30)
}

fn default_group_filter() -> String {
    "(member={dn})".to_owned()
}

fn default_group_name() -> String {
    "cn".to_owned()
}

impl LdapSettings {
    /// Checks what can be checked without asking.
    ///
    /// # Errors
    /// Key and problem in one sentence.
    pub fn check(&self) -> Result<(), String> {
        lanyard_directory::check_url(&self.url, self.start_tls, self.ca_file.is_some())
            .map_err(|problem| format!("ldap.{problem}"))?;
        if !(1..=15).contains(&self.timeout.secs()) {
            return Err("ldap.timeout must be 1s to 15s".into());
        }
        if self.cache.secs() > 300 {
            return Err("ldap.cache must be at most 5m: for so long somebody who was disabled there is not noticed".into());
        }
        if self.bind_dn.is_empty() {
            return Err("ldap.bind-dn must name an account: without one a directory lets everybody in".into());
        }
        if self.users.is_none() && self.devices.is_none() {
            return Err("ldap.users or ldap.devices must say where they are".into());
        }
        let user = |field: &str| User::named(anybody()?).text_mut(field).map(|_| ());
        let device = |field: &str| Device::named(anybody()?).text_mut(field).map(|_| ());
        check_place("users", self.users.as_ref(), user)?;
        check_place("devices", self.devices.as_ref(), device)?;
        match &self.groups {
            Some(groups) if !groups.filter.contains(DN) => Err(format!("ldap.groups.filter must contain {DN}")),
            _ => Ok(()),
        }
    }
}

fn anybody<T: std::str::FromStr>() -> Option<T> {
    "x".parse().ok()
}

fn check_place(kind: &str, place: Option<&Place>, known: impl Fn(&str) -> Option<()>) -> Result<(), String> {
    let Some(place) = place else { return Ok(()) };
    if !place.filter.contains(NAME) {
        return Err(format!("ldap.{kind}.filter must contain {NAME}"));
    }
    match place.attributes.keys().find(|field| known(field).is_none()) {
        Some(field) => Err(format!("ldap.{kind}.attributes: there is no field '{}'", lanyard_model::text::printable(field))),
        None => Ok(()),
    }
}

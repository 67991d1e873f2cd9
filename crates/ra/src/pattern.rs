//! Patterns in templates: text with variables in braces, used to fill in names and to check names that were given.
//!
//! Matching takes time linear in the text: literals are searched from left to right and never again.

use std::fmt;

use lanyard_model::directory::{Device, User};

/// A variable of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Variable {
    /// `{organization}`: the organization of this installation.
    Organization,
    /// `{user.name}`: login name.
    UserName,
    /// `{user.display-name}`: name for people.
    UserDisplayName,
    /// `{user.upn}`: user principal name.
    UserUpn,
    /// `{user.email}`: e-mail address.
    UserEmail,
    /// `{user.id}`: identifier in a directory.
    UserId,
    /// `{user.given-name}`: first name.
    UserGivenName,
    /// `{user.surname}`: family name.
    UserSurname,
    /// `{user.department}`: department.
    UserDepartment,
    /// `{user.sam-account-name}`: name before Windows 2000.
    UserSamAccountName,
    /// `{user.distinguished-name}`: name in the directory.
    UserDistinguishedName,
    /// `{device.id}`: inventory id.
    DeviceId,
    /// `{device.name}`: host name.
    DeviceName,
    /// `{device.dns-name}`: fully qualified domain name.
    DeviceDnsName,
    /// `{device.serial}`: hardware serial number.
    DeviceSerial,
    /// `{device.directory-id}`: identifier in a directory, such as an objectGUID or the one of Entra ID.
    DeviceDirectoryId,
    /// `{device.imei}`: IMEI; the device says so itself.
    DeviceImei,
    /// `{device.meid}`: MEID; the device says so itself.
    DeviceMeid,
    /// `{device.wifi-mac}`: MAC address of its Wi-Fi.
    DeviceWifiMac,
    /// `{device.model}`: model.
    DeviceModel,
    /// `{any}`: text an administrator gives; never filled in from a record.
    Any,
}

impl Variable {
    /// Every variable.
    pub const ALL: [Self; 21] = [
        Self::Organization,
        Self::UserName,
        Self::UserDisplayName,
        Self::UserUpn,
        Self::UserEmail,
        Self::UserId,
        Self::UserGivenName,
        Self::UserSurname,
        Self::UserDepartment,
        Self::UserSamAccountName,
        Self::UserDistinguishedName,
        Self::DeviceId,
        Self::DeviceName,
        Self::DeviceDnsName,
        Self::DeviceSerial,
        Self::DeviceDirectoryId,
        Self::DeviceImei,
        Self::DeviceMeid,
        Self::DeviceWifiMac,
        Self::DeviceModel,
        Self::Any,
    ];

    /// The name between the braces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::UserName => "user.name",
            Self::UserDisplayName => "user.display-name",
            Self::UserUpn => "user.upn",
            Self::UserEmail => "user.email",
            Self::UserId => "user.id",
            Self::UserGivenName => "user.given-name",
            Self::UserSurname => "user.surname",
            Self::UserDepartment => "user.department",
            Self::UserSamAccountName => "user.sam-account-name",
            Self::UserDistinguishedName => "user.distinguished-name",
            Self::DeviceId => "device.id",
            Self::DeviceName => "device.name",
            Self::DeviceDnsName => "device.dns-name",
            Self::DeviceSerial => "device.serial",
            Self::DeviceDirectoryId => "device.directory-id",
            Self::DeviceImei => "device.imei",
            Self::DeviceMeid => "device.meid",
            Self::DeviceWifiMac => "device.wifi-mac",
            Self::DeviceModel => "device.model",
            Self::Any => "any",
        }
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.as_str())
    }
}

/// What variables are filled from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Records<'a> {
    /// Organization of this installation.
    pub organization: &'a str,
    /// The user a certificate is for.
    pub user: Option<&'a User>,
    /// The device a certificate is for.
    pub device: Option<&'a Device>,
}

impl<'a> Records<'a> {
    /// The value of a variable; `None` when there is no record or it does not tell.
    #[must_use]
    pub fn value(&self, variable: Variable) -> Option<&'a str> {
        let value = match variable {
            Variable::Organization => Some(self.organization),
            Variable::UserName => self.user.map(|u| u.name.as_str()),
            Variable::UserDisplayName => self.user.and_then(|u| u.display_name.as_deref()),
            Variable::UserUpn => self.user.and_then(|u| u.upn.as_deref()),
            Variable::UserEmail => self.user.and_then(|u| u.email.as_deref()),
            Variable::UserId => self.user.and_then(|u| u.id.as_deref()),
            Variable::UserGivenName => self.user.and_then(|u| u.given_name.as_deref()),
            Variable::UserSurname => self.user.and_then(|u| u.surname.as_deref()),
            Variable::UserDepartment => self.user.and_then(|u| u.department.as_deref()),
            Variable::UserSamAccountName => self.user.and_then(|u| u.sam_account_name.as_deref()),
            Variable::UserDistinguishedName => self.user.and_then(|u| u.distinguished_name.as_deref()),
            Variable::DeviceId => self.device.map(|d| d.id.as_str()),
            Variable::DeviceName => self.device.and_then(|d| d.name.as_deref()),
            Variable::DeviceDnsName => self.device.and_then(|d| d.dns_name.as_deref()),
            Variable::DeviceSerial => self.device.and_then(|d| d.serial.as_deref()),
            Variable::DeviceDirectoryId => self.device.and_then(|d| d.directory_id.as_deref()),
            Variable::DeviceImei => self.device.and_then(|d| d.imei.as_deref()),
            Variable::DeviceMeid => self.device.and_then(|d| d.meid.as_deref()),
            Variable::DeviceWifiMac => self.device.and_then(|d| d.wifi_mac.as_deref()),
            Variable::DeviceModel => self.device.and_then(|d| d.model.as_deref()),
            Variable::Any => None,
        };
        value.filter(|text| !text.is_empty())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Variable(Variable),
}

/// A parsed pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

/// A piece of a pattern with its variables looked up: text, or a gap that stands for any text but none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    Text(String),
    Gap,
}

impl Pattern {
    /// Reads a pattern. A backslash takes the next character literally.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => literal.push(chars.next().ok_or("it ends in a backslash")?),
                '{' => {
                    let (name, rest) = chars.as_str().split_once('}').ok_or("an opening brace has no closing one")?;
                    chars = rest.chars();
                    let variable = Variable::ALL.into_iter().find(|v| v.as_str() == name);
                    let variable = variable.ok_or_else(|| {
                        let known: Vec<String> = Variable::ALL.iter().map(Variable::to_string).collect();
                        format!("'{{{name}}}' is not a variable: use {}", known.join(", "))
                    })?;
                    if !literal.is_empty() {
                        pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                    }
                    pieces.push(Piece::Variable(variable));
                }
                '}' => return Err("a closing brace has no opening one".to_owned()),
                c if c.is_control() => return Err("it has a control character".to_owned()),
                c => literal.push(c),
            }
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        if pieces.is_empty() {
            return Err("it is empty".to_owned());
        }
        Ok(Self(pieces))
    }

    /// Fills in every variable.
    ///
    /// # Errors
    /// The first variable that no record tells.
    pub fn expand(&self, records: &Records<'_>) -> Result<String, Variable> {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Variable(variable) => text.push_str(records.value(*variable).ok_or(*variable)?),
            }
        }
        Ok(text)
    }

    /// Whether `text` is what the pattern says: a variable that a record tells must stand there exactly, any other stands for
    /// text of at least one character.
    #[must_use]
    pub fn fits(&self, records: &Records<'_>, text: &str) -> bool {
        matches(&self.segments(records), text)
    }

    /// The pattern with its variables looked up.
    pub(crate) fn segments(&self, records: &Records<'_>) -> Vec<Segment> {
        let mut segments: Vec<Segment> = Vec::new();
        for piece in &self.0 {
            let text = match piece {
                Piece::Literal(literal) => Some(literal.as_str()),
                Piece::Variable(variable) => records.value(*variable),
            };
            match (text, segments.last_mut()) {
                (Some(text), Some(Segment::Text(before))) => before.push_str(text),
                (Some(text), _) => segments.push(Segment::Text(text.to_owned())),
                (None, _) => segments.push(Segment::Gap),
            }
        }
        segments
    }
}

/// Whether the text is made of the segments. The leftmost place of each literal leaves most for the rest, so no place needs to
/// be tried twice.
pub(crate) fn matches(segments: &[Segment], text: &str) -> bool {
    let mut rest = text;
    let mut gaps = 0;
    for (position, segment) in segments.iter().enumerate() {
        let literal = match segment {
            Segment::Gap => {
                gaps += 1;
                continue;
            }
            Segment::Text(literal) => literal.as_str(),
        };
        if gaps == 0 {
            match rest.strip_prefix(literal) {
                Some(after) => rest = after,
                None => return false,
            }
            continue;
        }
        let Some(candidates) = skip(rest, gaps) else { return false };
        if position + 1 == segments.len() {
            return candidates.ends_with(literal);
        }
        match candidates.split_once(literal) {
            Some((_, after)) => rest = after,
            None => return false,
        }
        gaps = 0;
    }
    if gaps == 0 { rest.is_empty() } else { skip(rest, gaps).is_some() }
}

/// The text without its first `count` characters; `None` if it has fewer.
fn skip(text: &str, count: usize) -> Option<&str> {
    let mut chars = text.chars();
    for _ in 0..count {
        chars.next()?;
    }
    Some(chars.as_str())
}

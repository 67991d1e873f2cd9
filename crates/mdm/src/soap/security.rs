//! The `wsse:Security` header: who the sender says to be, and with what.

use std::fmt;

use lanyard_model::{
    secret::{SecretBytes, SecretText},
    time::{Span, Timestamp},
};

use super::{
    base64,
    namespace::{BASE64_BINARY, SECURITY, SIGNATURE, SOAP, UTILITY},
    time,
};
use crate::{error::MdmError, xml::Element};

/// `u:Id` that every UsernameToken bears (MS-MDE2, section 3.1); servers do not depend on it.
pub const USERNAME_TOKEN_ID: &str = "uuid-cc1ccc1f-2fba-4bcf-b063-ffc0cac77917-4";
const PASSWORD_TEXT: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText";

/// The header; empty when a message has none.
#[derive(Debug, Clone, Default)]
pub struct Security {
    /// `u:Timestamp`.
    pub timestamp: Option<Lifetime>,
    /// `wsse:UsernameToken`.
    pub username: Option<UsernameToken>,
    /// `wsse:BinarySecurityToken`.
    pub token: Option<BinarySecurityToken>,
    /// Whether there is a `ds:Signature`; [`super::signature`] reads it.
    pub is_signed: bool,
}

/// From when until when a message is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// `u:Created`.
    pub created: Timestamp,
    /// `u:Expires`.
    pub expires: Timestamp,
}

/// User name and password.
#[derive(Debug, Clone)]
pub struct UsernameToken {
    /// User name: UPN, e-mail address or `DOMAIN\user`. Empty when an automatic renewal names nobody.
    pub username: String,
    /// Password in clear. Empty in an automatic renewal, where it is none: see [`Security::credential`].
    pub password: SecretText,
}

/// A token in base64. The text is as secret as a password.
#[derive(Clone)]
pub struct BinarySecurityToken {
    /// `u:Id`, by which a signature refers to it.
    pub id: Option<String>,
    /// What it is.
    pub value_type: ValueType,
    /// The octets, decoded.
    pub octets: SecretBytes,
}

impl fmt::Debug for BinarySecurityToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BinarySecurityToken").field("id", &self.id).field("value_type", &self.value_type).finish_non_exhaustive()
    }
}

/// ValueType of a token that stands for a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueType {
    /// What the web page of federated enrolment gave out; with a signature beside it, the certificate that made the signature.
    DeviceEnrollmentUserToken,
    /// A JSON Web Token of Entra ID.
    Jwt,
    /// A certificate; any ValueType that ends so.
    X509v3,
    /// Another one.
    Other(String),
}

impl ValueType {
    const USER_TOKEN: &str = "http://schemas.microsoft.com/5.0.0.0/ConfigurationManager/Enrollment/DeviceEnrollmentUserToken";
    const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
    const X509V3: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3";

    /// Its URI.
    #[must_use]
    pub fn uri(&self) -> &str {
        match self {
            Self::DeviceEnrollmentUserToken => Self::USER_TOKEN,
            Self::Jwt => Self::JWT,
            Self::X509v3 => Self::X509V3,
            Self::Other(uri) => uri,
        }
    }

    fn from_uri(uri: &str) -> Self {
        match uri {
            Self::USER_TOKEN => Self::DeviceEnrollmentUserToken,
            Self::JWT => Self::Jwt,
            uri if uri.ends_with("X509v3") => Self::X509v3,
            uri => Self::Other(uri.to_owned()),
        }
    }
}

/// With what the sender wants to be believed. Nothing of it has been checked.
#[derive(Debug, Clone, Copy)]
pub enum Credential<'a> {
    /// Nothing: discovery, and automatic renewal.
    None,
    /// A user name with an empty password, as automatic renewals send it. It proves nothing and must agree with the record.
    Username(&'a str),
    /// User name and password.
    Password {
        /// User name.
        username: &'a str,
        /// Password, not empty.
        password: &'a SecretText,
    },
    /// The token that our own sign-in page gave out.
    UserToken(&'a SecretBytes),
    /// A JSON Web Token in its compact form.
    Jwt(&'a SecretBytes),
    /// A certificate, DER; it proves something only with a signature, see [`super::signature::verify`].
    Certificate(&'a SecretBytes),
}

impl Security {
    /// The one credential it carries. An empty password is none.
    ///
    /// # Errors
    /// [`MdmError::Security`] when it carries two, or one of an unknown kind.
    pub fn credential(&self) -> Result<Credential<'_>, MdmError> {
        match (&self.username, &self.token) {
            (None, None) => Ok(Credential::None),
            (Some(_), Some(_)) => Err(MdmError::Security("it has a user name and a token, of which only one can count")),
            (Some(user), None) if user.username.is_empty() => {
                if user.password.expose().is_empty() {
                    Ok(Credential::None)
                } else {
                    Err(MdmError::Security("it has a password without a user name"))
                }
            }
            (Some(user), None) if user.password.expose().is_empty() => Ok(Credential::Username(&user.username)),
            (Some(user), None) => Ok(Credential::Password { username: &user.username, password: &user.password }),
            (None, Some(token)) => match token.value_type {
                // With a signature the same ValueType means the certificate that made it.
                ValueType::DeviceEnrollmentUserToken if self.is_signed => Ok(Credential::Certificate(&token.octets)),
                ValueType::DeviceEnrollmentUserToken => Ok(Credential::UserToken(&token.octets)),
                ValueType::Jwt => Ok(Credential::Jwt(&token.octets)),
                ValueType::X509v3 => Ok(Credential::Certificate(&token.octets)),
                ValueType::Other(_) => Err(MdmError::Security("its token is of a kind that is not known")),
            },
        }
    }

    pub(super) fn decode(security: &Element) -> Result<Self, MdmError> {
        let timestamp = security.find(UTILITY, "Timestamp")?.map(Lifetime::decode).transpose()?;
        let username = security.find(SECURITY, "UsernameToken")?.map(UsernameToken::decode).transpose()?;
        let token = security.find(SECURITY, "BinarySecurityToken")?.map(BinarySecurityToken::decode).transpose()?;
        let is_signed = security.find(SIGNATURE, "Signature")?.is_some();
        Ok(Self { timestamp, username, token, is_signed })
    }

    /// The header, unless it is empty. A signature is added by [`super::signature::sign`].
    pub(super) fn encode(&self) -> Result<Option<Element>, MdmError> {
        if self.timestamp.is_none() && self.username.is_none() && self.token.is_none() {
            return Ok(None);
        }
        let mut security = Element::new(SECURITY, "Security").with_attribute(SOAP, "mustUnderstand", "1");
        if let Some(lifetime) = self.timestamp {
            security.push(lifetime.encode());
        }
        if let Some(user) = &self.username {
            security.push(user.encode());
        }
        if let Some(token) = &self.token {
            security.push(token.encode());
        }
        Ok(Some(security))
    }
}

impl Lifetime {
    /// Whether a message is good at this time, with so much tolerance for clocks on both sides.
    #[must_use]
    pub fn contains(self, now: Timestamp, tolerance: Span) -> bool {
        self.created <= now + tolerance && now <= self.expires + tolerance && self.created <= self.expires
    }

    fn decode(timestamp: &Element) -> Result<Self, MdmError> {
        let read = |name| {
            let element = timestamp.require(UTILITY, name)?;
            time::decode(element.simple_text()?).ok_or_else(|| element.wrong("is no time with a zone"))
        };
        Ok(Self { created: read("Created")?, expires: read("Expires")? })
    }

    pub(super) fn encode(self) -> Element {
        Element::new(UTILITY, "Timestamp")
            .with_attribute(UTILITY, "Id", "_0")
            .leaf("Created", time::encode(self.created))
            .leaf("Expires", time::encode(self.expires))
    }
}

impl UsernameToken {
    fn decode(token: &Element) -> Result<Self, MdmError> {
        let username = token.find_text(SECURITY, "Username")?.unwrap_or_default();
        let password = token.find(SECURITY, "Password")?;
        if let Some(password) = password {
            // QUIRK(Windows, several versions): the attribute is in no namespace or in that of the header; absent it means PasswordText.
            if password.attribute_anywhere("Type").is_some_and(|kind| !kind.ends_with("#PasswordText")) {
                return Err(MdmError::Security("its password is not in clear, which is the only form there is"));
            }
            if password.children().next().is_some() {
                return Err(password.wrong("contains elements instead of text"));
            }
        }
        // White space belongs to a password.
        let password = SecretText::new(password.map(|password| password.text().into_owned()).unwrap_or_default());
        Ok(Self { username, password })
    }

    fn encode(&self) -> Element {
        let password = Element::new(SECURITY, "Password").with_attribute(SECURITY, "Type", PASSWORD_TEXT);
        Element::new(SECURITY, "UsernameToken")
            .with_attribute(UTILITY, "Id", USERNAME_TOKEN_ID)
            .leaf("Username", &*self.username)
            .child(password.with_text(self.password.expose()))
    }
}

impl BinarySecurityToken {
    fn decode(token: &Element) -> Result<Self, MdmError> {
        let value_type = ValueType::from_uri(token.attribute("", "ValueType").unwrap_or_default());
        let octets = base64::decode(token.simple_text()?).ok_or_else(|| token.wrong("is no base64"))?;
        if octets.is_empty() {
            return Err(token.wrong("is empty"));
        }
        Ok(Self { id: token.attribute(UTILITY, "Id").map(str::to_owned), value_type, octets: SecretBytes::new(octets) })
    }

    fn encode(&self) -> Element {
        let mut token = Element::new(SECURITY, "BinarySecurityToken")
            .with("ValueType", self.value_type.uri())
            .with("EncodingType", BASE64_BINARY)
            .with_text(base64::encode(self.octets.expose()));
        if let Some(id) = &self.id {
            token = token.with_attribute(UTILITY, "Id", &**id);
        }
        token
    }
}

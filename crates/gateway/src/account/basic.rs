//! Name and password in `Authorization: Basic` (RFC 7617).

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use lanyard_model::secret::SecretText;

/// Some devices leave the padding out.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));
/// Most octets of the decoded text.
const MAX: usize = 1024;

/// What a client has sent.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Name as sent: `alice`, `CORP\alice`, `alice@corp.test`.
    pub user: String,
    /// Password; may be empty, and then never counts.
    pub password: SecretText,
}

/// The name, without what says where it belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name<'a> {
    /// `alice`.
    Plain(&'a str),
    /// `CORP\alice`: domain and name.
    Domain(&'a str, &'a str),
    /// `alice@corp.test`, whole.
    Principal(&'a str),
}

impl Credentials {
    /// Reads them. `None` without the field, with another scheme, twice, or when it cannot be read.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = values.next()?;
        if values.next().is_some() {
            return None;
        }
        Self::parse(value)
    }

    fn parse(value: &HeaderValue) -> Option<Self> {
        let (scheme, rest) = value.as_bytes().split_at_checked(6)?;
        if !scheme.eq_ignore_ascii_case(b"basic ") || rest.len() > MAX * 2 {
            return None;
        }
        let octets = LENIENT.decode(rest.trim_ascii()).ok().filter(|octets| octets.len() <= MAX)?;
        // UTF-8 is what the standard prefers; what is not was meant as Latin-1.
        let text = SecretText::new(match String::from_utf8(octets) {
            Ok(text) => text,
            Err(other) => other.into_bytes().iter().map(|b| char::from(*b)).collect(),
        });
        let (user, password) = text.expose().split_once(':')?;
        let good = !user.is_empty() && user.len() <= 256 && !user.chars().any(char::is_control) && !password.contains('\0');
        good.then(|| Self { user: user.to_owned(), password: SecretText::new(password.to_owned()) })
    }

    /// The name taken apart.
    #[must_use]
    pub fn name(&self) -> Name<'_> {
        match (self.user.split_once('\\'), self.user.contains('@')) {
            (Some((domain, user)), _) => Name::Domain(domain, user),
            (None, true) => Name::Principal(&self.user),
            (None, false) => Name::Plain(&self.user),
        }
    }

    /// The field for a back end.
    #[must_use]
    pub fn field(user: &str, password: &SecretText) -> Option<HeaderValue> {
        let text = SecretText::new(format!("{user}:{}", password.expose()));
        let encoded = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text.expose()));
        let mut value = HeaderValue::from_str(&encoded).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &[u8]) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        Credentials::of(&headers).map(|c| (c.user.clone(), c.password.expose().to_owned()))
    }

    fn encoded(octets: &[u8]) -> Vec<u8> {
        [b"Basic ".to_vec(), base64::engine::general_purpose::STANDARD.encode(octets).into_bytes()].concat()
    }

    #[test]
    fn rfc7617_names_and_passwords_are_read_as_devices_send_them() {
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(read(&encoded(b"alice:a:b:c")), pair("alice", "a:b:c"));
        assert_eq!(read(&encoded("zoë:pässe".as_bytes())), pair("zoë", "pässe"));
        assert_eq!(read(&encoded(b"zo\xeb:p")), pair("zoë", "p"));
        assert_eq!(read(b"bAsIc YWxpY2U6eA"), pair("alice", "x"));
        assert_eq!(read(&encoded(b"alice:")), pair("alice", ""));
    }

    #[test]
    fn what_cannot_be_read_is_nobody() {
        for value in [&b"Basic"[..], b"Basic ", b"Basic !!!", b"Bearer abc", b"Negotiate YII="] {
            assert_eq!(read(value), None);
        }
        assert_eq!(read(&encoded(b"no colon")), None);
        assert_eq!(read(&encoded(b":x")), None);
        assert_eq!(read(&encoded(b"a\r\nb:x")), None);
        assert_eq!(read(&encoded(&[b'a'; 2000])), None);
        let mut twice = HeaderMap::new();
        twice.append(AUTHORIZATION, HeaderValue::from_bytes(&encoded(b"a:b")).unwrap());
        twice.append(AUTHORIZATION, HeaderValue::from_bytes(&encoded(b"c:d")).unwrap());
        assert!(Credentials::of(&twice).is_none());
    }

    #[test]
    fn names_are_taken_apart() {
        let name = |user: &str| Credentials { user: user.into(), password: SecretText::new(String::new()) };
        assert_eq!(name("alice").name(), Name::Plain("alice"));
        assert_eq!(name("CORP\\alice").name(), Name::Domain("CORP", "alice"));
        assert_eq!(name("alice@corp.test").name(), Name::Principal("alice@corp.test"));
    }
}

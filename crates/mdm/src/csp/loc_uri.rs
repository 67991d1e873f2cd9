//! LocURI: the address of a node in the device's management tree (OMA DM Tree and Description 1.2, section 6.2).

use std::fmt;

use super::node::Scope;

/// Longest LocURI read, in bytes.
const MAX_LENGTH: usize = 2048;
/// Most segments of a LocURI.
const MAX_SEGMENTS: usize = 32;

/// Why a text is not a LocURI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LocUriError {
    /// More than 2048 bytes or 32 segments.
    #[error("the address is too long")]
    TooLong,
    /// It does not begin with the root, `.`.
    #[error("the address does not begin with '.'")]
    NotFromRoot,
    /// A name is empty, `*`, `.` or `..`.
    #[error("a name in the address is not allowed")]
    Name,
    /// A percent sign without two hexadecimal digits, or escapes that are not UTF-8, or a control character.
    #[error("the address is escaped wrongly")]
    Escape,
    /// Something other than `?list=Struct`, `?list=StructData` or `?list=TNDS` behind the path.
    #[error("the address asks for a listing that does not exist")]
    Listing,
}

/// What a Get asks for beyond the node itself (`?list=…`, OMA DM Representation Protocol 1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Listing {
    /// `Struct`: the names of the whole subtree.
    Struct,
    /// `StructData`: names and values of the whole subtree.
    StructData,
}

impl Listing {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Struct => "Struct",
            Self::StructData => "StructData",
        }
    }
}

/// A validated address: scope and unescaped names. `./Vendor/MSFT/…` is the device's tree, as `./Device/Vendor/MSFT/…` is.
///
/// Two addresses are equal when they name the same node; [`fmt::Display`] writes the canonical form, which always names `Device` or `User`
/// in front of `Vendor`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocUri {
    scope: Scope,
    segments: Vec<String>,
    listing: Option<Listing>,
}

impl LocUri {
    /// The node under these names (unescaped) in the device's tree, for example `["Vendor", "MSFT", "WiFi"]` or `["DevInfo", "DevId"]`.
    #[must_use]
    pub fn device(names: &[&str]) -> Self {
        Self::new(Scope::Device, names)
    }

    /// The node under these names (unescaped) in a scope's tree.
    #[must_use]
    pub fn new(scope: Scope, names: &[&str]) -> Self {
        Self { scope, segments: names.iter().map(|&name| name.to_owned()).collect(), listing: None }
    }

    /// Reads an address.
    ///
    /// Blanks and non-ASCII characters that should have been escaped are accepted.
    ///
    /// # Errors
    /// What makes the text no address.
    pub fn parse(text: &str) -> Result<Self, LocUriError> {
        if text.len() > MAX_LENGTH {
            return Err(LocUriError::TooLong);
        }
        let (path, query) = match text.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (text, None),
        };
        let listing = match query {
            None => None,
            Some("list=Struct") => Some(Listing::Struct),
            Some("list=StructData") => Some(Listing::StructData),
            Some(_) => return Err(LocUriError::Listing),
        };
        let mut parts = path.split('/');
        if parts.next() != Some(".") {
            return Err(LocUriError::NotFromRoot);
        }
        let mut segments = parts.map(unescape_segment).collect::<Result<Vec<_>, _>>()?;
        if segments.len() > MAX_SEGMENTS {
            return Err(LocUriError::TooLong);
        }
        let scope = match segments.first().map(String::as_str) {
            Some("User") => Scope::User,
            _ => Scope::Device,
        };
        if matches!(segments.first().map(String::as_str), Some("User" | "Device")) {
            segments.remove(0);
        }
        Ok(Self { scope, segments, listing })
    }

    /// Whose tree it is in.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        self.scope
    }

    /// The names from the root, unescaped, without `Device` or `User`.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.segments.iter().map(String::as_str)
    }

    /// How many names there are.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.segments.len()
    }

    /// The last name; nothing for the root.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.segments.last().map(String::as_str)
    }

    /// What is asked for beyond the node.
    #[must_use]
    pub const fn listing(&self) -> Option<Listing> {
        self.listing
    }

    /// The same address with another listing.
    #[must_use]
    pub fn with_listing(mut self, listing: Option<Listing>) -> Self {
        self.listing = listing;
        self
    }

    /// The node of this (unescaped) name below this one.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        let mut segments = self.segments.clone();
        segments.push(name.to_owned());
        Self { scope: self.scope, segments, listing: None }
    }

    /// The node below which this one lies; nothing for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (_, above) = self.segments.split_last()?;
        Some(Self { scope: self.scope, segments: above.to_vec(), listing: None })
    }

    /// Whether this node is the other one or lies below it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.scope == other.scope && self.segments.starts_with(&other.segments)
    }

    /// Whether both name the same node, whatever listing they ask for, and with names compared without regard to case.
    #[must_use]
    pub fn same_node(&self, other: &Self) -> bool {
        self.scope == other.scope
            && self.segments.len() == other.segments.len()
            && self.segments.iter().zip(&other.segments).all(|(a, b)| a.eq_ignore_ascii_case(b))
    }
}

impl fmt::Display for LocUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(".")?;
        let prefixed = self.segments.first().is_none_or(|first| matches!(first.as_str(), "Vendor" | "Device" | "User"));
        match self.scope {
            Scope::User => f.write_str("/User")?,
            Scope::Device if prefixed => f.write_str("/Device")?,
            Scope::Device => {}
        }
        for segment in &self.segments {
            write!(f, "/{}", escape_segment(segment))?;
        }
        match self.listing {
            Some(listing) => write!(f, "?list={}", listing.as_str()),
            None => Ok(()),
        }
    }
}

impl std::str::FromStr for LocUri {
    type Err = LocUriError;

    fn from_str(text: &str) -> Result<Self, LocUriError> {
        Self::parse(text)
    }
}

/// Escapes one name for an address: everything but letters, digits and harmless punctuation becomes `%XX` of its UTF-8 bytes.
#[must_use]
pub fn escape_segment(name: &str) -> String {
    use fmt::Write as _;
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => text.push(char::from(byte)),
            b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'+' | b',' | b';' | b'=' | b':' | b'@' => {
                text.push(char::from(byte));
            }
            _ => {
                let _ = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

/// Reads one name of an address.
///
/// # Errors
/// [`LocUriError::Name`] for an empty name, `*`, `.` and `..`; [`LocUriError::Escape`] for wrong escapes and control characters.
pub fn unescape_segment(text: &str) -> Result<String, LocUriError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = rest.next().and_then(hex).ok_or(LocUriError::Escape)?;
            let low = rest.next().and_then(hex).ok_or(LocUriError::Escape)?;
            bytes.push(high << 4 | low);
        } else {
            bytes.push(byte);
        }
    }
    let name = String::from_utf8(bytes).map_err(|_| LocUriError::Escape)?;
    if name.chars().any(char::is_control) {
        return Err(LocUriError::Escape);
    }
    if matches!(name.as_str(), "" | "*" | "." | "..") {
        return Err(LocUriError::Name);
    }
    Ok(name)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// The names of an interior node's children as a Get answers them: each escaped, joined with `/`.
#[must_use]
pub fn join_children<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(escape_segment).collect::<Vec<_>>().join("/")
}

/// Reads what [`join_children`] writes.
///
/// # Errors
/// As [`unescape_segment`].
pub fn split_children(data: &str) -> Result<Vec<String>, LocUriError> {
    let data = data.trim();
    if data.is_empty() {
        return Ok(Vec::new());
    }
    data.split('/').map(unescape_segment).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn vendor_without_scope_means_device() {
        let short = LocUri::parse("./Vendor/MSFT/WiFi").unwrap();
        assert_eq!(short, LocUri::parse("./Device/Vendor/MSFT/WiFi").unwrap());
        assert_eq!(short.to_string(), "./Device/Vendor/MSFT/WiFi");
        assert_ne!(short, LocUri::parse("./User/Vendor/MSFT/WiFi").unwrap());
        assert_eq!(LocUri::parse("./DevInfo/DevId").unwrap().to_string(), "./DevInfo/DevId");
        assert_eq!(LocUri::parse("./Device/User/x").unwrap().to_string(), "./Device/User/x");
    }

    #[test]
    fn escapes_are_undone_per_name() {
        let uri = LocUri::parse("./Vendor/MSFT/WiFi/Profile/My%20net%2F5G%C3%A4").unwrap();
        assert_eq!(uri.name(), Some("My net/5Gä"));
        assert_eq!(uri.depth(), 5);
        assert_eq!(uri.to_string(), "./Device/Vendor/MSFT/WiFi/Profile/My%20net%2F5G%C3%A4");
        assert_eq!(escape_segment("{1-2}"), "%7B1-2%7D");
    }

    #[test]
    fn wrong_addresses_are_refused() {
        for (text, why) in [
            ("/Vendor/MSFT", LocUriError::NotFromRoot),
            ("Vendor/MSFT", LocUriError::NotFromRoot),
            ("", LocUriError::NotFromRoot),
            ("./Vendor//MSFT", LocUriError::Name),
            ("./Vendor/./MSFT", LocUriError::Name),
            ("./Vendor/../MSFT", LocUriError::Name),
            ("./Vendor/%2e%2E/MSFT", LocUriError::Name),
            ("./Vendor/*", LocUriError::Name),
            ("./Vendor/", LocUriError::Name),
            ("./Vendor/%2", LocUriError::Escape),
            ("./Vendor/%ZZ", LocUriError::Escape),
            ("./Vendor/%FF", LocUriError::Escape),
            ("./Vendor/%00", LocUriError::Escape),
            ("./Vendor?list=All", LocUriError::Listing),
        ] {
            assert_eq!(LocUri::parse(text), Err(why), "{text}");
        }
        assert_eq!(LocUri::parse(&format!("./{}", "a".repeat(3000))), Err(LocUriError::TooLong));
        assert_eq!(LocUri::parse(&format!(".{}", "/a".repeat(40))), Err(LocUriError::TooLong));
    }

    #[test]
    fn listing_is_kept_apart_from_the_node() {
        let uri = LocUri::parse("./Vendor/MSFT/WiFi?list=StructData").unwrap();
        assert_eq!(uri.listing(), Some(Listing::StructData));
        assert!(uri.same_node(&LocUri::parse("./Vendor/MSFT/wifi").unwrap()));
        assert_eq!(uri.to_string(), "./Device/Vendor/MSFT/WiFi?list=StructData");
    }

    proptest! {
        #[test]
        fn reads_what_it_writes(names in prop::collection::vec("[^\\p{Cc}]{1,12}", 1..6), user: bool) {
            prop_assume!(names.iter().all(|name| !matches!(name.as_str(), "*" | "." | ".." )));
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let uri = LocUri::new(if user { Scope::User } else { Scope::Device }, &names);
            prop_assert_eq!(LocUri::parse(&uri.to_string()).unwrap(), uri);
        }

        #[test]
        fn children_are_read_as_written(names in prop::collection::vec("[a-z/ {}%ä]{1,9}", 0..6)) {
            let data = join_children(names.iter().map(String::as_str));
            prop_assert_eq!(split_children(&data).unwrap(), names);
        }

        #[test]
        fn any_text_is_read_without_panic(text: String) {
            let _ = LocUri::parse(&text);
        }
    }
}

//! Subject alternative names.

use std::{fmt, net::IpAddr, str::FromStr};

use crate::{id::IdError, oid::Oid};

/// One subject alternative name (RFC 5280, section 4.2.1.6), in canonical form: domain parts lower case, no trailing dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubjectAltName {
    /// dNSName, in A-label form.
    Dns(String),
    /// rfc822Name.
    Email(String),
    /// uniformResourceIdentifier, absolute.
    Uri(String),
    /// iPAddress.
    Ip(IpAddr),
    /// otherName with a Microsoft user principal name (1.3.6.1.4.1.311.20.2.3).
    Upn(String),
    /// A kind Lanyard never issues (another otherName, directoryName, …): what stands here compares unequal to every
    /// record, so a request that carries it is refused. The text tells the kind.
    Unsupported(String),
}

/// Microsoft user principal name, an otherName.
pub const UPN: Oid = Oid::new("1.3.6.1.4.1.311.20.2.3");

/// The kinds of [`SubjectAltName`] that can be issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SanKind {
    /// dNSName.
    Dns,
    /// rfc822Name.
    Email,
    /// uniformResourceIdentifier.
    Uri,
    /// iPAddress.
    Ip,
    /// User principal name.
    Upn,
}

impl SanKind {
    /// The kind as written in `type:value`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Email => "email",
            Self::Uri => "uri",
            Self::Ip => "ip",
            Self::Upn => "upn",
        }
    }
}

impl SubjectAltName {
    /// A checked dNSName: labels of letters, digits, hyphens and underscores, at most 253 characters; `*` only as a whole first label.
    #[must_use]
    pub fn dns(name: &str) -> Option<Self> {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let label = |l: &str| {
            (1..=63).contains(&l.len())
                && !l.starts_with('-')
                && !l.ends_with('-')
                && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        let rest = name.strip_prefix("*.").unwrap_or(&name);
        (name.len() <= 253 && rest.split('.').all(label)).then_some(Self::Dns(name))
    }

    /// A checked rfc822Name: ASCII, one `@`, a domain; the domain is lower-cased, the local part kept.
    #[must_use]
    pub fn email(address: &str) -> Option<Self> {
        let (local, domain) = address.rsplit_once('@')?;
        let good = !local.is_empty()
            && local.len() <= 64
            && local.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'@' | b'<' | b'>' | b'"' | b','));
        match Self::dns(domain)? {
            Self::Dns(domain) if good => Some(Self::Email(format!("{local}@{domain}"))),
            _ => None,
        }
    }

    /// A checked absolute URI: ASCII, a scheme, no spaces.
    #[must_use]
    pub fn uri(uri: &str) -> Option<Self> {
        let (scheme, rest) = uri.split_once(':')?;
        let scheme_good = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        let good = scheme_good && !rest.is_empty() && uri.len() <= 1024 && uri.bytes().all(|b| b.is_ascii_graphic());
        good.then(|| Self::Uri(uri.to_owned()))
    }

    /// A checked user principal name: `name@domain` without control characters; the domain is lower-cased.
    #[must_use]
    pub fn upn(name: &str) -> Option<Self> {
        let (user, domain) = name.rsplit_once('@')?;
        let good = !user.is_empty() && user.len() <= 256 && !user.contains(|c: char| c.is_control() || c == '@');
        match Self::dns(domain)? {
            Self::Dns(domain) if good => Some(Self::Upn(format!("{user}@{domain}"))),
            _ => None,
        }
    }

    /// The kind, `None` for what is never issued.
    #[must_use]
    pub const fn kind(&self) -> Option<SanKind> {
        match self {
            Self::Dns(_) => Some(SanKind::Dns),
            Self::Email(_) => Some(SanKind::Email),
            Self::Uri(_) => Some(SanKind::Uri),
            Self::Ip(_) => Some(SanKind::Ip),
            Self::Upn(_) => Some(SanKind::Upn),
            Self::Unsupported(_) => None,
        }
    }

    /// From kind and value; `None` when the value is not of that kind.
    #[must_use]
    pub fn of_kind(kind: SanKind, value: &str) -> Option<Self> {
        match kind {
            SanKind::Dns => Self::dns(value),
            SanKind::Email => Self::email(value),
            SanKind::Uri => Self::uri(value),
            SanKind::Ip => value.parse().ok().map(Self::Ip),
            SanKind::Upn => Self::upn(value),
        }
    }

    /// The value without its kind.
    #[must_use]
    pub fn value(&self) -> String {
        match self {
            Self::Dns(v) | Self::Email(v) | Self::Uri(v) | Self::Upn(v) | Self::Unsupported(v) => v.clone(),
            Self::Ip(ip) => ip.to_string(),
        }
    }
}

/// `type:value`, such as `dns:laptop-7.example.org`.
impl fmt::Display for SubjectAltName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind().map_or("unsupported", SanKind::as_str);
        write!(f, "{kind}:{}", self.value())
    }
}

impl FromStr for SubjectAltName {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let kind_and_value = text.split_once(':').and_then(|(kind, value)| {
            let kind = match kind.to_ascii_lowercase().as_str() {
                "dns" => SanKind::Dns,
                "email" | "rfc822" => SanKind::Email,
                "uri" => SanKind::Uri,
                "ip" => SanKind::Ip,
                "upn" => SanKind::Upn,
                _ => return None,
            };
            Self::of_kind(kind, value)
        });
        kind_and_value.ok_or_else(|| IdError {
            kind: "subject alternative name",
            text: crate::text::printable(text),
            expected: "dns:NAME, email:ADDRESS, uri:URI, ip:ADDRESS or upn:NAME@DOMAIN",
        })
    }
}

crate::serde_as_text!(SubjectAltName);

/// Both lists hold the same names, each as often, in any order.
#[must_use]
pub fn same_set(a: &[SubjectAltName], b: &[SubjectAltName]) -> bool {
    let sorted = |list: &[SubjectAltName]| {
        let mut list: Vec<_> = list.to_vec();
        list.sort();
        list
    };
    a.len() == b.len() && sorted(a) == sorted(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_canonical() {
        let san: Result<SubjectAltName, _> = "dns:Laptop-7.Example.ORG.".parse();
        assert_eq!(san.map(|s| s.to_string()), Ok("dns:laptop-7.example.org".to_owned()));
        let san: Result<SubjectAltName, _> = "email:Jo.Doe@Example.ORG".parse();
        assert_eq!(san.map(|s| s.to_string()), Ok("email:Jo.Doe@example.org".to_owned()));
    }

    #[test]
    fn impossible_names_are_refused() {
        for bad in [
            "dns:",
            "dns:a b",
            "dns:-a",
            "dns:a..b",
            "dns:a\0b",
            "email:@x",
            "email:a@",
            "uri:/x",
            "ip:300.1.1.1",
            "x:y",
            "dns:ü.example",
        ] {
            assert!(bad.parse::<SubjectAltName>().is_err(), "{bad:?}");
        }
    }
}

//! GeneralNames (RFC 5280, section 4.2.1.6).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lanyard_model::san::{SubjectAltName, UPN};

use crate::{
    error::PkiError,
    tlv::{Element, Reader, tag},
    write,
};

/// Most names a list may have.
pub const MAX_NAMES: usize = 100;

/// Reads the value of a subjectAltName extension. Kinds that Lanyard never issues become [`SubjectAltName::Unsupported`].
///
/// # Errors
/// [`PkiError::Malformed`], [`PkiError::Limit`] above [`MAX_NAMES`].
pub fn decode(value: &[u8]) -> Result<Vec<SubjectAltName>, PkiError> {
    let mut reader = Reader::sequence_of(value, "subjectAltName")?;
    let mut names = Vec::new();
    while !reader.is_empty() {
        if names.len() == MAX_NAMES {
            return Err(PkiError::Limit { what: "number of subject alternative names", limit: MAX_NAMES });
        }
        names.push(one(&reader.any()?)?);
    }
    Ok(names)
}

fn one(element: &Element<'_>) -> Result<SubjectAltName, PkiError> {
    let malformed = PkiError::Malformed { what: "subjectAltName", at: element.at };
    let ascii = || {
        let text = element.contents.is_ascii().then(|| std::str::from_utf8(element.contents).ok()).flatten();
        text.ok_or(malformed.clone())
    };
    let odd = |kind: &str, text: &str| SubjectAltName::Unsupported(format!("{kind} {}", text.escape_debug()));
    Ok(match element.tag {
        0x81 => ascii().map(|t| SubjectAltName::email(t).unwrap_or_else(|| odd("email", t)))?,
        0x82 => ascii().map(|t| SubjectAltName::dns(t).unwrap_or_else(|| odd("dns", t)))?,
        0x86 => ascii().map(|t| SubjectAltName::uri(t).unwrap_or_else(|| odd("uri", t)))?,
        0x87 => match (<[u8; 4]>::try_from(element.contents), <[u8; 16]>::try_from(element.contents)) {
            (Ok(v4), _) => SubjectAltName::Ip(IpAddr::V4(Ipv4Addr::from(v4))),
            (_, Ok(v6)) => SubjectAltName::Ip(IpAddr::V6(Ipv6Addr::from(v6))),
            _ => return Err(malformed),
        },
        0xa0 => {
            let mut other = element.reader("otherName");
            let oid = other.oid()?;
            let mut value = other.expect(tag::context(0))?.reader("otherName");
            let inner = value.any()?;
            value.finish()?;
            other.finish()?;
            if oid == UPN && inner.tag == tag::UTF8_STRING {
                let text = crate::name::string(&inner, "otherName")?;
                SubjectAltName::upn(&text).unwrap_or_else(|| odd("upn", &text))
            } else {
                SubjectAltName::Unsupported(format!("otherName {oid}"))
            }
        }
        other => SubjectAltName::Unsupported(format!("choice [{}]", other & 0x1f)),
    })
}

/// Writes the value of a subjectAltName extension. [`SubjectAltName::Unsupported`] is never written.
#[must_use]
pub fn encode(names: &[SubjectAltName]) -> Vec<u8> {
    let parts: Vec<Vec<u8>> = names
        .iter()
        .filter_map(|name| {
            Some(match name {
                SubjectAltName::Email(text) => write::element(0x81, text.as_bytes()),
                SubjectAltName::Dns(text) => write::element(0x82, text.as_bytes()),
                SubjectAltName::Uri(text) => write::element(0x86, text.as_bytes()),
                SubjectAltName::Ip(IpAddr::V4(ip)) => write::element(0x87, &ip.octets()),
                SubjectAltName::Ip(IpAddr::V6(ip)) => write::element(0x87, &ip.octets()),
                SubjectAltName::Upn(text) => {
                    write::constructed(0xa0, &[write::oid(UPN), write::explicit(0, &write::utf8_string(text))])
                }
                SubjectAltName::Unsupported(_) => return None,
            })
        })
        .collect();
    write::sequence(&parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_what_they_write() {
        let names: Vec<SubjectAltName> = [
            "dns:a.example.org",
            "email:jo@example.org",
            "uri:urn:uuid:1",
            "ip:192.0.2.7",
            "ip:2001:db8::1",
            "upn:jo@example.org",
        ]
        .iter()
        .map(|t| t.parse().unwrap())
        .collect();
        assert_eq!(decode(&encode(&names)).unwrap(), names);
    }

    #[test]
    fn names_that_are_never_issued_are_marked() {
        let value = write::sequence(&[write::element(0x88, &[0x2a]), write::element(0x82, b"a b")]);
        assert!(decode(&value).unwrap().iter().all(|n| matches!(n, SubjectAltName::Unsupported(_))));
    }
}

//! SSLCLIENTCERTSEARCHCRITERIA: which certificate the device shows in TLS.

use super::Store;

/// `Subject=<escaped DN>&Stores=My%5CUser`. The XML escapes the ampersand once more, and only once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchCriteria {
    /// Subject as a text such as `CN=…`, not escaped.
    pub subject: String,
    /// Store, if it is named.
    pub store: Option<Store>,
}

impl SearchCriteria {
    pub(super) fn encode(&self) -> String {
        let mut text = format!("Subject={}", escape(&self.subject));
        if let Some(store) = self.store {
            text.push_str("&Stores=");
            text.push_str(&escape(&format!("My\\{}", store.name())));
        }
        text
    }

    pub(super) fn decode(text: &str) -> Option<Self> {
        let mut subject = None;
        let mut store = None;
        for pair in text.split('&') {
            let (name, value) = pair.split_once('=')?;
            let value = unescape(value)?;
            if name.eq_ignore_ascii_case("Subject") {
                subject = Some(value);
            } else if name.eq_ignore_ascii_case("Stores") {
                store = Some(match value.to_ascii_lowercase().as_str() {
                    "my\\user" => Store::User,
                    "my\\system" => Store::System,
                    _ => return None,
                });
            }
        }
        Some(Self { subject: subject?, store })
    }
}

/// Escapes everything but the unreserved characters of RFC 2396, section 2.3.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&octet) {
            out.push(char::from(octet));
        } else {
            out.push_str(&format!("%{octet:02X}"));
        }
    }
    out
}

fn unescape(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        if octet == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            octets.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            octets.push(octet);
        }
    }
    String::from_utf8(octets).ok()
}

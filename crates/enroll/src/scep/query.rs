//! The raw query of a SCEP URL (RFC 8894, section 4.1).
//!
//! Read by hand: a form decoder turns `+` into a space and so breaks the messages of several clients.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::{accommodation::Accommodation, error::ScepError};

/// Largest pkiMessage in octets.
pub const MAX_MESSAGE: usize = 64 * 1024;
/// Longest query in octets, as NDES is told to allow; a message by GET has at most some 48 kB.
pub const MAX_QUERY: usize = 65_534;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// GetCACaps.
    GetCaCaps,
    /// GetCACert; also GetCAChain of old drafts, which certmonger sends.
    GetCaCert,
    /// GetNextCACert.
    GetNextCaCert,
    /// PKIOperation; the message when it came in the query.
    PkiOperation(Option<Vec<u8>>),
}

/// A query as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query<'a> {
    /// What is asked.
    pub operation: Operation,
    /// `message` of anything but a PKIOperation: the CA's name as the client knows it. It is never needed.
    pub identifier: Option<&'a str>,
    /// What was tolerated.
    pub accommodations: Vec<Accommodation>,
}

/// Reads the raw query (without `?`). `post` tells whether a body follows: then no `operation` means PKIOperation.
///
/// # Errors
/// [`ScepError::Query`], [`ScepError::TooLarge`].
pub fn decode(query: &str, post: bool) -> Result<Query<'_>, ScepError> {
    if query.len() > MAX_QUERY {
        return Err(ScepError::TooLarge { limit: MAX_QUERY });
    }
    let mut operation = None;
    let mut message = None;
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if name.eq_ignore_ascii_case("operation") && operation.is_none() {
            operation = Some(value);
        } else if name.eq_ignore_ascii_case("message") && message.is_none() {
            message = Some(value);
        }
    }
    let plain = |operation| Query { operation, identifier: message, accommodations: Vec::new() };
    let is = |name: &str| operation.is_some_and(|o: &str| o.eq_ignore_ascii_case(name));
    if operation.is_none() && !post {
        return Err(ScepError::Query("has no operation"));
    }
    if operation.is_none() || (post && is("PKIOperation")) {
        return Ok(Query { identifier: None, ..plain(Operation::PkiOperation(None)) });
    }
    if is("PKIOperation") {
        let text = message.filter(|m| !m.is_empty()).ok_or(ScepError::Query("has no message"))?;
        let (message, accommodations) = decode_message(text)?;
        return Ok(Query { operation: Operation::PkiOperation(Some(message)), identifier: None, accommodations });
    }
    if is("GetCACaps") {
        Ok(plain(Operation::GetCaCaps))
    } else if is("GetCACert") || is("GetCAChain") {
        Ok(plain(Operation::GetCaCert))
    } else if is("GetNextCACert") {
        Ok(plain(Operation::GetNextCaCert))
    } else {
        Err(ScepError::Query("asks for an unknown operation"))
    }
}

/// Percent-decodes and base64-decodes a message. `+` stays, a space is taken for `+`, line ends and tabs are dropped, padding may be
/// missing, the URL-safe alphabet is understood.
fn decode_message(text: &str) -> Result<(Vec<u8>, Vec<Accommodation>), ScepError> {
    let fault = ScepError::Query("has a message that is not base64");
    let mut base64 = Vec::with_capacity(text.len());
    let mut accommodations = Vec::new();
    let mut note = |what| {
        if !accommodations.contains(&what) {
            accommodations.push(what);
        }
    };
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        let octet = if octet == b'%' {
            let mut hex = || octets.next().and_then(|h| char::from(h).to_digit(16));
            let (high, low) = (hex().ok_or(fault.clone())?, hex().ok_or(fault.clone())?);
            u8::try_from(high << 4 | low).map_err(|_| fault.clone())?
        } else {
            if matches!(octet, b'+' | b'/') {
                note(Accommodation::RawBase64);
            }
            octet
        };
        match octet {
            b'\r' | b'\n' | b'\t' => note(Accommodation::LinesInQuery),
            // QUIRK(several proxies): decode the `+` that macOS and jscep send raw into a space.
            b' ' => {
                note(Accommodation::SpaceInQuery);
                base64.push(b'+');
            }
            b'-' | b'_' => {
                note(Accommodation::UrlSafeBase64);
                base64.push(if octet == b'-' { b'+' } else { b'/' });
            }
            other => base64.push(other),
        }
    }
    if !base64.len().is_multiple_of(4) {
        note(Accommodation::NoPadding);
    }
    let message = LENIENT.decode(base64).map_err(|_| fault)?;
    if message.len() > MAX_MESSAGE { Err(ScepError::TooLarge { limit: MAX_MESSAGE }) } else { Ok((message, accommodations)) }
}

/// Writes a message for the query of a GET: standard base64, percent-encoded.
#[must_use]
pub fn encode_message(message: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(message).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(query: &str) -> Result<Vec<u8>, ScepError> {
        match decode(&format!("operation=PKIOperation&message={query}"), false)?.operation {
            Operation::PkiOperation(Some(message)) => Ok(message),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rfc8894_4_1_every_spelling_of_one_message_is_the_same_message() {
        let octets = [0xfb, 0xff, 0xfe, 0x00];
        // Encoded, raw, as a form decoder left it, without padding, in lines, URL-safe.
        for text in ["%2B%2F%2F%2BAA%3D%3D", "+//+AA==", " // AA==", "+//+AA", "+//+%0AAA==%0A", "-__-AA", "%2b//%2bAA=="] {
            assert_eq!(message(text).unwrap(), octets, "{text}");
        }
        assert_eq!(message(&encode_message(&octets)).unwrap(), octets);
    }

    #[test]
    fn what_was_tolerated_is_noted_once() {
        let noted = |text: &str| decode(&format!("operation=PKIOperation&message={text}"), false).unwrap().accommodations;
        assert_eq!(noted("%2B%2F%2F%2BAA%3D%3D"), []);
        assert_eq!(noted("+//+AA=="), [Accommodation::RawBase64]);
        assert_eq!(noted("%2B%2F%2F%2B%0AAA%3D%3D%0A"), [Accommodation::LinesInQuery]);
        assert_eq!(noted("AA%20A"), [Accommodation::SpaceInQuery]);
        assert_eq!(noted("-__-AA"), [Accommodation::UrlSafeBase64, Accommodation::NoPadding]);
    }

    #[test]
    fn rfc8894_4_3_post_without_operation_is_pki_operation() {
        assert_eq!(decode("", true).unwrap().operation, Operation::PkiOperation(None));
        assert!(decode("", false).is_err());
    }

    #[test]
    fn identifiers_are_ignored_and_unknown_operations_refused() {
        assert_eq!(decode("operation=GetCACert&message=anything%zz", false).unwrap().operation, Operation::GetCaCert);
        assert_eq!(decode("operation=GetCAChain&message=0", false).unwrap().operation, Operation::GetCaCert);
        assert!(decode("operation=GetEverything", false).is_err());
        for bad in ["", "%", "%4", "%zz", "!!!!"] {
            assert!(message(bad).is_err(), "{bad}");
        }
    }
}

//! The query of an ActiveSync request, in its plain form and in its base64 form ([MS-ASHTTP] sections 2.2.1.1.1.1 and 2.2.1.1.1.2).
//!
//! Both forms must lead to the same answer of the same rule. Whatever cannot be read is told apart from what is not there: a rule decides
//! about it, never a guess.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use lanyard_model::text::{hex, unhex};

/// Longest query that is read, in octets.
const MAX: usize = 8 * 1024;
/// Most octets of one value.
const MAX_VALUE: usize = 1024;
/// Some devices leave the padding out.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// Commands by their code; gaps are codes that are not used.
const COMMANDS: [(u8, &str); 21] = [
    (0, "Sync"),
    (1, "SendMail"),
    (2, "SmartForward"),
    (3, "SmartReply"),
    (4, "GetAttachment"),
    (9, "FolderSync"),
    (10, "FolderCreate"),
    (11, "FolderDelete"),
    (12, "FolderUpdate"),
    (13, "MoveItems"),
    (14, "GetItemEstimate"),
    (15, "MeetingResponse"),
    (16, "Search"),
    (17, "Settings"),
    (18, "Ping"),
    (19, "ItemOperations"),
    (20, "Provision"),
    (21, "ResolveRecipients"),
    (22, "ValidateCert"),
    (23, "Find"),
    (24, "GetHierarchy"),
];

/// What a query says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Command, spelt as the specification does where it is known.
    pub command: Option<String>,
    /// Device, as the device calls itself: text of ASCII, or hexadecimal where it is not text.
    pub device_id: Option<String>,
    /// Its kind, such as `SmartPhone`.
    pub device_type: Option<String>,
    /// The user as the device writes it. For the log only: nobody has proved it.
    pub user: Option<String>,
    /// Version of the protocol in the base64 form, times ten: 141 is 14.1.
    pub version: Option<u8>,
    /// Policy key in the base64 form.
    pub policy_key: Option<u32>,
    /// Whether it was in the base64 form.
    pub encoded: bool,
}

/// The query can be read in neither form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ActiveSync query cannot be read: {0}")]
pub struct QueryError(&'static str);

/// Reads a query; an absent or empty one, as OPTIONS has it, says nothing.
///
/// # Errors
/// [`QueryError`].
pub fn read(query: Option<&str>) -> Result<Query, QueryError> {
    match query {
        None | Some("") => Ok(Query::default()),
        Some(query) if query.len() > MAX => Err(QueryError("too long")),
        Some(query) if is_plain(query) => plain(query),
        Some(query) => encoded(query),
    }
}

/// The plain form has names; base64 has `=` only at its end.
fn is_plain(query: &str) -> bool {
    query
        .split('&')
        .any(|pair| pair.split_once('=').is_some_and(|(name, value)| !name.is_empty() && !value.trim_matches('=').is_empty()))
        || query.contains('&')
}

fn plain(query: &str) -> Result<Query, QueryError> {
    let mut out = Query::default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let place = match name.to_ascii_lowercase().as_str() {
            "cmd" => &mut out.command,
            "deviceid" => &mut out.device_id,
            "devicetype" => &mut out.device_type,
            "user" => &mut out.user,
            _ => continue,
        };
        let value = unescape(value).ok_or(QueryError("a value is not percent-encoded text"))?;
        // Twice the same name: the back end might take the other one.
        if place.replace(value).is_some() {
            return Err(QueryError("a name stands twice"));
        }
    }
    if let Some(command) = &mut out.command
        && let Some((_, known)) = COMMANDS.iter().find(|(_, known)| known.eq_ignore_ascii_case(command))
    {
        *command = (*known).to_owned();
    }
    Ok(out)
}

fn encoded(query: &str) -> Result<Query, QueryError> {
    let text = unescape(query).ok_or(QueryError("it is not percent-encoded"))?;
    // `+` is a letter of base64 here, not a space.
    let octets = LENIENT.decode(text.replace(' ', "+")).map_err(|_| QueryError("it is neither plain nor base64"))?;
    let mut rest = octets.as_slice();
    let mut out = Query { encoded: true, version: Some(octet(&mut rest)?), ..Query::default() };
    let code = octet(&mut rest)?;
    let known = COMMANDS.iter().find(|(number, _)| *number == code).map(|(_, name)| (*name).to_owned());
    out.command = Some(known.unwrap_or_else(|| format!("command {code}")));
    take(&mut rest, 2)?;
    out.device_id = name(counted(&mut rest)?);
    out.policy_key = match counted(&mut rest)? {
        [] => None,
        [a, b, c, d] => Some(u32::from_le_bytes([*a, *b, *c, *d])),
        _ => return Err(QueryError("the policy key has not four octets")),
    };
    out.device_type = name(counted(&mut rest)?);
    while !rest.is_empty() {
        let tag = octet(&mut rest)?;
        let value = counted(&mut rest)?;
        if tag == 8 {
            let user = std::str::from_utf8(value).map_err(|_| QueryError("the user is not UTF-8"))?;
            if out.user.replace(user.to_owned()).is_some() {
                return Err(QueryError("the user stands twice"));
            }
        }
    }
    Ok(out)
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], QueryError> {
    let (taken, left) = rest.split_at_checked(count).ok_or(QueryError("it ends too early"))?;
    *rest = left;
    Ok(taken)
}

fn octet(rest: &mut &[u8]) -> Result<u8, QueryError> {
    take(rest, 1)?.first().copied().ok_or(QueryError("it ends too early"))
}

fn counted<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], QueryError> {
    let count = usize::from(octet(rest)?);
    take(rest, count)
}

/// A name as text; what is not printable ASCII, in hexadecimal. An empty one is none.
fn name(octets: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(octets).ok().filter(|text| text.bytes().all(|b| b.is_ascii_graphic()));
    (!octets.is_empty()).then(|| text.map_or_else(|| hex(octets), str::to_owned))
}

fn unescape(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        out.push(match octet {
            b'%' => {
                let mut digit = || octets.next().and_then(|d| char::from(d).to_digit(16));
                u8::try_from(digit()? << 4 | digit()?).ok()?
            }
            b'+' => b' ',
            other => other,
        });
    }
    (out.len() <= MAX_VALUE.max(text.len())).then_some(())?;
    String::from_utf8(out).ok().filter(|text| !text.chars().any(char::is_control))
}

/// Whether two names are of one device: case does not count, and some servers write the octets of a name in hexadecimal.
#[must_use]
pub fn same_device(one: &str, other: &str) -> bool {
    let written = |name: &str| unhex(name).and_then(|octets| String::from_utf8(octets).ok());
    one.eq_ignore_ascii_case(other)
        || written(one).is_some_and(|name| name.eq_ignore_ascii_case(other))
        || written(other).is_some_and(|name| name.eq_ignore_ascii_case(one))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD as BASE64;

    #[test]
    fn ms_ashttp_both_forms_say_the_same() {
        let plain = read(Some("Cmd=Sync&User=corp%5Calice&DeviceId=v140Device&DeviceType=SmartPhone")).unwrap();
        assert_eq!(plain.command.as_deref(), Some("Sync"));
        assert_eq!(plain.user.as_deref(), Some("corp\\alice"));
        let encoded = read(Some("jAAJBAp2MTQwRGV2aWNlAApTbWFydFBob25l")).unwrap();
        assert_eq!((encoded.version, encoded.policy_key, encoded.encoded), (Some(140), None, true));
        for query in [&plain, &encoded] {
            assert_eq!(query.device_id.as_deref(), Some("v140Device"));
            assert_eq!(query.device_type.as_deref(), Some("SmartPhone"));
            assert_eq!(query.command.as_deref(), Some("Sync"));
        }
        assert_eq!(read(Some("devicetype=SP&CMD=foldersync&DEVICEID=x")).unwrap().command.as_deref(), Some("FolderSync"));
        assert_eq!(read(None).unwrap(), Query::default());
    }

    #[test]
    fn ms_ashttp_base64_comes_padded_escaped_and_with_options() {
        let mut octets = vec![0x8d, 18, 9, 4, 1, b'D', 4, 1, 2, 3, 4, 2, b'S', b'P', 7, 1, 3, 8, 5];
        octets.extend_from_slice(b"alice");
        let text = BASE64.encode(&octets);
        for form in [
            text.clone(),
            text.trim_end_matches('=').to_owned(),
            text.replace('=', "%3D").replace('+', "%2B").replace('/', "%2F"),
        ] {
            let query = read(Some(&form)).unwrap();
            assert_eq!(query.command.as_deref(), Some("Ping"), "{form}");
            assert_eq!(query.policy_key, Some(0x0403_0201));
            assert_eq!(query.user.as_deref(), Some("alice"));
        }
    }

    #[test]
    fn bad_lengths_and_doubled_names_are_errors() {
        let whole = [0x8c, 0, 9, 4, 3, b'a', b'b', b'c', 0, 2, b'S', b'P', 8, 2, b'u', b'v'];
        for cut in 1..whole.len() {
            // Where an optional part begins the query may also end.
            assert_eq!(read(Some(&BASE64.encode(&whole[..cut]))).is_ok(), cut == 12, "{cut}");
        }
        assert!(read(Some(&BASE64.encode([0x8c, 0, 9, 4, 255, 1, 2]))).is_err());
        assert!(read(Some(&BASE64.encode([0x8c, 0, 9, 4, 1, b'a', 3, 1, 2, 3, 1, b'b']))).is_err());
        for odd in ["Cmd=Sync&Cmd=Ping", "DeviceId=a&deviceid=b&Cmd=Sync", "Cmd=%zz&x=1", "!!!!", "Cmd=%00a"] {
            assert!(read(Some(odd)).is_err(), "{odd}");
        }
        assert!(read(Some(&"A".repeat(9000))).is_err());
    }

    #[test]
    fn one_device_has_two_spellings() {
        assert!(same_device("HPROV1", "4850524F5631") && same_device("4850524f5631", "hprov1") && same_device("a", "A"));
        assert!(!same_device("a", "b"));
    }
}

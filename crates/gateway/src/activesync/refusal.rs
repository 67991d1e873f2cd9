//! What a device is told that may not synchronise ([MS-ASCMD] section 2.2.2): up to version 12.1 HTTP 403, from 14.0 on HTTP 200 with a status in
//! the body.

use bytes::Bytes;

use super::query::Query;
use crate::decide::denial::Reason;

/// First version that has the status in the body, in tenths.
const IN_BODY: u32 = 140;

/// Commands with the code page, the token of the root and the token of its Status ([MS-ASWBXML] section 2.1.2.1).
const COMMANDS: [(&str, u8, u8, u8); 6] = [
    ("Sync", 0, 0x05, 0x0e),
    ("FolderSync", 7, 0x16, 0x0c),
    ("GetItemEstimate", 6, 0x05, 0x0a),
    ("Ping", 13, 0x05, 0x07),
    ("ItemOperations", 20, 0x05, 0x0d),
    ("Search", 15, 0x05, 0x0c),
];

/// The body for a refusal; `None` where HTTP says it.
#[must_use]
pub fn body(query: &Query, version_field: Option<&str>, reason: Reason) -> Option<Bytes> {
    let status = match reason {
        Reason::DeviceRefused | Reason::DeviceBlocked => "129",
        Reason::DeviceQuarantined => "130",
        _ => return None,
    };
    let version = query.version.map(u32::from).or_else(|| {
        let (major, minor) = version_field?.trim().split_once('.')?;
        Some(major.parse::<u32>().ok()?.checked_mul(10)?.saturating_add(minor.parse::<u32>().ok()?))
    });
    let new = version.is_some_and(|version| version >= IN_BODY);
    let (_, page, root, place) = COMMANDS.iter().find(|(name, ..)| query.command.as_deref() == Some(*name)).filter(|_| new)?;
    let mut out = vec![0x03, 0x01, 0x6a, 0x00];
    if *page != 0 {
        out.extend_from_slice(&[0x00, *page]);
    }
    out.extend_from_slice(&[root | 0x40, place | 0x40, 0x03]);
    out.extend_from_slice(status.as_bytes());
    out.extend_from_slice(&[0x00, 0x01, 0x01]);
    Some(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ms_ascmd_new_devices_read_the_status_and_old_ones_the_number() {
        let plain = Query { command: Some("FolderSync".into()), ..Query::default() };
        let told = body(&plain, Some("14.1"), Reason::DeviceRefused).unwrap();
        assert_eq!(&told[..], b"\x03\x01\x6a\x00\x00\x07\x56\x4c\x03129\x00\x01\x01");
        assert!(body(&plain, Some("12.1"), Reason::DeviceRefused).is_none());
        assert!(body(&plain, None, Reason::DeviceRefused).is_none());
        let encoded = Query { version: Some(140), ..plain.clone() };
        assert!(body(&encoded, None, Reason::DeviceQuarantined).is_some());
        assert!(body(&Query { version: Some(121), ..plain.clone() }, None, Reason::DeviceQuarantined).is_none());
        assert!(body(&plain, Some("14.1"), Reason::CertificateRevoked).is_none());
    }
}

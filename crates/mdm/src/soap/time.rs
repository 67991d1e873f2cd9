//! `xs:dateTime` with a time zone.

use lanyard_model::time::Timestamp;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Reads a time; nothing without a zone.
#[must_use]
pub fn decode(text: &str) -> Option<Timestamp> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok().map(Timestamp)
}

/// Writes a time in UTC, to the second.
pub(super) fn encode(at: Timestamp) -> String {
    at.to_string()
}

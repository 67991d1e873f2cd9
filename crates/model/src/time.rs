//! Points in time and spans of time.

use std::{fmt, ops::Add, ops::Sub, str::FromStr};

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// From whole seconds since the epoch.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Reads RFC 3339.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        OffsetDateTime::parse(text, &Rfc3339).ok().map(|at| Self::from_secs(at.unix_timestamp()))
    }

    /// Whole seconds since the epoch, rounded down (X.509 times have no fractions).
    #[must_use]
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The same time without its fraction of a second.
    #[must_use]
    pub const fn truncated(self) -> Self {
        Self::from_secs(self.secs())
    }

    /// How much later `self` is than `earlier`; zero if it is not later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Span {
        let ms = self.0.saturating_sub(earlier.0);
        Span::from_secs(if ms < 0 { 0 } else { ms / 1000 })
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;

    fn add(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0.saturating_mul(1000)))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Self;

    fn sub(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0.saturating_mul(1000)))
    }
}

/// RFC 3339 in UTC, to the second.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = OffsetDateTime::from_unix_timestamp(self.secs()).ok().and_then(|t| t.format(&Rfc3339).ok());
        match text {
            Some(text) => f.pad(&text),
            None => write!(f, "@{}", self.secs()),
        }
    }
}

/// A span of time in whole seconds, written `90s`, `15m`, `1h`, `365d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(i64);

/// The text is not a span of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a span of time: write a whole number and s, m, h or d, such as 90s, 15m, 1h, 365d")]
pub struct SpanError(pub String);

impl Span {
    /// A share of the span, both ends included, that follows from these octets (of a digest; seven at most count) and is as evenly spread as
    /// they are.
    #[must_use]
    pub fn share(self, octets: &[u8]) -> Self {
        let number = octets.iter().take(7).fold(0_i64, |number, octet| number << 8 | i64::from(*octet));
        Self::from_secs(number.checked_rem(self.secs().saturating_add(1)).unwrap_or(0))
    }

    /// A span of whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds)
    }

    /// A span of whole days of 86,400 seconds.
    #[must_use]
    pub const fn from_days(days: i64) -> Self {
        Self(days.saturating_mul(86_400))
    }

    /// Whole seconds.
    #[must_use]
    pub const fn secs(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, unit) = match self.0 {
            s if s != 0 && s % 86_400 == 0 => (s / 86_400, "d"),
            s if s != 0 && s % 3_600 == 0 => (s / 3_600, "h"),
            s if s != 0 && s % 60 == 0 => (s / 60, "m"),
            s => (s, "s"),
        };
        write!(f, "{value}{unit}")
    }
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let refuse = || SpanError(text.to_owned());
        let (digits, unit) = match text.strip_suffix(['s', 'm', 'h', 'd']) {
            Some(digits) => (digits, text.chars().last()),
            None => return Err(refuse()),
        };
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(refuse());
        }
        let value: i64 = digits.parse().map_err(|_| refuse())?;
        let factor = match unit {
            Some('d') => 86_400,
            Some('h') => 3_600,
            Some('m') => 60,
            _ => 1,
        };
        // A thousand years is beyond every certificate; more is a slip of the keyboard.
        value.checked_mul(factor).filter(|s| *s <= 365_250 * 86_400).map(Span).ok_or_else(refuse)
    }
}

crate::serde_as_text!(Span);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn span_reads_what_it_writes() {
        for text in ["0s", "90s", "15m", "1h", "365d", "25h"] {
            assert_eq!(text.parse::<Span>().map(|s| s.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn span_refuses_what_is_ambiguous() {
        for text in ["", "1", "d", "-1d", "1.5h", "1w", "1 d", "99999999999999999d"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn timestamp_prints_rfc3339() {
        assert_eq!(Timestamp::from_secs(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp::from_rfc3339("1970-01-02T01:00:00+01:00"), Some(Timestamp::from_secs(86_400)));
        assert_eq!(Timestamp::from_rfc3339("yesterday"), None);
    }
}

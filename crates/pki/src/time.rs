//! X.509 times (RFC 5280, section 4.1.2.5).

use lanyard_model::time::Timestamp;
use time::{Date, Month, OffsetDateTime, Time};

use crate::{
    error::PkiError,
    tlv::{Element, tag},
    write::element,
};

/// UTCTime through 2049, GeneralizedTime from 2050 on, in UTC, with seconds.
#[must_use]
pub fn encode(at: Timestamp) -> Vec<u8> {
    let t = OffsetDateTime::from_unix_timestamp(at.secs()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let rest = format!("{:02}{:02}{:02}{:02}{:02}Z", u8::from(t.month()), t.day(), t.hour(), t.minute(), t.second());
    if (1950..2050).contains(&t.year()) {
        element(tag::UTC_TIME, format!("{:02}{rest}", t.year().rem_euclid(100)).as_bytes())
    } else {
        element(tag::GENERALIZED_TIME, format!("{:04}{rest}", t.year()).as_bytes())
    }
}

/// Reads UTCTime or GeneralizedTime in UTC with seconds, whichever of them the year would ask for.
///
/// # Errors
/// [`PkiError::Malformed`].
pub fn decode(element: &Element<'_>, what: &'static str) -> Result<Timestamp, PkiError> {
    let malformed = || PkiError::Malformed { what, at: element.at };
    let text = std::str::from_utf8(element.contents).map_err(|_| malformed())?;
    let digits = text.strip_suffix('Z').ok_or_else(malformed)?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(malformed());
    }
    let (year, rest) = match (element.tag, digits.len()) {
        (tag::UTC_TIME, 12) => {
            let (year, rest) = digits.split_at(2);
            let year: i32 = year.parse().map_err(|_| malformed())?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        (tag::GENERALIZED_TIME, 14) => {
            let (year, rest) = digits.split_at(4);
            (year.parse().map_err(|_| malformed())?, rest)
        }
        _ => return Err(malformed()),
    };
    let mut fields = [0u8; 5];
    for (field, pair) in fields.iter_mut().zip(rest.as_bytes().chunks_exact(2)) {
        *field = pair.iter().fold(0, |acc, d| acc * 10 + (d - b'0'));
    }
    let [month, day, hour, minute, second] = fields;
    let month = Month::try_from(month).map_err(|_| malformed())?;
    let date = Date::from_calendar_date(year, month, day).map_err(|_| malformed())?;
    let time = Time::from_hms(hour, minute, second).map_err(|_| malformed())?;
    Ok(Timestamp::from_secs(date.with_time(time).assume_utc().unix_timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlv::Reader;

    #[test]
    fn rfc5280_4_1_2_5_form_depends_on_the_year() {
        for (seconds, form) in [(0, tag::UTC_TIME), (2_524_607_999, tag::UTC_TIME), (2_524_608_000, tag::GENERALIZED_TIME)] {
            let encoded = encode(Timestamp::from_secs(seconds));
            let element = Reader::new(&encoded, "time").any().unwrap();
            assert_eq!(element.tag, form);
            assert_eq!(decode(&element, "time").unwrap(), Timestamp::from_secs(seconds));
        }
    }

    #[test]
    fn impossible_times_are_refused() {
        for bad in ["991301000000Z", "990230000000Z", "9901010000Z", "990101000000", "990101000000+0100", "99010100000xZ"] {
            let encoded = element(tag::UTC_TIME, bad.as_bytes());
            assert!(decode(&Reader::new(&encoded, "time").any().unwrap(), "time").is_err(), "{bad}");
        }
    }
}

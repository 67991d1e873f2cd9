//! What is odd about a certificate that was read all the same.
//!
//! Clients of SCEP make their first signer certificates themselves, and not all of them well. Such a certificate authenticates nothing:
//! it carries a key and the name its owner goes by.

use lanyard_model::time::Span;

use super::Certificate;
use crate::{
    extension, oids,
    tlv::{Reader, tag},
};

/// From this length on a validity counts as meant for ever.
const VERY_LONG: Span = Span::from_days(50 * 365);
/// Most octets of a serial number (RFC 5280, section 4.1.2.2).
const MAX_SERIAL: usize = 20;

/// One departure from RFC 5280.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Oddity {
    /// Version 1 written out, though it is the default (certmonger).
    Version1Written,
    /// A serial number of more than 20 octets, or one that is not positive (certmonger).
    Serial,
    /// GeneralizedTime for a year before 2050 (certmonger).
    GeneralizedTime,
    /// Valid for half a century or more (certmonger).
    VeryLong,
    /// A critical authorityKeyIdentifier (Windows).
    CriticalAuthorityKeyIdentifier,
}

/// What is odd about a certificate, each once.
#[must_use]
pub fn oddities(certificate: &Certificate) -> Vec<Oddity> {
    let mut found = Vec::new();
    if certificate.version_written() == Some(0) {
        found.push(Oddity::Version1Written);
    }
    if certificate.serial().is_none() || certificate.serial_octets().len() > MAX_SERIAL {
        found.push(Oddity::Serial);
    }
    if early_generalized_time(certificate) {
        found.push(Oddity::GeneralizedTime);
    }
    if certificate.validity().is_ok_and(|(first, last)| last.since(first) > VERY_LONG) {
        found.push(Oddity::VeryLong);
    }
    let extensions = certificate.extensions().unwrap_or_default();
    if extension::find(&extensions, oids::AUTHORITY_KEY_IDENTIFIER).is_some_and(|e| e.critical) {
        found.push(Oddity::CriticalAuthorityKeyIdentifier);
    }
    found
}

fn early_generalized_time(certificate: &Certificate) -> bool {
    let mut times = Reader::new(certificate.validity_der(), "validity");
    while let Ok(time) = times.any() {
        if time.tag == tag::GENERALIZED_TIME && time.contents < b"2050".as_slice() {
            return true;
        }
    }
    false
}

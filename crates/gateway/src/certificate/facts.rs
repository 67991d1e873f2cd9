//! What a certificate says about whom it is for.

use lanyard_model::{san::SubjectAltName, serial::SerialNumber};
use lanyard_pki::{
    certificate::Certificate,
    error::PkiError,
    extension, oids,
    tlv::{Reader, tag},
};

/// Prefix of a subject alternative name that holds a security identifier (Windows, since 2022).
const SID_URI: &str = "tag:microsoft.com,2022-09-14:sid:";
/// Most octets of a security identifier as text.
const MAX_SID: usize = 184;

/// The names in a certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// User principal names.
    pub upns: Vec<String>,
    /// Mail addresses.
    pub emails: Vec<String>,
    /// Security identifiers, of the extension and of a name.
    pub sids: Vec<String>,
    /// Serial number, if it is one that RFC 5280 allows.
    pub serial: Option<SerialNumber>,
    /// Subject, for the log.
    pub subject: String,
}

impl Facts {
    /// Reads them.
    ///
    /// # Errors
    /// [`PkiError`] when an extension cannot be read.
    pub fn of(certificate: &Certificate) -> Result<Self, PkiError> {
        let mut facts = Self {
            serial: certificate.serial(),
            subject: certificate.subject().map(|name| name.to_string()).unwrap_or_default(),
            ..Self::default()
        };
        for name in certificate.subject_alt_names()? {
            match name {
                SubjectAltName::Upn(upn) => facts.upns.push(upn),
                SubjectAltName::Email(email) => facts.emails.push(email),
                SubjectAltName::Uri(uri) => facts.sids.extend(uri.strip_prefix(SID_URI).and_then(sid)),
                _ => {}
            }
        }
        if let Some(found) = extension::find(&certificate.extensions()?, oids::MS_SID) {
            facts.sids.extend(sid_of_extension(&found.value)?);
        }
        facts.sids.sort();
        facts.sids.dedup();
        Ok(facts)
    }
}

/// szOID_NTDS_CA_SECURITY_EXT ([MS-WCCE] section 2.2.2.7.7.4): a sequence of an otherName whose value is the identifier in ASCII.
fn sid_of_extension(value: &[u8]) -> Result<Option<String>, PkiError> {
    const WHAT: &str = "SID extension";
    let mut names = Reader::sequence_of(value, WHAT)?;
    let mut other = names.expect(tag::context(0))?.reader(WHAT);
    other.oid()?;
    let mut wrapped = other.expect(tag::context(0))?.reader(WHAT);
    let text = wrapped.expect(tag::OCTET_STRING)?.contents;
    Ok(std::str::from_utf8(text).ok().and_then(sid))
}

/// A security identifier in its text form.
fn sid(text: &str) -> Option<String> {
    let good =
        text.len() <= MAX_SID && text.starts_with("S-1-") && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'S' | b'-'));
    good.then(|| text.to_owned())
}

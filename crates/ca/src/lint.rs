//! Checking the bytes to be signed against the grant, with another decoder than the one that wrote them.

use der::{Decode, Encode};
use lanyard_model::time::Timestamp;
use lanyard_pki::{extension, general_name, name, oids, spki, time, tlv::Reader, write};
use x509_cert::{TbsCertificate, Version};

use crate::{authority::Authority, error::CaError, prepare::Prepared};

/// Bytes that passed the linter. Made only by [`Prepared::lint`].
pub struct Linted(pub(crate) Prepared);

impl Prepared {
    /// Checks that the bytes say what was granted, nothing more and nothing less, and are DER that an independent decoder reads and
    /// writes back octet by octet.
    ///
    /// # Errors
    /// [`CaError::Lint`] naming what differs.
    pub fn lint(self, authority: &Authority) -> Result<Linted, CaError> {
        let tbs = TbsCertificate::from_der(&self.tbs).map_err(|e| fault(format!("it is not DER ({e})")))?;
        let again = tbs.to_der().map_err(|e| fault(format!("it cannot be written back ({e})")))?;
        demand(again == self.tbs, "it is not written as DER wants")?;
        self.lint_frame(&tbs, authority)?;
        self.lint_extensions(authority)?;
        Ok(Linted(self))
    }

    fn lint_frame(&self, tbs: &TbsCertificate, authority: &Authority) -> Result<(), CaError> {
        let content = &self.content;
        demand(tbs.version() == Version::V3, "its version is not 3")?;
        let serial = tbs.serial_number().as_bytes();
        demand(
            serial == self.serial.magnitude() && serial.len() == 16,
            "its serial number is not the reserved one of 16 octets",
        )?;
        let algorithm = tbs.signature().to_der().map_err(|e| fault(e.to_string()))?;
        demand(algorithm == self.algorithm.identifier(), "its signature algorithm is not the authority's")?;
        let issuer = tbs.issuer().to_der().map_err(|e| fault(e.to_string()))?;
        demand(issuer == authority.certificate().subject_der(), "its issuer is not the authority's subject, octet by octet")?;
        let times = tbs.validity();
        let seconds = |t: &x509_cert::time::Time| i64::try_from(t.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
        demand(seconds(&times.not_before) == content.not_before.secs(), "notBefore is not the granted one")?;
        demand(seconds(&times.not_after) == content.not_after.secs(), "notAfter is not the granted one")?;
        let (first, last) = authority.validity();
        demand(content.not_before >= first && content.not_after <= last, "its validity exceeds the authority's")?;
        demand(content.not_after > content.not_before, "its validity is empty")?;
        self.lint_time_forms()?;
        let subject = tbs.subject().to_der().map_err(|e| fault(e.to_string()))?;
        let read = Reader::sequence_of(&subject, "subject").and_then(name::decode).map_err(|e| fault(e.to_string()))?;
        demand(read == content.subject, "its subject is not the granted one")?;
        name::check(&read).map_err(|e| fault(e.to_string()))?;
        let spki_der = tbs.subject_public_key_info().to_der().map_err(|e| fault(e.to_string()))?;
        let key = spki::decode(&spki_der).map_err(|e| fault(e.to_string()))?;
        demand(key == content.key, "its public key is not the granted one")
    }

    fn lint_time_forms(&self) -> Result<(), CaError> {
        // RFC 5280, section 4.1.2.5: the form follows the year.
        let find = |at: Timestamp| {
            let form = time::encode(at);
            self.tbs.windows(form.len()).any(|w| w == form)
        };
        demand(find(self.content.not_before) && find(self.content.not_after), "a time has the wrong form")
    }

    fn lint_extensions(&self, authority: &Authority) -> Result<(), CaError> {
        let content = &self.content;
        let read = |e: lanyard_pki::error::PkiError| fault(e.to_string());
        let mut fields = Reader::sequence_of(&self.tbs, "certificate").map_err(read)?;
        let mut extensions = None;
        while !fields.is_empty() {
            let element = fields.any().map_err(read)?;
            if element.tag == 0xa3 {
                extensions = Some(
                    extension::decode_all(Reader::sequence_of(element.contents, "extensions").map_err(read)?).map_err(read)?,
                );
            }
        }
        let mut left = extensions.ok_or_else(|| fault("it has no extensions".into()))?;
        let mut take = |oid, critical: bool| {
            let position = left.iter().position(|e| e.oid == oid && e.critical == critical);
            position.map(|p| left.remove(p).value)
        };
        let key_usage = take(oids::KEY_USAGE, true).ok_or_else(|| fault("keyUsage is missing or not critical".into()))?;
        demand(
            extension::decode_key_usage(&key_usage).map_err(read)? == content.usages.key_usage,
            "keyUsage is not the granted one",
        )?;
        demand(extension::encode_key_usage(&content.usages.key_usage) == key_usage, "keyUsage is not written as DER wants")?;
        let purposes = take(oids::EXTENDED_KEY_USAGE, false);
        let purposes = purposes.map(|v| extension::decode_extended_key_usage(&v)).transpose().map_err(read)?.unwrap_or_default();
        demand(purposes == content.usages.extended_key_usage, "extKeyUsage is not the granted one")?;
        let names = take(oids::SUBJECT_ALT_NAME, content.subject.is_empty());
        let names = names.map(|v| general_name::decode(&v)).transpose().map_err(read)?.unwrap_or_default();
        demand(names == content.san, "subjectAltName is not the granted one")?;
        demand(!names.is_empty() || !content.subject.is_empty(), "it names nobody")?;
        let authority_key =
            take(oids::AUTHORITY_KEY_IDENTIFIER, false).and_then(|v| extension::decode_authority_key_identifier(&v));
        demand(authority_key.as_deref() == Some(authority.key_identifier()), "authorityKeyIdentifier is not the authority's")?;
        let subject_key = spki::key_identifier(&content.key.spki).map_err(read)?;
        let subject_key = write::octet_string(&subject_key);
        demand(take(oids::SUBJECT_KEY_IDENTIFIER, false) == Some(subject_key), "subjectKeyIdentifier is not the key's")?;
        let crl = take(oids::CRL_DISTRIBUTION_POINTS, false);
        demand(
            crl == Some(extension::encode_crl_distribution_points(authority.crl_url())),
            "the CRL address is not the authority's",
        )?;
        let issuers = take(oids::AUTHORITY_INFO_ACCESS, false);
        demand(
            issuers == Some(extension::encode_ca_issuers(authority.certificate_url())),
            "the issuer address is not the authority's",
        )?;
        demand(left.is_empty(), "it has an extension that was not granted")
    }
}

fn fault(problem: String) -> CaError {
    CaError::Lint(problem)
}

fn demand(holds: bool, problem: &str) -> Result<(), CaError> {
    if holds { Ok(()) } else { Err(fault(problem.to_owned())) }
}

#[cfg(test)]
mod tests;

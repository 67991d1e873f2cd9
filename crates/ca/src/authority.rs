//! A certification authority that is ready to sign.

use lanyard_model::{id::AuthorityName, time::Timestamp};
use lanyard_pki::{certificate::Certificate, error::PkiError, key::Signer};

use crate::error::CaError;

/// A certification authority: its certificate, its key, and the addresses its certificates name.
pub struct Authority {
    name: AuthorityName,
    certificate: Certificate,
    key_identifier: Vec<u8>,
    not_before: Timestamp,
    not_after: Timestamp,
    signer: Box<dyn Signer>,
    crl_url: String,
    certificate_url: String,
}

impl Authority {
    /// Puts certificate and key together.
    ///
    /// # Errors
    /// [`CaError::Authority`] when they do not belong together or the certificate is not a CA's.
    pub fn new(
        name: AuthorityName,
        certificate: Certificate,
        signer: Box<dyn Signer>,
        crl_url: String,
        certificate_url: String,
    ) -> Result<Self, CaError> {
        let fault = |source| CaError::Authority { what: "certificate", source };
        let mismatch = |problem| fault(PkiError::Key { what: "authority", problem });
        if certificate.spki_der() != signer.public_key().spki {
            return Err(mismatch("it belongs to another certificate"));
        }
        if !certificate.is_ca() {
            return Err(mismatch("its certificate is not a CA's"));
        }
        let key_identifier =
            certificate.subject_key_identifier().ok_or_else(|| mismatch("its certificate has no subjectKeyIdentifier"))?;
        let (not_before, not_after) = certificate.validity().map_err(fault)?;
        Ok(Self { name, certificate, key_identifier, not_before, not_after, signer, crl_url, certificate_url })
    }

    /// Its name in this installation.
    #[must_use]
    pub const fn name(&self) -> &AuthorityName {
        &self.name
    }

    /// Its certificate.
    #[must_use]
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// First and last second of its certificate.
    #[must_use]
    pub const fn validity(&self) -> (Timestamp, Timestamp) {
        (self.not_before, self.not_after)
    }

    /// Where its CRL is published.
    #[must_use]
    pub fn crl_url(&self) -> &str {
        &self.crl_url
    }

    /// Where its certificate is published.
    #[must_use]
    pub fn certificate_url(&self) -> &str {
        &self.certificate_url
    }

    /// Whether its signatures are made in this process, by a key in memory.
    #[must_use]
    pub fn signs_in_process(&self) -> bool {
        self.signer.is_in_process()
    }

    pub(crate) fn key_identifier(&self) -> &[u8] {
        &self.key_identifier
    }

    pub(crate) fn signer(&self) -> &dyn Signer {
        self.signer.as_ref()
    }
}

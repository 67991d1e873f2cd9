//! Verifying certificates.

use lanyard_model::{key::PublicKey, time::Timestamp};

use super::Certificate;
use crate::{crypto::verify::verify, error::PkiError, signature::Digest};

impl Certificate {
    /// Verifies that this key signed the certificate. SHA-1 signatures never count.
    ///
    /// # Errors
    /// [`PkiError::BadSignature`], [`PkiError::Unsupported`].
    pub fn verify_signed_by(&self, issuer: &PublicKey) -> Result<(), PkiError> {
        let algorithm = self.signature_algorithm()?;
        if algorithm.digest() == Digest::Sha1 {
            return Err(PkiError::Unsupported { what: "certificate signature", value: "SHA-1".into() });
        }
        verify(issuer, algorithm, self.tbs(), self.signature(), "certificate")
    }

    /// Verifies that `issuer` issued this certificate: names join, `issuer` is a CA, its key signed.
    ///
    /// # Errors
    /// [`PkiError::BadSignature`], [`PkiError::Unsupported`].
    pub fn verify_issued_by(&self, issuer: &Self) -> Result<(), PkiError> {
        if self.issuer_der() != issuer.subject_der() || !issuer.is_ca() {
            return Err(PkiError::BadSignature { what: "certificate" });
        }
        self.verify_signed_by(&issuer.public_key()?)
    }
}

/// Longest chain that is followed.
const MAX_CHAIN: usize = 8;

/// Orders the certificates between `leaf` and a trust anchor, leaf first, anchor last; every signature and validity on the way is verified.
///
/// # Errors
/// [`PkiError::BadSignature`] when no chain reaches an anchor.
pub fn build_chain<'a>(
    leaf: &'a Certificate,
    intermediates: &'a [Certificate],
    anchors: &'a [Certificate],
    now: Timestamp,
) -> Result<Vec<&'a Certificate>, PkiError> {
    let mut chain = vec![leaf];
    while chain.len() <= MAX_CHAIN {
        let Some(last) = chain.last().copied() else { break };
        if !last.is_valid_at(now) {
            break;
        }
        if anchors.iter().any(|a| a.der() == last.der()) {
            return Ok(chain);
        }
        let candidates = anchors.iter().chain(intermediates);
        let next =
            candidates.filter(|c| !chain.iter().any(|seen| seen.der() == c.der())).find(|c| last.verify_issued_by(c).is_ok());
        match next {
            Some(issuer) => chain.push(issuer),
            None => break,
        }
    }
    Err(PkiError::BadSignature { what: "certificate chain" })
}

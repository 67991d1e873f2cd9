//! Believing GetNextCACert (RFC 8894, section 4.7.1).

use lanyard_model::time::Timestamp;
use lanyard_pki::{cms::signed::SignedData, oids, signature::Digest};

use super::trust::CaCertificates;
use crate::scep::error::ScepError;

/// Verifies the answer to GetNextCACert by the certificate that signs replies now, and then the certificates in it under the pinned CA
/// with this SHA-256 fingerprint. A rollover to another root cannot be verified so and is refused.
///
/// # Errors
/// [`ScepError::Reply`] when the signature does not hold; [`ScepError::CaCertificates`].
pub fn next_ca_certificates(
    body: &[u8],
    current: &CaCertificates,
    fingerprint: &[u8; 32],
    now: Timestamp,
) -> Result<CaCertificates, ScepError> {
    let refuse = |why: &str| ScepError::Reply(why.to_owned());
    let signed = SignedData::decode(body).map_err(|e| ScepError::Reply(format!("it cannot be read ({e})")))?;
    let signer = signed.signers.first().ok_or_else(|| refuse("it is not signed"))?;
    if !signer.identifier.names(&current.signing) || signer.digest == Digest::Sha1 {
        return Err(refuse("it is not signed by the certificate that signs replies"));
    }
    let key = current.signing.public_key().map_err(|e| ScepError::Reply(format!("the server's key cannot be used ({e})")))?;
    let content = signed.content.as_deref().unwrap_or_default();
    signer.verify(&key, oids::DATA, content).map_err(|_| refuse("its signature does not verify"))?;
    CaCertificates::decode(content, fingerprint, now)
}

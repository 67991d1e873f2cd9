//! Believing GetCACert (RFC 8894, sections 2.2 and 4.2).

use lanyard_model::{
    oid::Oid,
    time::Timestamp,
    usage::{ExtendedKeyUsage, KeyUsage, KeyUsages},
};
use lanyard_pki::{
    certificate::{Certificate, pkix::build_chain},
    cms::signed::SignedData,
    crypto::digest::constant_time_eq,
    extension, oids,
};

use crate::scep::{capabilities::Capabilities, error::ScepError};

/// The certificates of a server, verified under a pinned CA certificate.
#[derive(Debug, Clone)]
pub struct CaCertificates {
    /// The pinned CA certificate.
    pub anchor: Certificate,
    /// Every CA certificate that was offered and verified, issuing CA first, without the anchor.
    pub intermediates: Vec<Certificate>,
    /// Verifies replies.
    pub signing: Certificate,
    /// Requests are encrypted to it.
    pub encryption: Certificate,
}

impl CaCertificates {
    /// Reads the answer to GetCACert (one certificate, or certs-only SignedData) and verifies it under the CA certificate with this
    /// SHA-256 fingerprint.
    ///
    /// # Errors
    /// [`ScepError::CaCertificates`].
    pub fn decode(body: &[u8], fingerprint: &[u8; 32], now: Timestamp) -> Result<Self, ScepError> {
        let refuse = |why: String| ScepError::CaCertificates(why);
        let offered = match SignedData::decode(body) {
            Ok(signed) => signed.certificates,
            Err(_) => {
                vec![Certificate::decode(body).map_err(|e| refuse(format!("neither a certificate nor a bag of them ({e})")))?]
            }
        };
        let anchor = offered
            .iter()
            .find(|c| c.is_ca() && constant_time_eq(&c.fingerprint(), fingerprint))
            .cloned()
            .ok_or_else(|| refuse(format!("none of the {} has the expected fingerprint", offered.len())))?;
        let anchors = [anchor.clone()];
        let verified = |c: &&Certificate| build_chain(c, &offered, &anchors, now).is_ok();
        let intermediates: Vec<Certificate> =
            offered.iter().filter(|c| c.is_ca() && c.der() != anchor.der()).filter(verified).cloned().collect();
        let leaves: Vec<&Certificate> = offered.iter().filter(|c| !c.is_ca() && may_register(c)).filter(verified).collect();
        // By key usage, not by order: NDES has one certificate for signing and one for encryption.
        let with = |usage: KeyUsage| leaves.iter().copied().find(|c| key_usages(c).contains(&usage)).cloned();
        let by_ca = |usage: KeyUsage| {
            let mut authorities = intermediates.iter().chain(&anchors);
            authorities.find(|c| key_usages(c).contains(&usage)).cloned()
        };
        let signing = with(KeyUsage::DigitalSignature).or_else(|| by_ca(KeyUsage::DigitalSignature));
        let encryption = with(KeyUsage::KeyEncipherment).or_else(|| by_ca(KeyUsage::KeyEncipherment));
        Ok(Self {
            signing: signing.ok_or_else(|| refuse("none of them may sign replies".into()))?,
            encryption: encryption.ok_or_else(|| refuse("none of them may be encrypted to".into()))?,
            anchor,
            intermediates,
        })
    }

    /// Issuers that a certificate from this server may chain through.
    #[must_use]
    pub fn chain_of(&self, certificate: &Certificate, now: Timestamp) -> Option<Vec<Certificate>> {
        let anchors = std::slice::from_ref(&self.anchor);
        let chain = build_chain(certificate, &self.intermediates, anchors, now).ok()?;
        Some(chain.into_iter().skip(1).cloned().collect())
    }
}

/// Purposes of a registration certificate that has any: certificate request agent (NDES), id-kp-cmcRA (RFC 6402).
const REGISTRATION: [ExtendedKeyUsage; 2] =
    [ExtendedKeyUsage(Oid::new("1.3.6.1.4.1.311.20.2.1")), ExtendedKeyUsage(Oid::new("1.3.6.1.5.5.7.3.28"))];

/// Whether an end-entity certificate can be that of the registration authority. GetCACert is not authenticated: the holder of any device
/// certificate of the same CA could offer his own, so one made for another purpose, such as clientAuth, is not believed.
#[must_use]
pub fn may_register(certificate: &Certificate) -> bool {
    let Ok(extensions) = certificate.extensions() else { return false };
    match extension::find(&extensions, oids::EXTENDED_KEY_USAGE) {
        None => true,
        Some(found) => extension::decode_extended_key_usage(&found.value)
            .is_ok_and(|purposes| REGISTRATION.iter().any(|purpose| purposes.contains(purpose))),
    }
}

fn key_usages(certificate: &Certificate) -> KeyUsages {
    let extensions = certificate.extensions().unwrap_or_default();
    extension::find(&extensions, oids::KEY_USAGE).and_then(|e| extension::decode_key_usage(&e.value).ok()).unwrap_or_default()
}

/// Refuses servers that claim less than AES and SHA-256: the answer to GetCACaps is not authenticated, and we do nothing weaker.
///
/// # Errors
/// [`ScepError::Downgrade`].
pub fn check_floor(capabilities: Capabilities) -> Result<(), ScepError> {
    if capabilities.scep_standard {
        return Ok(());
    }
    if !capabilities.aes {
        return Err(ScepError::Downgrade("AES"));
    }
    if !capabilities.sha256 && !capabilities.sha512 {
        return Err(ScepError::Downgrade("SHA-256"));
    }
    Ok(())
}

//! The PKCS#7 of a renewal: a PKCS#10 with the new key, signed with the old one.

use lanyard_model::time::Timestamp;
use lanyard_pki::{
    certificate::Certificate,
    cms::{
        sign::{SignedAttribute, sign},
        signed::{Identifier, SignedData, SignerInfo},
    },
    csr::decode::{CertificationRequest, decode as decode_request},
    error::PkiError,
    key::Signer,
    oids,
    signature::Digest,
    time,
};

use crate::error::MdmError;

/// A renewal that was read; nothing of it is proved.
#[derive(Debug, Clone)]
pub struct UnverifiedRenewal {
    signer: SignerInfo,
    certificate: Option<Certificate>,
    content: Vec<u8>,
}

/// A renewal whose signatures hold: the old key wants the new key to be certified. Whose the old key is, whether its certificate is ours,
/// valid and not replaced yet, is for others to find out.
#[derive(Debug, Clone)]
pub struct RenewalRequest {
    /// The certificate whose key signed it.
    pub signer: Certificate,
    /// The request; its own signature holds too.
    pub request: CertificationRequest,
    /// The request, DER.
    pub pkcs10: Vec<u8>,
}

impl UnverifiedRenewal {
    /// Reads a SignedData around a PKCS#10 with exactly one signer.
    ///
    /// # Errors
    /// [`MdmError::Renewal`].
    pub fn decode(pkcs7: &[u8]) -> Result<Self, MdmError> {
        let signed = SignedData::decode(pkcs7).map_err(MdmError::Renewal)?;
        let lacks = |what| MdmError::Renewal(PkiError::Malformed { what, at: 0 });
        if signed.content_type != oids::DATA {
            return Err(lacks("content type of the renewal"));
        }
        let content = signed.content.ok_or_else(|| lacks("content of the renewal"))?;
        let signer = signed.signers.into_iter().next().ok_or_else(|| lacks("signer of the renewal"))?;
        let certificate = signed.certificates.into_iter().find(|one| signer.identifier.names(one));
        Ok(Self { signer, certificate, content })
    }

    /// How it names its signer: issuer and serial number, or key identifier.
    #[must_use]
    pub const fn signer(&self) -> &Identifier {
        &self.signer.identifier
    }

    /// The signer's certificate, if it came along. It may be a forgery with the name of a certificate of ours: compare before use.
    #[must_use]
    pub const fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    /// Verifies the signature with the key of this certificate, which must be the one it names, and then reads the PKCS#10 and verifies
    /// its signature. Both must use SHA-256 or better: no Windows client renews with less.
    ///
    /// # Errors
    /// [`MdmError::Renewal`] for the outer signature, [`MdmError::Request`] for the PKCS#10.
    pub fn verify(&self, certificate: &Certificate) -> Result<RenewalRequest, MdmError> {
        if !self.signer.identifier.names(certificate) {
            return Err(MdmError::Renewal(PkiError::BadSignature { what: "renewal: it names another certificate" }));
        }
        if self.signer.digest == Digest::Sha1 {
            return Err(MdmError::Renewal(PkiError::Unsupported { what: "digest", value: "SHA-1".into() }));
        }
        let key = certificate.public_key().map_err(MdmError::Renewal)?;
        self.signer.verify(&key, oids::DATA, &self.content).map_err(MdmError::Renewal)?;
        let request = decode_request(&self.content, false).map_err(MdmError::Request)?;
        Ok(RenewalRequest { signer: certificate.clone(), request, pkcs10: self.content.clone() })
    }
}

/// Signs a PKCS#10 with the old key; the old certificate goes along.
///
/// # Errors
/// [`MdmError::Own`].
pub fn encode_renewal(pkcs10: &[u8], key: &dyn Signer, certificate: &Certificate, now: Timestamp) -> Result<Vec<u8>, MdmError> {
    let signing_time = SignedAttribute { oid: oids::SIGNING_TIME, value: time::encode(now) };
    sign(Some(pkcs10), vec![signing_time], Digest::Sha256, key, certificate, &[certificate]).map_err(MdmError::Own)
}

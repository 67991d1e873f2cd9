//! Certificates: what goes into one, and what the record keeps of it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    id::{AuthorityName, DeviceId, IdError, ProfileName, RequestId, TemplateName, UserName},
    key::PublicKey,
    name::DistinguishedName,
    san::SubjectAltName,
    serial::SerialNumber,
    template::Usages,
    time::Timestamp,
};

/// What a certificate will contain, decided from the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateContent {
    /// Issuing authority.
    pub issuer: AuthorityName,
    /// Subject.
    pub subject: DistinguishedName,
    /// Subject alternative names.
    pub san: Vec<SubjectAltName>,
    /// Usages.
    pub usages: Usages,
    /// Subject public key.
    pub key: PublicKey,
    /// First second of validity.
    pub not_before: Timestamp,
    /// Last second of validity.
    pub not_after: Timestamp,
}

/// Why a certificate was revoked (RFC 5280, section 5.3.1), spelt as there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RevocationReason {
    /// 0; no reason given.
    Unspecified,
    /// 1; the device's key is in other hands.
    KeyCompromise,
    /// 3; the name no longer holds.
    AffiliationChanged,
    /// 4; replaced by another certificate.
    Superseded,
    /// 5; the device is no longer in use.
    CessationOfOperation,
    /// 9; the right to it was withdrawn.
    PrivilegeWithdrawn,
}

impl RevocationReason {
    /// Every reason that can be given.
    pub const ALL: [Self; 6] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::PrivilegeWithdrawn,
    ];

    /// CRLReason code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::KeyCompromise => 1,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::PrivilegeWithdrawn => 9,
        }
    }

    /// From a CRLReason code.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.code() == code)
    }
}

impl fmt::Display for RevocationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "keyCompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::PrivilegeWithdrawn => "privilegeWithdrawn",
        })
    }
}

impl FromStr for RevocationReason {
    type Err = IdError;

    /// Case and hyphens do not matter: `key-compromise` is `keyCompromise`.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let wanted = text.replace('-', "");
        Self::ALL.into_iter().find(|r| r.to_string().eq_ignore_ascii_case(&wanted)).ok_or_else(|| IdError {
            kind: "revocation reason",
            text: crate::text::printable(text),
            expected: "unspecified, keyCompromise, affiliationChanged, superseded, cessationOfOperation or privilegeWithdrawn",
        })
    }
}

/// A revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: RevocationReason,
}

/// A certificate, or the intent to sign one, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRecord {
    /// Issuing authority.
    pub issuer: AuthorityName,
    /// Serial number, unique for the issuer.
    pub serial: SerialNumber,
    /// The request it answers.
    pub request: RequestId,
    /// Template and revision; `None` for the authority's own certificates.
    pub template: Option<(TemplateName, u32)>,
    /// Registration profile it came through.
    pub profile: Option<ProfileName>,
    /// Subject.
    pub subject: DistinguishedName,
    /// Subject alternative names.
    pub san: Vec<SubjectAltName>,
    /// User it is for.
    pub user: Option<UserName>,
    /// Device it is for.
    pub device: Option<DeviceId>,
    /// First second of validity.
    pub not_before: Timestamp,
    /// Last second of validity.
    pub not_after: Timestamp,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub key_digest: [u8; 32],
    /// When the intent was stored.
    pub created_at: Timestamp,
    /// The exact bytes to be signed (TBSCertificate, DER).
    pub tbs: Vec<u8>,
    /// The certificate (DER); `None` while it is only intended.
    pub der: Option<Vec<u8>>,
    /// Revocation, if any.
    pub revocation: Option<Revocation>,
    /// Serial number of the certificate it renews.
    pub predecessor: Option<SerialNumber>,
    /// Serial number of the newest certificate that renews it.
    pub successor: Option<SerialNumber>,
}

impl CertificateRecord {
    /// What the certificate is worth at `now`, in one word.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> CertificateStatus {
        match (&self.revocation, &self.der) {
            (Some(_), _) => CertificateStatus::Revoked,
            (None, None) => CertificateStatus::Intended,
            (None, Some(_)) if now > self.not_after => CertificateStatus::Expired,
            (None, Some(_)) => CertificateStatus::Valid,
        }
    }
}

/// What a certificate is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CertificateStatus {
    /// The intent is stored, the signature is not.
    Intended,
    /// Signed, within its validity, not revoked.
    Valid,
    /// Its last second has passed.
    Expired,
    /// Revoked.
    Revoked,
}

impl fmt::Display for CertificateStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Intended => "intended",
            Self::Valid => "valid",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        })
    }
}

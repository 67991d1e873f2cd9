//! Certificates, lists of revoked ones, and the authorities that made them.

use async_trait::async_trait;
use lanyard_model::{
    audit::AuditEvent,
    authority::{AuthorityRecord, CrlEntry, CrlRecord, SealedKey},
    certificate::{CertificateRecord, CertificateStatus, Revocation},
    id::{AuthorityName, DeviceId, KeyId, UserName},
    lease::LeaseRecord,
    serial::SerialNumber,
    time::Timestamp,
};

use super::Result;

/// Reading and revoking certificates.
#[async_trait]
pub trait CertificateStore: Send + Sync {
    /// Finds a certificate (or intent).
    async fn load_certificate(&self, issuer: &AuthorityName, serial: &SerialNumber) -> Result<Option<CertificateRecord>>;
    /// Finds certificates by serial number whoever issued them.
    async fn find_certificates(&self, serial: &SerialNumber) -> Result<Vec<CertificateRecord>>;
    /// The newest certificates of a user, at most `limit`.
    async fn certificates_of_user(&self, user: &UserName, limit: u32) -> Result<Vec<CertificateRecord>>;
    /// The newest certificates of a device, at most `limit`.
    async fn certificates_of_device(&self, device: &DeviceId, limit: u32) -> Result<Vec<CertificateRecord>>;
    /// Lists certificates, newest first.
    async fn list_certificates(&self, filter: CertificateFilter) -> Result<Vec<CertificateRecord>>;
    /// Looks for a text among the newest certificates, as far as one call goes: 50,000 of them. No index serves it, because every issuance would
    /// have to keep that up.
    async fn search_certificates(&self, search: CertificateSearch) -> Result<CertificatesFound>;
    /// Revokes; `false` if it was revoked before (then nothing changes).
    async fn revoke_certificate(
        &self,
        issuer: &AuthorityName,
        serial: &SerialNumber,
        revocation: Revocation,
        audit: AuditEvent,
    ) -> Result<bool>;
    /// Counts by state at `now`.
    async fn count_certificates(&self, now: Timestamp) -> Result<CertificateCounts>;
}

/// Which certificates to list.
#[derive(Debug, Clone, Default)]
pub struct CertificateFilter {
    /// Only of this status at `now`.
    pub status: Option<(CertificateStatus, Timestamp)>,
    /// Also the authority's own service certificates.
    pub include_service: bool,
    /// Skip this many.
    pub offset: u64,
    /// At most this many; 0 means 100.
    pub limit: u32,
}

/// What to look for among certificates.
#[derive(Debug, Clone, Default)]
pub struct CertificateSearch {
    /// Subject, names, user, device or template contain this text.
    pub text: String,
    /// Only of this status at `now`.
    pub status: Option<(CertificateStatus, Timestamp)>,
    /// Also the authority's own service certificates.
    pub include_service: bool,
    /// Where an earlier search stopped.
    pub before: Option<u64>,
    /// At most this many; 0 means 100.
    pub limit: u32,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificatesFound {
    /// The certificates, newest first.
    pub certificates: Vec<CertificateRecord>,
    /// Where to go on, when older certificates may match as well.
    pub more: Option<u64>,
}

/// Numbers of certificates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CertificateCounts {
    /// Valid.
    pub valid: u64,
    /// Expired.
    pub expired: u64,
    /// Revoked.
    pub revoked: u64,
    /// Intended.
    pub intended: u64,
}

/// What a new CRL begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlStart {
    /// CRLNumber.
    pub number: u64,
    /// Revocations of all issuers so far; later ones are not listed.
    pub revocations: u64,
    /// What it lists.
    pub entries: Vec<CrlEntry>,
}

/// CRLs.
#[async_trait]
pub trait CrlStore: Send + Sync {
    /// Reserves the next CRLNumber (never reused) and returns with it every revocation to be listed: certificates of the issuer
    /// that are revoked and whose notAfter is not before `listed_until`, in order of serial number.
    async fn begin_crl(&self, issuer: &AuthorityName, listed_until: Timestamp) -> Result<CrlStart>;
    /// Saves a signed CRL that was begun with `revocations`; where a lease is named, only if it is still held.
    async fn save_crl(&self, crl: CrlRecord, revocations: u64, lease: Option<LeaseRecord>, audit: AuditEvent) -> Result<()>;
    /// Whether the issuer has revoked anything, and anything was revoked or a CRL asked for since its newest CRL was begun.
    async fn crl_is_behind(&self, issuer: &AuthorityName) -> Result<bool>;
    /// Asks whoever signs CRLs for new ones.
    async fn want_crl(&self) -> Result<()>;
    /// The newest CRL.
    async fn load_crl(&self, issuer: &AuthorityName) -> Result<Option<CrlRecord>>;
}

/// The authority's own certificates and sealed keys.
#[async_trait]
pub trait AuthorityStore: Send + Sync {
    /// Saves keys and certificates in one transaction; where a lease is named, only if it is still held.
    async fn save_authority(
        &self,
        keys: Vec<SealedKey>,
        certificates: Vec<AuthorityRecord>,
        lease: Option<LeaseRecord>,
        audit: AuditEvent,
    ) -> Result<()>;
    /// All of them, newest first.
    async fn list_authorities(&self) -> Result<Vec<AuthorityRecord>>;
    /// A sealed key.
    async fn load_key(&self, id: &KeyId) -> Result<Option<SealedKey>>;
}

//! Issuing in two transactions.

use async_trait::async_trait;
use lanyard_model::{
    audit::AuditEvent,
    certificate::{CertificateRecord, Revocation},
    challenge::ChallengeUse,
    id::{AuthorityName, RequestId},
    notice::NoticeRecord,
    request::RequestRecord,
    serial::SerialNumber,
    time::Timestamp,
};

use super::{ChallengeClaim, Result};

/// Issuing: first the intent, then the certificate.
#[async_trait]
pub trait IssuanceStore: Send + Sync {
    /// Transaction 1: checks the clock against the highest time signed so far, refuses another key in the same transaction,
    /// consumes the challenge, checks and links the predecessor, reserves the serial number, stores the intent (a certificate record
    /// with `der: None`), stores the request as `Granted` and appends the audit event; or does nothing and says why.
    async fn begin_issuance(&self, intent: Intent) -> Result<Begun>;
    /// Transaction 2: stores the signed certificate, marks the request `Issued`, revokes the superseded successor if one was named
    /// in the intent, and appends the audit events.
    async fn finish_issuance(&self, signed: Signed) -> Result<()>;
    /// Intents without a certificate, created before `created_before`.
    async fn list_open_intents(&self, created_before: Timestamp) -> Result<Vec<CertificateRecord>>;
}

/// What is to be issued.
#[derive(Debug, Clone)]
pub struct Intent {
    /// The certificate to be; `der` is `None`.
    pub certificate: CertificateRecord,
    /// The request as it will stand; state `Granted`. `None` for the authority's own certificates.
    pub request: Option<RequestRecord>,
    /// The challenge to consume. `None` for renewals, approved requests (already consumed) and the authority's own certificates.
    pub challenge: Option<ChallengeClaim>,
    /// For renewals: the certificate renewed and the successor it was seen to have; both are checked again.
    pub renews: Option<RenewalClaim>,
    /// What the request was before.
    pub opening: Opening,
    /// The event.
    pub audit: AuditEvent,
    /// The present, which may not lie more than five minutes behind the highest time signed.
    pub now: Timestamp,
    /// When it must be on the disk.
    pub durability: Durability,
}

/// When an intent, which is always written before the signature, must survive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Before anything is signed: the signature is made outside this process, or somebody is told of it before it is stored.
    BeforeSigning,
    /// With the certificate: until that is stored, the signature is nowhere but in this process, and lost together with the intent. A
    /// process that is killed loses neither.
    WithCertificate,
}

/// What stood in the record of a request before it was granted; checked again in the transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// Nothing.
    New,
    /// It was held: it must still be `Pending`.
    Pending,
    /// It was granted, but the process ended before the signature: it must still be `Granted` and this intent unsigned. The intent is
    /// revoked, because its signature may exist somewhere; it can never be finished.
    Abandoned {
        /// Issuer of the intent.
        issuer: AuthorityName,
        /// Serial number of the intent.
        serial: SerialNumber,
    },
}

/// What a renewal relies on: that the predecessor is not revoked and that nobody renewed it meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewalClaim {
    /// The authority that issued the certificate renewed.
    pub issuer: AuthorityName,
    /// The certificate renewed.
    pub predecessor: SerialNumber,
    /// Its newest successor when the decision was made. It is revoked (superseded) when the new certificate is signed, so that
    /// a lost answer never stops renewal and there is never more than one living successor.
    pub seen_successor: Option<SerialNumber>,
}

/// What became of transaction 1. Only `Done` changed anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// All of it is durable.
    Done,
    /// The challenge was used before, as told.
    ChallengeUsed(ChallengeUse),
    /// The challenge is not in the store or had expired.
    ChallengeGone,
    /// Another key already uses this transaction (a pending, granted or issued request of the last seven days with another signer
    /// key and another subject key).
    OtherKey(RequestId),
    /// The predecessor was revoked or renewed meanwhile, or is unknown.
    PredecessorChanged,
    /// The pending (or abandoned) request was decided meanwhile.
    NotPending,
    /// The serial number exists.
    SerialTaken,
    /// The clock is more than five minutes behind this highest time signed.
    ClockBehind(Timestamp),
}

/// What was signed.
#[derive(Debug, Clone)]
pub struct Signed {
    /// Issuing authority.
    pub issuer: AuthorityName,
    /// Serial number of the intent.
    pub serial: SerialNumber,
    /// The certificate, DER.
    pub der: Vec<u8>,
    /// The request, if there is one.
    pub request: Option<RequestId>,
    /// Superseded successor to revoke, and who issued it.
    pub supersedes: Option<(AuthorityName, SerialNumber, Revocation)>,
    /// Set when the certificate may not be handed out after all: it is stored revoked, and its request becomes `Denied`.
    pub withdrawn: Option<Withdrawal>,
    /// What policy modules are to be told.
    pub notices: Vec<NoticeRecord>,
    /// Events.
    pub audit: Vec<AuditEvent>,
}

/// Why a certificate that was just signed may not be handed out.
#[derive(Debug, Clone)]
pub struct Withdrawal {
    /// Its revocation.
    pub revocation: Revocation,
    /// Stable code for the request.
    pub reason: String,
    /// One sentence for the request.
    pub detail: String,
}

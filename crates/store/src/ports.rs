//! The ports through which the rest of the program reaches storage, each named by its use.
//!
//! Every write that belongs together is one method, one transaction and one audit event; nothing is reported before it is durable.

use async_trait::async_trait;
use lanyard_model::{
    archive::{ArchivedKey, Recovery},
    audit::{AuditEvent, AuditHead, AuditRecord, ChainVerdict},
    authority::{AuthorityRecord, CrlEntry, CrlRecord, SealedKey},
    certificate::{CertificateRecord, CertificateStatus, Revocation},
    challenge::{ChallengeId, ChallengeRecord, ChallengeUse},
    directory::{Device, Group, User},
    fleet::{Enrollment, JobRecord},
    id::{AuthorityName, DeviceId, EnrollmentId, GroupName, JobId, KeyId, ProfileName, RequestId, TokenId, UserName},
    lease::LeaseRecord,
    node::NodeRecord,
    notice::NoticeRecord,
    request::{ApprovalRecord, RequestRecord, RequestState},
    serial::SerialNumber,
    time::Timestamp,
    token::TokenRecord,
};

use crate::{callers::Callers, error::StoreError};

/// Result of a storage call.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Challenges before their use. Their consumption is part of [`IssuanceStore::begin_issuance`] and [`RequestStore::hold_request`].
#[async_trait]
pub trait ChallengeStore: Send + Sync {
    /// Saves a new challenge.
    async fn save_challenge(&self, challenge: ChallengeRecord, audit: AuditEvent) -> Result<()>;
    /// Saves a new challenge of a profile's page, unless so many of that page are unused and have not ended at its `created_at`; `false`,
    /// and nothing is written, if they are.
    async fn save_page_challenge(
        &self,
        challenge: ChallengeRecord,
        profile: &ProfileName,
        most: u32,
        audit: AuditEvent,
    ) -> Result<bool>;
    /// How many challenges of a profile's page are unused and have not ended.
    async fn count_page_challenges(&self, profile: &ProfileName, now: Timestamp) -> Result<u64>;
    /// Saves a challenge whose id follows from what was presented; `false`, and nothing is written, if that id is taken.
    async fn adopt_challenge(&self, challenge: ChallengeRecord, audit: AuditEvent) -> Result<bool>;
    /// Finds a challenge by the id in its text.
    async fn load_challenge(&self, id: ChallengeId) -> Result<Option<ChallengeRecord>>;
}

/// Requests and their decisions.
#[async_trait]
pub trait RequestStore: Send + Sync {
    /// Finds a request by its id.
    async fn load_request(&self, id: RequestId) -> Result<Option<RequestRecord>>;
    /// Finds the newest request of exactly this message (SHA-256) and its transaction at this profile that was not refused.
    async fn find_request_by_message(
        &self,
        profile: &ProfileName,
        transaction: &str,
        message_digest: [u8; 32],
    ) -> Result<Option<RequestRecord>>;
    /// Finds the newest request of a transaction by the same signer key, in any state but `Denied`.
    async fn find_request_by_transaction(
        &self,
        profile: &ProfileName,
        transaction: &str,
        signer_key_digest: [u8; 32],
    ) -> Result<Option<RequestRecord>>;
    /// Finds all requests with this transaction text, newest first, at most 20.
    async fn find_requests_by_text(&self, transaction: &str) -> Result<Vec<RequestRecord>>;
    /// Lists requests, newest first.
    async fn list_requests(&self, filter: RequestFilter) -> Result<Vec<RequestRecord>>;
    /// Saves a refusal (state `Denied`) with what is to be told of it. For an existing pending request it changes the state; when that was
    /// decided meanwhile, nothing happens and the answer is [`Begun::NotPending`]. A challenge to burn is consumed in the same
    /// transaction if it is still unused.
    async fn save_denied(
        &self,
        request: RequestRecord,
        burn: Option<ChallengeClaim>,
        notices: Vec<NoticeRecord>,
        audit: AuditEvent,
    ) -> Result<Begun>;
    /// Saves a held request (state `Pending`) with what is to be told of it, consuming its challenge in the same transaction.
    async fn hold_request(
        &self,
        request: RequestRecord,
        challenge: Option<ChallengeClaim>,
        notices: Vec<NoticeRecord>,
        audit: AuditEvent,
    ) -> Result<Begun>;
}

/// Which requests to list.
#[derive(Debug, Clone, Default)]
pub struct RequestFilter {
    /// Only this state.
    pub state: Option<RequestState>,
    /// Only requests older than this one (for paging).
    pub before: Option<RequestId>,
    /// At most this many; 0 means 100.
    pub limit: u32,
}

/// The claim of a request on a challenge: consumed if it is unused and has not expired at `use.at`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChallengeClaim {
    /// The challenge.
    pub id: ChallengeId,
    /// Its use.
    pub claim: ChallengeUse,
}

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

/// Work that only one node may do.
#[async_trait]
pub trait LeaseStore: Send + Sync {
    /// The lease as it is now.
    async fn load_lease(&self, name: &str) -> Result<Option<LeaseRecord>>;
    /// Takes the lease if it is still exactly as it was seen (`None`: it did not exist); `None` if somebody was faster or it lives.
    async fn take_lease(&self, name: &str, holder: &str, seen: Option<&LeaseRecord>) -> Result<Option<LeaseRecord>>;
    /// A sign of life; `false` when the lease is lost.
    async fn keep_lease(&self, held: &LeaseRecord) -> Result<bool>;
    /// Gives it back, so that nobody has to wait; `false` when it was lost before.
    async fn release_lease(&self, held: &LeaseRecord) -> Result<bool>;
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

/// Users, devices and settings.
#[async_trait]
pub trait DirectoryStore: Send + Sync {
    /// Saves (adds or replaces) a user.
    async fn save_user(&self, user: User, audit: AuditEvent) -> Result<()>;
    /// Finds a user.
    async fn load_user(&self, name: &UserName) -> Result<Option<User>>;
    /// Lists users by name.
    async fn list_users(&self) -> Result<Vec<User>>;
    /// Saves (adds or replaces) a device.
    async fn save_device(&self, device: Device, audit: AuditEvent) -> Result<()>;
    /// Finds a device.
    async fn load_device(&self, id: &DeviceId) -> Result<Option<Device>>;
    /// Lists devices by id.
    async fn list_devices(&self) -> Result<Vec<Device>>;
    /// The devices that are a user's on record.
    async fn devices_of_user(&self, user: &UserName) -> Result<Vec<Device>>;
    /// A setting of the installation.
    async fn load_setting(&self, name: &str) -> Result<Option<Vec<u8>>>;
    /// Saves a setting.
    async fn save_setting(&self, name: &str, value: Vec<u8>) -> Result<()>;
    /// Saves a setting on which issuing rests, with its event; where a lease is named, only if it is still held.
    async fn change_setting(&self, name: &str, value: Vec<u8>, lease: Option<LeaseRecord>, audit: AuditEvent) -> Result<()>;
}

/// Tokens, groups, and what people said.
#[async_trait]
pub trait PeopleStore: Send + Sync {
    /// Saves (adds or replaces) an API token.
    async fn save_token(&self, token: TokenRecord, audit: AuditEvent) -> Result<()>;
    /// Finds a token by the id in its text.
    async fn load_token(&self, id: &TokenId) -> Result<Option<TokenRecord>>;
    /// Lists tokens by id.
    async fn list_tokens(&self) -> Result<Vec<TokenRecord>>;
    /// Saves (adds or replaces) a group.
    async fn save_group(&self, group: Group, audit: AuditEvent) -> Result<()>;
    /// Finds a group.
    async fn load_group(&self, name: &GroupName) -> Result<Option<Group>>;
    /// Lists groups by name.
    async fn list_groups(&self) -> Result<Vec<Group>>;
    /// Removes a group; `false`, and no event, if there is none.
    async fn remove_group(&self, name: &GroupName, audit: AuditEvent) -> Result<bool>;
    /// Saves (adds or replaces) many users and devices: all of them, or none.
    async fn import_directory(&self, users: Vec<User>, devices: Vec<Device>, audit: AuditEvent) -> Result<()>;
    /// Removes a user; `false`, and no event, if there is none.
    async fn remove_user(&self, name: &UserName, audit: AuditEvent) -> Result<bool>;
    /// Removes a device; `false`, and no event, if there is none.
    async fn remove_device(&self, id: &DeviceId, audit: AuditEvent) -> Result<bool>;
    /// Saves a person's approval of a held request; `false`, and no event, if the request no longer waits or the person approved before.
    async fn approve_request(&self, approval: ApprovalRecord, audit: AuditEvent) -> Result<bool>;
    /// Approvals of a request, oldest first.
    async fn approvals_of(&self, request: RequestId) -> Result<Vec<ApprovalRecord>>;
}

/// Which enrolments to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnrollmentFilter {
    /// Only of this user, and not ended.
    pub user: Option<UserName>,
    /// Only of this device.
    pub device: Option<DeviceId>,
    /// Only active ones whose renewal was due before; those that are due longest come first, and `after` is not used.
    pub due_before: Option<Timestamp>,
    /// Only after this one, in order of id.
    pub after: Option<EnrollmentId>,
    /// At most so many; 0 is 1,000.
    pub limit: u32,
}

/// A change to an enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrollmentChange {
    /// The enrolment as it shall be. Its identities prove it from now on.
    pub enrollment: Enrollment,
    /// The version that was seen; `None`: it is new.
    pub seen: Option<u64>,
}

/// What a message of a management session changes, all at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionStep {
    /// The enrolment that has the session.
    pub enrollment: EnrollmentId,
    /// The version of the session that was seen; `None`: there was none.
    pub seen: Option<u64>,
    /// The state of the session, sealed.
    pub session: Vec<u8>,
    /// Jobs whose state changed.
    pub jobs: Vec<JobRecord>,
    /// The enrolment, if it changed.
    pub change: Option<EnrollmentChange>,
    /// What the device has, if it told: JSON.
    pub inventory: Option<(Timestamp, String)>,
    /// Audit events.
    pub audit: Vec<AuditEvent>,
}

/// Managed devices.
#[async_trait]
pub trait FleetStore: Send + Sync {
    /// Saves enrolments, all or none; `false` when one of them has changed since it was seen.
    async fn save_enrollments(&self, changes: Vec<EnrollmentChange>, audit: Vec<AuditEvent>) -> Result<bool>;
    /// Finds an enrolment, with its version.
    async fn load_enrollment(&self, id: EnrollmentId) -> Result<Option<(Enrollment, u64)>>;
    /// Finds the enrolment that a certificate (SHA-256) proves.
    async fn find_enrollment_by_certificate(&self, fingerprint: [u8; 32]) -> Result<Option<(Enrollment, u64)>>;
    /// Enrolments of a client by its own name, newest first, ten at most.
    async fn find_enrollments_by_client(&self, client: &str) -> Result<Vec<(Enrollment, u64)>>;
    /// Lists enrolments in order of id.
    async fn list_enrollments(&self, filter: EnrollmentFilter) -> Result<Vec<(Enrollment, u64)>>;
    /// The session at hand: its version and sealed state.
    async fn load_session(&self, enrollment: EnrollmentId) -> Result<Option<(u64, Vec<u8>)>>;
    /// Saves what a message changes; `false` when the session or the enrolment has changed since it was seen.
    async fn save_session_step(&self, step: SessionStep) -> Result<bool>;
    /// Saves (adds or replaces) jobs.
    async fn save_jobs(&self, jobs: Vec<JobRecord>, audit: Vec<AuditEvent>) -> Result<()>;
    /// Finds a job.
    async fn load_job(&self, id: JobId) -> Result<Option<JobRecord>>;
    /// Jobs of an enrolment in order of their making; only those that are not over, or all (the newest 500).
    async fn list_jobs(&self, enrollment: EnrollmentId, only_open: bool) -> Result<Vec<JobRecord>>;
    /// What a device had at its last inventory: JSON, and when.
    async fn load_inventory(&self, enrollment: EnrollmentId) -> Result<Option<(Timestamp, String)>>;
    /// Saves the hash of a local user's password.
    async fn save_password(&self, user: &UserName, hash: String, at: Timestamp, audit: AuditEvent) -> Result<()>;
    /// The hash of a local user's password.
    async fn load_password(&self, user: &UserName) -> Result<Option<String>>;
}

/// Outcomes that policy modules are still to be told. Most are saved with the outcome itself.
#[async_trait]
pub trait NoticeStore: Send + Sync {
    /// Saves notices of an outcome that is not stored.
    async fn save_notices(&self, notices: Vec<NoticeRecord>) -> Result<()>;
    /// Notices to be tried now, the longest due first.
    async fn due_notices(&self, now: Timestamp, limit: u32) -> Result<Vec<NoticeRecord>>;
    /// Counts a try in vain and says when the next one is.
    async fn postpone_notice(&self, id: &str, due_at: Timestamp) -> Result<()>;
    /// Removes a notice that was taken, or, with the event, one that is given up; `false`, and no event, if it was gone before.
    async fn end_notice(&self, id: &str, given_up: Option<AuditEvent>) -> Result<bool>;
}

/// The nodes that share the database, as they say of themselves.
#[async_trait]
pub trait NodeStore: Send + Sync {
    /// Saves what a node says of itself.
    async fn save_node(&self, node: NodeRecord) -> Result<()>;
    /// All of them, the longest running first.
    async fn list_nodes(&self) -> Result<Vec<NodeRecord>>;
    /// Removes one that stops.
    async fn remove_node(&self, name: &str) -> Result<()>;
    /// Forgets those that were not seen since.
    async fn forget_nodes(&self, seen_before: Timestamp) -> Result<()>;
}

/// What all nodes count together. A count sinks evenly with time, so that it is known by the moment at which it will be empty.
#[async_trait]
pub trait CountStore: Send + Sync {
    /// When a count is or was empty again; `None` if it is not kept.
    async fn load_count(&self, name: &str) -> Result<Option<Timestamp>>;
    /// Raises counts.
    async fn raise_counts(&self, now: Timestamp, raises: Vec<Raise>) -> Result<()>;
    /// Uses up something that is good until then; `false` if it was used before.
    async fn use_once(&self, name: &str, until: Timestamp) -> Result<bool>;
    /// Forgets what was empty, good or open no longer at this moment.
    async fn clear_counts(&self, before: Timestamp) -> Result<()>;
}

/// How a count is raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raise {
    /// The count.
    pub name: String,
    /// By how many milliseconds later it is empty.
    pub by: i64,
    /// How many milliseconds away that may be at most.
    pub most: i64,
}

/// Archived keys, and who got them back.
#[async_trait]
pub trait ArchiveStore: Send + Sync {
    /// Keeps a key.
    async fn save_archived_key(&self, key: ArchivedKey, audit: AuditEvent) -> Result<()>;
    /// The keys of a user, oldest first.
    async fn archived_keys_of(&self, user: &UserName) -> Result<Vec<ArchivedKey>>;
    /// Adds a recovery, or changes one that still is as it was `seen`; `false` when it is not.
    async fn save_recovery(&self, recovery: Recovery, seen: Option<u64>, audit: AuditEvent) -> Result<bool>;
    /// A recovery and its revision.
    async fn load_recovery(&self, id: RequestId) -> Result<Option<(Recovery, u64)>>;
    /// The newest recoveries.
    async fn list_recoveries(&self, limit: u32) -> Result<Vec<Recovery>>;
}

/// The audit log.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Appends an event that belongs to no other write.
    async fn append_audit(&self, event: AuditEvent) -> Result<()>;
    /// Records after a place in the chain, oldest first.
    async fn list_audit(&self, after: u64, limit: u32) -> Result<Vec<AuditRecord>>;
    /// Records of one request, oldest first.
    async fn audit_of_request(&self, request: RequestId) -> Result<Vec<AuditRecord>>;
    /// Follows the whole chain, in bounded memory.
    async fn verify_audit(&self) -> Result<ChainVerdict>;
    /// The last record's place and hash; zeros when there is none.
    async fn audit_tip(&self) -> Result<(u64, [u8; 32])>;
    /// Saves a signed head.
    async fn save_audit_head(&self, head: AuditHead) -> Result<()>;
    /// The signed head saved last.
    async fn newest_audit_head(&self) -> Result<Option<AuditHead>>;
    /// All signed heads, oldest first, with the hash that the chain holds at that place now (`None` when the record is missing).
    async fn list_audit_heads(&self) -> Result<Vec<(AuditHead, Option<[u8; 32]>)>>;
}

/// Everything a storage engine offers.
#[async_trait]
pub trait Store:
    ChallengeStore
    + RequestStore
    + IssuanceStore
    + CertificateStore
    + CrlStore
    + LeaseStore
    + AuthorityStore
    + DirectoryStore
    + PeopleStore
    + FleetStore
    + NodeStore
    + NoticeStore
    + CountStore
    + ArchiveStore
    + AuditStore
{
    /// Where work that will end in writes makes itself known, so that writes of several callers are committed together.
    fn callers(&self) -> &Callers;
    /// Finishes the waiting writes and closes the database; later calls fail.
    async fn close(&self);
    /// A trivial read and a durable write, for the health check.
    async fn check(&self) -> Result<()>;
    /// Stores this many made-up certificates with their requests, for measuring what a full database costs. No audit record tells of
    /// them, and nobody holds their keys.
    async fn fill(&self, certificates: u64) -> Result<()>;
}

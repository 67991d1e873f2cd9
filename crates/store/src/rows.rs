//! From stored rows to records, the same for every engine. Columns are named as in the migrations.
//!
//! Stored data is never trusted: whatever does not fit becomes [`StoreError::Corrupt`] with table and column.

use std::{fmt::Display, net::IpAddr, str::FromStr};

use lanyard_model::{
    archive::{ArchivedKey, Recovery},
    audit::{AuditHead, AuditRecord},
    authority::{AuthorityRecord, AuthorityRole, CrlEntry, CrlRecord, SealedKey},
    certificate::{CertificateRecord, Revocation, RevocationReason},
    challenge::{ChallengeId, ChallengeRecord, ChallengeUse},
    directory::{Device, Group, User},
    fleet::{Enrollment, JobRecord, JobState},
    id::RequestId,
    invitation::InvitationRecord,
    lease::LeaseRecord,
    node::NodeRecord,
    notice::NoticeRecord,
    request::{ApprovalRecord, RequestRecord, RequestState},
    san::{SanKind, SubjectAltName},
    serial::SerialNumber,
    time::Timestamp,
    token::TokenRecord,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{chain::Tip, error::StoreError, ports::Result, sql::connection::Head};

/// What an engine offers of one of its rows. `what` is `table.column`; the part after the dot finds the value.
pub(crate) trait StoredRow {
    /// A 64-bit integer or NULL.
    fn integer(&self, what: &'static str) -> Result<Option<i64>>;
    /// Text or NULL.
    fn text(&self, what: &'static str) -> Result<Option<String>>;
    /// Octets or NULL.
    fn octets(&self, what: &'static str) -> Result<Option<Vec<u8>>>;
}

/// The column in `table.column`.
pub(crate) fn column(what: &'static str) -> &'static str {
    what.rsplit_once('.').map_or(what, |(_, column)| column)
}

/// The stored value does not fit.
pub(crate) fn corrupt(what: &'static str, problem: impl Display) -> StoreError {
    StoreError::Corrupt { what, problem: problem.to_string() }
}

fn needed<T>(what: &'static str, value: Option<T>) -> Result<T> {
    value.ok_or_else(|| corrupt(what, "it is missing"))
}

/// A 64-bit integer.
pub(crate) fn integer(row: &impl StoredRow, what: &'static str) -> Result<i64> {
    needed(what, row.integer(what)?)
}

/// A number that is never negative.
pub(crate) fn count(row: &impl StoredRow, what: &'static str) -> Result<u64> {
    u64::try_from(integer(row, what)?).map_err(|e| corrupt(what, e))
}

/// Octets.
pub(crate) fn octets(row: &impl StoredRow, what: &'static str) -> Result<Vec<u8>> {
    needed(what, row.octets(what)?)
}

/// A SHA-256 digest.
pub(crate) fn digest(row: &impl StoredRow, what: &'static str) -> Result<[u8; 32]> {
    needed(what, optional_digest(row, what)?)
}

/// A SHA-256 digest or nothing.
pub(crate) fn optional_digest(row: &impl StoredRow, what: &'static str) -> Result<Option<[u8; 32]>> {
    let octets = row.octets(what)?;
    octets
        .map(|o| <[u8; 32]>::try_from(o).map_err(|o| corrupt(what, format_args!("{} octets instead of 32", o.len()))))
        .transpose()
}

pub(crate) fn text(row: &impl StoredRow, what: &'static str) -> Result<String> {
    needed(what, row.text(what)?)
}

pub(crate) fn time(row: &impl StoredRow, what: &'static str) -> Result<Timestamp> {
    integer(row, what).map(Timestamp)
}

fn parsed<T: FromStr<Err: Display>>(row: &impl StoredRow, what: &'static str) -> Result<T> {
    needed(what, optional_parsed(row, what)?)
}

fn optional_parsed<T: FromStr<Err: Display>>(row: &impl StoredRow, what: &'static str) -> Result<Option<T>> {
    row.text(what)?.map(|t| t.parse().map_err(|e| corrupt(what, e))).transpose()
}

fn optional_serial(row: &impl StoredRow, what: &'static str) -> Result<Option<SerialNumber>> {
    let magnitude = row.octets(what)?;
    magnitude.map(|m| SerialNumber::from_magnitude(&m).ok_or_else(|| corrupt(what, "not a serial number"))).transpose()
}

fn serial(row: &impl StoredRow, what: &'static str) -> Result<SerialNumber> {
    needed(what, optional_serial(row, what)?)
}

/// Alternative names as stored: pairs of kind and value. The readable form of the model will not do: it refuses the
/// malformed and unsupported names that a refused request may carry, and those are what its record must show.
pub(crate) fn san_text(names: &[SubjectAltName]) -> Result<String> {
    let pairs: Vec<_> = names.iter().map(|n| (n.kind(), n.value())).collect();
    to_json(&pairs)
}

fn san(row: &impl StoredRow, what: &'static str) -> Result<Vec<SubjectAltName>> {
    let pairs: Vec<(Option<SanKind>, String)> = serde_json::from_str(&text(row, what)?).map_err(|e| corrupt(what, e))?;
    let name = |(kind, value): (Option<SanKind>, String)| {
        Ok(match kind {
            Some(SanKind::Dns) => SubjectAltName::Dns(value),
            Some(SanKind::Email) => SubjectAltName::Email(value),
            Some(SanKind::Uri) => SubjectAltName::Uri(value),
            Some(SanKind::Upn) => SubjectAltName::Upn(value),
            Some(SanKind::Ip) => SubjectAltName::Ip(value.parse::<IpAddr>().map_err(|e| corrupt(what, e))?),
            None => SubjectAltName::Unsupported(value),
        })
    };
    pairs.into_iter().map(name).collect()
}

/// A structured value as stored.
pub(crate) fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|source| StoreError::Engine { action: "write a record as JSON", source: Box::new(source) })
}

fn optional_json<T: DeserializeOwned>(row: &impl StoredRow, what: &'static str) -> Result<Option<T>> {
    row.text(what)?.map(|t| serde_json::from_str(&t).map_err(|e| corrupt(what, e))).transpose()
}

fn json<T: DeserializeOwned>(row: &impl StoredRow, what: &'static str) -> Result<T> {
    needed(what, optional_json(row, what)?)
}

/// Table `challenges`.
pub(crate) fn challenge(row: &impl StoredRow) -> Result<ChallengeRecord> {
    let id = octets(row, "challenges.id")?;
    let id = id.try_into().map_err(|_| corrupt("challenges.id", "not 16 octets"))?;
    Ok(ChallengeRecord {
        id: ChallengeId(id),
        keyed_hash: digest(row, "challenges.keyed_hash")?,
        binding: octets(row, "challenges.binding")?,
        created_at: time(row, "challenges.created_at")?,
        expires_at: time(row, "challenges.expires_at")?,
        used: challenge_use(row)?,
    })
}

/// The use in a row of table `challenges`.
pub(crate) fn challenge_use(row: &impl StoredRow) -> Result<Option<ChallengeUse>> {
    let Some(at) = row.integer("challenges.used_at")? else { return Ok(None) };
    Ok(Some(ChallengeUse {
        at: Timestamp(at),
        request: parsed(row, "challenges.used_by")?,
        csr_digest: digest(row, "challenges.used_csr")?,
        key_digest: digest(row, "challenges.used_key")?,
    }))
}

/// Table `requests`.
pub(crate) fn request(row: &impl StoredRow) -> Result<RequestRecord> {
    let state = text(row, "requests.state")?;
    let protocol = serde_json::Value::String(text(row, "requests.protocol")?);
    let issuer = optional_parsed(row, "requests.certificate_issuer")?;
    Ok(RequestRecord {
        id: parsed(row, "requests.id")?,
        protocol: serde_json::from_value(protocol).map_err(|e| corrupt("requests.protocol", e))?,
        profile: parsed(row, "requests.profile")?,
        transaction: text(row, "requests.transaction_id")?,
        message_digest: digest(row, "requests.message_digest")?,
        renewal: integer(row, "requests.renewal")? != 0,
        signer_key_digest: optional_digest(row, "requests.signer_key_digest")?,
        key_digest: optional_digest(row, "requests.key_digest")?,
        claims: row.octets("requests.claims")?,
        subject: optional_json(row, "requests.subject")?,
        san: san(row, "requests.san")?,
        key: row.text("requests.key_kind")?,
        template: optional_parsed(row, "requests.template")?,
        user: optional_parsed(row, "requests.user_name")?,
        device: optional_parsed(row, "requests.device")?,
        state: RequestState::from_word(&state).ok_or_else(|| corrupt("requests.state", "not a state"))?,
        reason: row.text("requests.reason")?,
        detail: row.text("requests.detail")?,
        certificate: issuer.zip(optional_serial(row, "requests.certificate_serial")?),
        renews: optional_serial(row, "requests.renews")?,
        challenge: row.text("requests.challenge")?,
        context: json(row, "requests.context")?,
        received_at: time(row, "requests.received_at")?,
        decided_at: row.integer("requests.decided_at")?.map(Timestamp),
        decided_by: row.text("requests.decided_by")?,
    })
}

/// Table `certificates` joined with `certificate_bodies`.
pub(crate) fn certificate(row: &impl StoredRow) -> Result<CertificateRecord> {
    let template = optional_parsed(row, "certificates.template")?;
    let revision = row.integer("certificates.template_revision")?.map(u32::try_from).transpose();
    let revision = revision.map_err(|e| corrupt("certificates.template_revision", e))?;
    Ok(CertificateRecord {
        issuer: parsed(row, "certificates.issuer")?,
        serial: serial(row, "certificates.serial")?,
        request: parsed(row, "certificates.request")?,
        template: template.zip(revision),
        profile: optional_parsed(row, "certificates.profile")?,
        subject: json(row, "certificates.subject")?,
        san: san(row, "certificates.san")?,
        user: optional_parsed(row, "certificates.user_name")?,
        device: optional_parsed(row, "certificates.device")?,
        not_before: time(row, "certificates.not_before")?,
        not_after: time(row, "certificates.not_after")?,
        key_digest: digest(row, "certificates.key_digest")?,
        created_at: time(row, "certificates.created_at")?,
        tbs: octets(row, "certificate_bodies.tbs")?,
        der: row.octets("certificate_bodies.der")?,
        revocation: revocation(row)?,
        predecessor: optional_serial(row, "certificates.predecessor")?,
        successor: optional_serial(row, "certificates.successor")?,
    })
}

fn revocation(row: &impl StoredRow) -> Result<Option<Revocation>> {
    let Some(at) = row.integer("certificates.revoked_at")? else { return Ok(None) };
    let code = integer(row, "certificates.revocation_reason")?;
    let reason = u8::try_from(code).ok().and_then(RevocationReason::from_code);
    let reason = reason.ok_or_else(|| corrupt("certificates.revocation_reason", format_args!("{code} is not a reason")))?;
    Ok(Some(Revocation { at: Timestamp(at), reason }))
}

/// One line of a CRL, from table `certificates`.
pub(crate) fn crl_entry(row: &impl StoredRow) -> Result<CrlEntry> {
    let revocation = needed("certificates.revoked_at", revocation(row)?)?;
    Ok(CrlEntry { serial: serial(row, "certificates.serial")?, revocation })
}

/// Table `crls`.
pub(crate) fn crl(row: &impl StoredRow) -> Result<CrlRecord> {
    Ok(CrlRecord {
        issuer: parsed(row, "crls.issuer")?,
        number: count(row, "crls.number")?,
        this_update: time(row, "crls.this_update")?,
        next_update: time(row, "crls.next_update")?,
        der: octets(row, "crls.der")?,
    })
}

/// Table `authorities`.
pub(crate) fn authority(row: &impl StoredRow) -> Result<AuthorityRecord> {
    let role = text(row, "authorities.role")?;
    Ok(AuthorityRecord {
        name: parsed(row, "authorities.name")?,
        role: AuthorityRole::from_word(&role).ok_or_else(|| corrupt("authorities.role", "not a role"))?,
        certificate: octets(row, "authorities.certificate")?,
        key: parsed(row, "authorities.key_id")?,
        not_before: time(row, "authorities.not_before")?,
        not_after: time(row, "authorities.not_after")?,
    })
}

/// Table `sealed_keys`.
pub(crate) fn sealed_key(row: &impl StoredRow) -> Result<SealedKey> {
    Ok(SealedKey {
        id: parsed(row, "sealed_keys.id")?,
        sealed: octets(row, "sealed_keys.sealed")?,
        created_at: time(row, "sealed_keys.created_at")?,
    })
}

/// Table `users`.
pub(crate) fn user(row: &impl StoredRow) -> Result<User> {
    json(row, "users.body")
}

/// Table `devices`.
pub(crate) fn device(row: &impl StoredRow) -> Result<Device> {
    json(row, "devices.body")
}

/// Table `tokens`.
pub(crate) fn token(row: &impl StoredRow) -> Result<TokenRecord> {
    json(row, "tokens.body")
}

/// Table `groups`.
pub(crate) fn group(row: &impl StoredRow) -> Result<Group> {
    json(row, "groups.body")
}

/// Table `approvals`.
pub(crate) fn approval(row: &impl StoredRow) -> Result<ApprovalRecord> {
    Ok(ApprovalRecord {
        request: parsed(row, "approvals.request")?,
        by: text(row, "approvals.approver")?,
        at: Timestamp(integer(row, "approvals.at")?),
    })
}

/// Table `archived_keys`.
pub(crate) fn archived_key(row: &impl StoredRow) -> Result<ArchivedKey> {
    Ok(ArchivedKey {
        key_digest: digest(row, "archived_keys.key_digest")?,
        user: parsed(row, "archived_keys.user_name")?,
        request: parsed(row, "archived_keys.request")?,
        created_at: time(row, "archived_keys.created_at")?,
        sealed: octets(row, "archived_keys.sealed")?,
    })
}

/// Table `invitations`.
pub(crate) fn invitation(row: &impl StoredRow) -> Result<InvitationRecord> {
    json(row, "invitations.body")
}

/// Table `recoveries`, with the revision.
pub(crate) fn recovery(row: &impl StoredRow) -> Result<(Recovery, u64)> {
    Ok((json(row, "recoveries.body")?, count(row, "recoveries.revision")?))
}

/// Table `audit`.
pub(crate) fn audit_record(row: &impl StoredRow) -> Result<AuditRecord> {
    let event = octets(row, "audit.event")?;
    Ok(AuditRecord {
        sequence: count(row, "audit.seq")?,
        event: serde_json::from_slice(&event).map_err(|e| corrupt("audit.event", e))?,
        hash: digest(row, "audit.hash")?,
    })
}

/// Table `audit_heads`.
pub(crate) fn audit_head(row: &impl StoredRow) -> Result<AuditHead> {
    Ok(AuditHead {
        sequence: count(row, "audit_heads.sequence")?,
        hash: digest(row, "audit_heads.hash")?,
        at: time(row, "audit_heads.at")?,
        signature: octets(row, "audit_heads.signature")?,
    })
}

/// The id of a request.
pub(crate) fn request_id(row: &impl StoredRow, what: &'static str) -> Result<RequestId> {
    parsed(row, what)
}

/// Table `head`.
pub(crate) fn head(row: &impl StoredRow) -> Result<Head> {
    let tip = Tip { sequence: count(row, "head.seq")?, hash: digest(row, "head.hash")? };
    Ok(Head { tip, highest: time(row, "head.highest")?, revocations: count(row, "head.revocations")? })
}

/// Table `nodes`.
pub(crate) fn node(row: &impl StoredRow) -> Result<NodeRecord> {
    Ok(NodeRecord {
        name: text(row, "nodes.name")?,
        files: serde_json::from_str(&text(row, "nodes.files")?).map_err(|e| corrupt("nodes.files", e))?,
        started_at: Timestamp(integer(row, "nodes.started_at")?),
        seen_at: Timestamp(integer(row, "nodes.seen_at")?),
    })
}

/// A notice.
pub(crate) fn notice(row: &impl StoredRow) -> Result<NoticeRecord> {
    let small = |what| u32::try_from(integer(row, what)?).map_err(|e| corrupt(what, e));
    Ok(NoticeRecord {
        id: text(row, "notices.id")?,
        request: request_id(row, "notices.request")?,
        profile: parsed(row, "notices.profile")?,
        place: small("notices.place")?,
        kind: text(row, "notices.kind")?,
        body: octets(row, "notices.body")?,
        attempts: small("notices.attempts")?,
        created_at: Timestamp(integer(row, "notices.created_at")?),
        due_at: Timestamp(integer(row, "notices.due_at")?),
    })
}

/// Table `leases`.
pub(crate) fn lease(row: &impl StoredRow) -> Result<LeaseRecord> {
    Ok(LeaseRecord {
        name: text(row, "leases.name")?,
        holder: text(row, "leases.holder")?,
        fence: count(row, "leases.fence")?,
        beat: count(row, "leases.beat")?,
    })
}

/// Table `enrollments`, with its version.
pub(crate) fn enrollment(row: &impl StoredRow) -> Result<(Enrollment, u64)> {
    Ok((json(row, "enrollments.body")?, count(row, "enrollments.version")?))
}

/// Table `management_jobs`.
pub(crate) fn job(row: &impl StoredRow) -> Result<JobRecord> {
    let state = text(row, "management_jobs.state")?;
    Ok(JobRecord {
        id: parsed(row, "management_jobs.id")?,
        enrollment: parsed(row, "management_jobs.enrollment")?,
        purpose: text(row, "management_jobs.purpose")?,
        state: JobState::from_word(&state).ok_or_else(|| corrupt("management_jobs.state", format_args!("'{state}'")))?,
        created_at: time(row, "management_jobs.created_at")?,
        changed_at: time(row, "management_jobs.changed_at")?,
        by: text(row, "management_jobs.created_by")?,
        body: octets(row, "management_jobs.body")?,
        result: row.text("management_jobs.result")?,
    })
}

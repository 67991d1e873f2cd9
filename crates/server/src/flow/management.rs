//! One message of a management session: who sends it, what it leads to, and the answer.
//!
//! The order matters: nothing is sent before everything it says is stored, in one transaction. When somebody else changed the device's
//! record meanwhile, all of it is done again with what is there now.

use lanyard_mdm::{
    error::MdmError,
    session::server::{Facts, Limits, SessionState, Wanted, step},
    syncml::{self, SyncMl},
};
use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    certificate::RevocationReason,
    fleet::{DmCredentials, Enrollment, EnrollmentState, Identity, JobRecord},
    id::JobId,
    time::Timestamp,
};
use lanyard_pki::crypto::{digest::sha256, random::random, sealing};
use lanyard_store::ports::{EnrollmentChange, SessionStep};

use super::{
    device_certificates::revoke_all, device_document::credentials_context, device_identity::identity_seen,
    management_events::Effects, management_plan as plan, revoke::revoke,
};
use crate::{
    error::{ServerError, chain},
    fleet::{
        job::StoredJob,
        ledger::{Kept, Progress},
        reconcile::Action,
        sealed::RecordKey,
    },
    state::Server,
};

/// So often a message is tried while others change the same record.
const TRIES: usize = 5;
/// One certificate that is refused is audited once within so many seconds.
const AUDIT_AGAIN: i64 = 3600;
/// Refused certificates remembered at a time.
const REMEMBERED: usize = 10_000;

/// What a message gets.
#[derive(Debug)]
pub enum Reply {
    /// A message back.
    Answer(String),
    /// It is no message that can be read.
    Malformed(MdmError),
    /// Who sends it may not; a stable code.
    Refused(&'static str),
    /// Others were faster, again and again; it may be sent once more.
    Busy,
}

/// A job with its record.
pub(super) struct Queued {
    pub(super) record: JobRecord,
    pub(super) stored: StoredJob,
}

/// Everything that one try works on.
pub(super) struct Desk<'a> {
    pub(super) server: &'a Server,
    pub(super) key: RecordKey,
    pub(super) now: Timestamp,
    pub(super) enrollment: Enrollment,
    pub(super) version: u64,
    /// The enrolment has changed.
    pub(super) changed: bool,
    pub(super) kept: Kept,
    pub(super) queue: Vec<Queued>,
    /// Jobs that were made or changed.
    pub(super) dirty: Vec<JobId>,
    pub(super) audit: Vec<AuditEvent>,
    /// A challenge was made for the device.
    minted: bool,
}

/// Answers a message of whoever showed this certificate (DER).
///
/// # Errors
/// Storage, policy and key errors.
pub async fn message(server: &Server, certificate: &[u8], octets: &[u8]) -> Result<Reply, ServerError> {
    let _at_work = server.store.callers().enter();
    let message = match syncml::decode(octets) {
        Ok(message) => message,
        Err(error) => return Ok(Reply::Malformed(error)),
    };
    let fingerprint = sha256(certificate);
    for _ in 0..TRIES {
        if let Some(reply) = attempt(server, fingerprint, &message, sha256(octets)).await? {
            return Ok(reply);
        }
    }
    Ok(Reply::Busy)
}

/// One try; nothing when the record changed meanwhile.
async fn attempt(
    server: &Server,
    fingerprint: [u8; 32],
    message: &SyncMl,
    digest: [u8; 32],
) -> Result<Option<Reply>, ServerError> {
    let now = server.now();
    let found = server.store.find_enrollment_by_certificate(fingerprint).await?;
    let Some((enrollment, version)) = found else {
        return refuse(server, fingerprint, None, "mdm.certificate-unknown").await.map(Some);
    };
    if let Some(reason) = not_admitted(server, &enrollment, fingerprint, now).await? {
        return refuse(server, fingerprint, Some(&enrollment), reason).await.map(Some);
    }
    // A renewed identity that is used takes the place of the one before, which proves nothing from now on.
    let (enrollment, version) = identity_seen(server, (enrollment, version), &fingerprint).await?;
    let key = RecordKey::of(&server.fleet_secret, enrollment.id);
    let stored = server.store.load_session(enrollment.id).await?;
    let seen = stored.as_ref().map(|(version, _)| *version);
    let kept = match &stored {
        Some((_, sealed)) => Kept::open(&key, sealed)?,
        None => Kept::default(),
    };
    let mut queue = Vec::new();
    for record in server.store.list_jobs(enrollment.id, true).await? {
        let stored = StoredJob::open(&key, &record)?;
        queue.push(Queued { record, stored });
    }
    let mut desk = Desk {
        server,
        key,
        now,
        enrollment,
        version,
        changed: false,
        kept,
        queue,
        dirty: Vec::new(),
        audit: Vec::new(),
        minted: false,
    };
    if is_first(desk.kept.session.as_ref(), message) && message.header.source.loc_uri == desk.enrollment.client {
        desk.enrollment.seen_at = Some(now);
        desk.changed = true;
        desk.notice_cancelled();
        let actions = plan::actions(&mut desk).await?;
        desk.carry_out(actions)?;
    }
    desk.answer(message, digest, seen).await
}

/// Whether a message begins a session, as far as can be said before it is read.
fn is_first(session: Option<&SessionState>, message: &SyncMl) -> bool {
    message.header.msg_id == 1 || session.is_none_or(|session| session.over || session.session_id != message.header.session_id)
}

/// Why whoever shows this certificate may not have a session.
async fn not_admitted(
    server: &Server,
    enrollment: &Enrollment,
    fingerprint: [u8; 32],
    now: Timestamp,
) -> Result<Option<&'static str>, ServerError> {
    match enrollment.state {
        EnrollmentState::Active | EnrollmentState::Leaving => {}
        EnrollmentState::Blocked => return Ok(Some("mdm.device-blocked")),
        EnrollmentState::Ended => return Ok(Some("mdm.enrollment-ended")),
    }
    let shown = std::iter::once(&enrollment.identity).chain(&enrollment.renewed).find(|one| one.fingerprint == fingerprint);
    let Some(identity) = shown else { return Ok(Some("mdm.certificate-retired")) };
    if now > identity.not_after {
        return Ok(Some("mdm.certificate-expired"));
    }
    match server.store.load_certificate(&identity.issuer, &identity.serial).await? {
        None => return Ok(Some("mdm.certificate-unknown")),
        Some(record) if record.revocation.is_some() => return Ok(Some("mdm.certificate-revoked")),
        Some(_) => {}
    }
    let device = server.store.load_device(&enrollment.device).await?;
    Ok(device.is_some_and(|device| device.blocked).then_some("mdm.device-blocked"))
}

/// Refuses a connection; audited once an hour for each certificate.
async fn refuse(
    server: &Server,
    fingerprint: [u8; 32],
    enrollment: Option<&Enrollment>,
    reason: &'static str,
) -> Result<Reply, ServerError> {
    server.telemetry.count("lanyard_mdm_refused_total", &[("reason", reason.to_owned())]);
    let now = server.now();
    let again = {
        let mut refused = server.mdm_refused.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if refused.len() >= REMEMBERED {
            refused.clear();
        }
        let before = refused.insert((fingerprint, reason), now);
        match before {
            Some(before) if now.since(before).secs() < AUDIT_AGAIN => {
                refused.insert((fingerprint, reason), before);
                true
            }
            _ => false,
        }
    };
    if !again {
        let who = enrollment.map(|one| format!("device {}", one.device));
        let audit = AuditEvent {
            reason: Some(reason.to_owned()),
            object: who.or_else(|| Some(format!("certificate {}", lanyard_model::text::hex(&fingerprint)))),
            detail: enrollment.map(|one| format!("enrolment {}, client {}", one.id, lanyard_model::text::printable(&one.client))),
            ..server.event(AuditKind::DeviceRefused, "mdm")
        };
        server.store.append_audit(audit).await?;
        tracing::warn!(reason, "a management session was refused");
    }
    Ok(Reply::Refused(reason))
}

impl Desk<'_> {
    /// Entries of the ledger whose job an administrator took back.
    fn notice_cancelled(&mut self) {
        let open: Vec<JobId> = self.queue.iter().map(|job| job.record.id).collect();
        let lost = |entry: &&mut crate::fleet::ledger::Entry| entry.progress == Progress::Open && !open.contains(&entry.job);
        for entry in self.kept.ledger.entries.values_mut().filter(lost) {
            entry.progress = Progress::TakenBack;
            entry.at = self.now;
        }
    }

    /// Makes and takes back jobs.
    fn carry_out(&mut self, actions: Vec<Action>) -> Result<(), ServerError> {
        for action in actions {
            match action {
                Action::Cancel(id) => {
                    let Some(job) = self.queue.iter_mut().find(|job| job.record.id == id) else { continue };
                    job.record.state = lanyard_model::fleet::JobState::Cancelled;
                    job.record.changed_at = self.now;
                    job.record.body = Vec::new();
                    job.record.result = Some("something else is wanted now".to_owned());
                    self.dirty.push(id);
                }
                Action::Queue { key, purpose, job } => {
                    let record = job.record(&self.key, self.enrollment.id, &purpose, "policy", self.now)?;
                    if let Some(entry) = key.and_then(|key| self.kept.ledger.entries.get_mut(&key)) {
                        entry.job = record.id;
                    }
                    self.dirty.push(record.id);
                    self.queue.push(Queued { record, stored: *job });
                }
            }
        }
        Ok(())
    }

    async fn answer(mut self, message: &SyncMl, digest: [u8; 32], seen: Option<u64>) -> Result<Option<Reply>, ServerError> {
        let credentials = self.credentials()?;
        let items: Vec<_> = self
            .queue
            .iter()
            .filter(|job| !job.record.state.is_over())
            .map(|job| job.stored.queue_item(job.record.id, self.waits_for(&job.stored)))
            .collect();
        // Devices know the server by the address of their account, whatever a proxy makes of it.
        let target = message.header.target.loc_uri.split('?').next().unwrap_or_default().to_owned();
        let facts = Facts {
            bound_device: Some(&self.enrollment.client),
            credentials: credentials.as_ref(),
            server_url: &target,
            queue: &items,
            limits: Limits::default(),
            digest,
            fresh_nonce: random()?,
            now: self.now,
        };
        let mut outcome = step(self.kept.session.take(), message, &facts);
        drop(credentials);
        for wanted in outcome.wanted.clone() {
            match self.fill(&wanted).await {
                Ok(text) => outcome.fill(&wanted, &text),
                Err(error) => {
                    tracing::warn!(code = error.code(), error = %chain(&error), device = %self.enrollment.device, "a job waits");
                    self.note(&wanted, &error);
                    outcome.withdraw(&wanted.job);
                }
            }
        }
        let answer = outcome.encode().map_err(|e| ServerError::Conflict(format!("an answer cannot be written: {e}")))?;
        self.kept.session = Some(answer.state);
        let effects = Effects::of(&mut self, answer.events).await?;
        if !self.save(seen, &effects).await? {
            return Ok(None);
        }
        self.afterwards(effects).await;
        Ok(Some(Reply::Answer(answer.text)))
    }

    /// Ids of the jobs that this one waits for. What cannot be had yet stands for itself: no job has its name.
    fn waits_for(&self, job: &StoredJob) -> Vec<lanyard_mdm::profile::job::JobId> {
        let open = |key: &String| match self.kept.ledger.entries.get(key) {
            Some(entry) if entry.progress == Progress::Done => None,
            Some(entry) => Some(lanyard_mdm::profile::job::JobId(entry.job.to_string())),
            None => Some(lanyard_mdm::profile::job::JobId(key.clone())),
        };
        job.after.iter().filter_map(open).collect()
    }

    fn credentials(&self) -> Result<Option<lanyard_mdm::session::server::Credentials>, ServerError> {
        let Some(DmCredentials { name, inner, nonce, basic }) = &self.enrollment.credentials else { return Ok(None) };
        let inner = sealing::open(&self.server.fleet_secret, &credentials_context(self.enrollment.id), inner)?;
        let inner = String::from_utf8(inner.expose().to_vec())
            .map_err(|_| ServerError::Conflict("the credentials of a management account cannot be read".into()))?;
        let nonce = (!nonce.is_empty()).then(|| nonce.clone());
        Ok(Some(lanyard_mdm::session::server::Credentials { user: name.clone(), inner, md5: !*basic, basic: *basic, nonce }))
    }

    async fn fill(&mut self, wanted: &Wanted) -> Result<String, ServerError> {
        let place = self.queue.iter().position(|job| job.record.id.to_string() == wanted.job.0);
        let Some(job) = place.and_then(|place| self.queue.get_mut(place)) else {
            return Err(ServerError::NotFound { what: "job", name: wanted.job.0.clone() });
        };
        let (id, text) = plan::fill(self.server, &self.enrollment, &job.stored, wanted.what).await?;
        job.stored.challenges.push(id);
        self.minted = true;
        self.dirty.push(job.record.id);
        Ok(text.expose().to_owned())
    }

    /// Why a job waits, for people.
    fn note(&mut self, wanted: &Wanted, error: &ServerError) {
        if let Some(job) = self.queue.iter_mut().find(|job| job.record.id.to_string() == wanted.job.0) {
            job.record.result = Some(format!("waits: {} [{}]", chain(error), error.code()));
            self.dirty.push(job.record.id);
        }
    }

    async fn save(&mut self, seen: Option<u64>, effects: &Effects) -> Result<bool, ServerError> {
        let mut jobs = Vec::new();
        for job in self.queue.iter_mut().filter(|job| self.dirty.contains(&job.record.id)) {
            if job.record.state != lanyard_model::fleet::JobState::Cancelled {
                job.stored.write(&self.key, &mut job.record, self.now)?;
            }
            jobs.push(job.record.clone());
        }
        let inventory = effects.inventory.as_ref().map(serde_json::to_string).transpose();
        let inventory = inventory.map_err(|e| ServerError::Conflict(format!("an inventory cannot be written: {e}")))?;
        let step = SessionStep {
            enrollment: self.enrollment.id,
            seen,
            session: self.kept.seal(&self.key)?,
            jobs,
            change: self.changed.then(|| EnrollmentChange { enrollment: self.enrollment.clone(), seen: Some(self.version) }),
            inventory: inventory.map(|text| (self.now, text)),
            audit: self.audit.clone(),
            lasting: self.is_lasting(effects),
        };
        Ok(self.server.store.save_session_step(step).await?)
    }

    /// Whether a message led to more than a question that is asked again, and an answer that the device gives again: a job that ended, a
    /// challenge given out, anything audited.
    fn is_lasting(&self, effects: &Effects) -> bool {
        let ended = |job: &Queued| self.dirty.contains(&job.record.id) && job.record.state.is_over();
        self.minted || effects.inventory.is_some() || !self.audit.is_empty() || self.queue.iter().any(ended)
    }

    /// What follows once everything is stored. None of it is lost when it fails: the hourly look at the fleet does it again.
    async fn afterwards(&self, effects: Effects) {
        for (name, labels) in &effects.counts {
            self.server.telemetry.count(name, labels);
        }
        if !effects.left {
            return;
        }
        let reason = RevocationReason::CessationOfOperation;
        if let Err(error) = revoke_all(self.server, &effects.brought, reason, "mdm").await {
            tracing::error!(code = error.code(), error = %chain(&error), "certificates of a device that left are not revoked yet");
        }
        for identity in identities(&self.enrollment) {
            let revoked = revoke(self.server, &identity.serial, RevocationReason::CessationOfOperation, "mdm").await;
            if let Err(error) = revoked {
                tracing::error!(code = error.code(), error = %chain(&error), "the identity of a device that left is not revoked yet");
            }
        }
    }
}

/// Every identity of an enrolment that may still be valid.
pub fn identities(enrollment: &Enrollment) -> impl Iterator<Item = &Identity> {
    let retired = enrollment.retired.as_ref().map(|(identity, _)| identity);
    std::iter::once(&enrollment.identity).chain(&enrollment.renewed).chain(retired)
}

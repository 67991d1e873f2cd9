//! What an administrator does to managed devices.

use lanyard_mdm::{
    csp::Scope,
    profile::{
        inventory,
        job::Job,
        management,
        trusted_certificate::{self, TrustStore, thumbprint},
        wifi,
    },
};
use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    certificate::RevocationReason,
    fleet::{Enrollment, EnrollmentState, JobRecord, JobState},
    id::{EnrollmentId, JobId},
};
use lanyard_pki::{certificate::Certificate, pem};
use lanyard_store::ports::{EnrollmentChange, EnrollmentFilter, SessionStep};

use super::{device_certificates, management::identities, management_plan::provider_id, revoke::revoke};
use crate::{
    error::ServerError,
    fleet::{
        job::{StoredJob, What},
        ledger::{Kept, Progress},
        network,
        sealed::RecordKey,
    },
    state::Server,
};

/// So often a change is tried while others change the same record.
const TRIES: usize = 10;

/// What is pushed to a device besides its policy.
#[derive(Debug, Clone)]
pub enum Push {
    /// Trust a certificate (PEM).
    Trust(TrustStore, String),
    /// Remove a certificate by its SHA-1.
    Distrust(TrustStore, String),
    /// A wireless network, as TOML (see [`network`]).
    Wifi(String),
    /// Remove a wireless network.
    RemoveWifi(String),
    /// Ask which certificates there are.
    Inventory,
    /// Ask what the device says about itself.
    Describe,
}

/// The enrolments that a text names, newest first: by enrolment, by the client's own name, or by the device on record.
///
/// # Errors
/// [`ServerError::NotFound`] when there is none.
pub async fn find(server: &Server, text: &str) -> Result<Vec<(Enrollment, u64)>, ServerError> {
    let mut found = Vec::new();
    if let Ok(id) = text.parse::<EnrollmentId>() {
        found.extend(server.store.load_enrollment(id).await?);
    }
    if found.is_empty() {
        found = server.store.find_enrollments_by_client(text).await?;
    }
    if let (true, Ok(device)) = (found.is_empty(), text.parse()) {
        let filter = EnrollmentFilter { device: Some(device), ..EnrollmentFilter::default() };
        found = server.store.list_enrollments(filter).await?;
        found.reverse();
    }
    if found.is_empty() {
        let name = lanyard_model::text::printable(text);
        return Err(ServerError::NotFound { what: "enrolled device", name });
    }
    Ok(found)
}

/// The enrolment that a text names and that is not over.
///
/// # Errors
/// [`ServerError::NotFound`], [`ServerError::Conflict`] when all of them are over.
pub async fn living(server: &Server, text: &str) -> Result<(Enrollment, u64), ServerError> {
    let found = find(server, text).await?;
    let living = found.into_iter().find(|(enrollment, _)| enrollment.state != EnrollmentState::Ended);
    living.ok_or_else(|| ServerError::Conflict("the device's enrolment is over".into()))
}

/// Changes the living enrolment of a device; `change` says what was done, or nothing when there is nothing to do.
async fn change(
    server: &Server,
    text: &str,
    kind: AuditKind,
    by: &str,
    change: impl Fn(&mut Enrollment) -> Result<&'static str, ServerError>,
) -> Result<Enrollment, ServerError> {
    for _ in 0..TRIES {
        let (mut enrollment, version) = living(server, text).await?;
        let done = change(&mut enrollment)?;
        let audit = AuditEvent {
            object: Some(format!("device {}", enrollment.device)),
            detail: Some(format!("{done}, enrolment {}", enrollment.id)),
            ..server.event(kind, by)
        };
        let changes = vec![EnrollmentChange { enrollment: enrollment.clone(), seen: Some(version) }];
        if server.store.save_enrollments(changes, vec![audit]).await? {
            return Ok(enrollment);
        }
    }
    Err(busy())
}

fn busy() -> ServerError {
    ServerError::Conflict("the device's record changes all the time; try again".into())
}

/// Blocks or unblocks a device: its record, and its enrolment if it has one. Unless they are kept, the certificates that a blocked device got
/// through the management are revoked; how many.
///
/// # Errors
/// [`ServerError::NotFound`] when neither is known.
pub async fn set_blocked(server: &Server, text: &str, blocked: bool, keep: bool, by: &str) -> Result<usize, ServerError> {
    let enrolled = match living(server, text).await {
        Ok((enrollment, _)) => Some(enrollment),
        Err(ServerError::NotFound { .. } | ServerError::Conflict(_)) => None,
        Err(error) => return Err(error),
    };
    let id = enrolled.as_ref().map(|e| e.device.clone()).or_else(|| text.parse().ok());
    let record = match &id {
        Some(id) => server.store.load_device(id).await?,
        None => None,
    };
    let word = if blocked { "blocked" } else { "not blocked" };
    let Some(device) = record else {
        if enrolled.is_none() {
            return Err(ServerError::NotFound { what: "device", name: lanyard_model::text::printable(text) });
        }
        set_enrollment_blocked(server, text, blocked, by).await?;
        return withdraw(server, enrolled.filter(|_| blocked && !keep), by).await;
    };
    let audit = AuditEvent {
        object: Some(format!("device {}", device.id)),
        detail: Some(word.to_owned()),
        ..server.event(AuditKind::DirectoryChanged, by)
    };
    server.store.save_device(lanyard_model::directory::Device { blocked, ..device }, audit).await?;
    if enrolled.is_some() {
        set_enrollment_blocked(server, text, blocked, by).await?;
    }
    withdraw(server, enrolled.filter(|_| blocked && !keep), by).await
}

/// Revokes what a device that is blocked got through the management, and notes that it fetches it anew once it may. How many.
async fn withdraw(server: &Server, enrollment: Option<Enrollment>, by: &str) -> Result<usize, ServerError> {
    let Some(enrollment) = enrollment else { return Ok(0) };
    let serials = device_certificates::of_enrollment(server, &enrollment).await?;
    if serials.is_empty() {
        return Ok(0);
    }
    let anew = |kept: &mut Kept| {
        for entry in kept.ledger.entries.values_mut().filter(|entry| entry.certificate.is_some()) {
            entry.again = true;
        }
        Ok(())
    };
    let what = || "certificates are to be fetched anew: they are revoked".to_owned();
    let mut noted = false;
    for _ in 0..TRIES {
        let stored = server.store.load_session(enrollment.id).await?;
        if save_kept(server, &enrollment, stored, Vec::new(), what(), by, anew).await? {
            noted = true;
            break;
        }
    }
    if !noted {
        return Err(busy());
    }
    device_certificates::revoke_all(server, &serials, RevocationReason::PrivilegeWithdrawn, by).await
}

async fn set_enrollment_blocked(server: &Server, text: &str, blocked: bool, by: &str) -> Result<(), ServerError> {
    let done = change(server, text, AuditKind::DeviceChanged, by, |enrollment| {
        let (from, to, word) = match blocked {
            true => (EnrollmentState::Active, EnrollmentState::Blocked, "blocked"),
            false => (EnrollmentState::Blocked, EnrollmentState::Active, "unblocked"),
        };
        if enrollment.state == from {
            enrollment.state = to;
        }
        Ok(word)
    });
    done.await.map(drop)
}

/// Has a device leave the management at its next session, or ends its enrolment at once, without it.
///
/// # Errors
/// [`ServerError::NotFound`], [`ServerError::Conflict`].
pub async fn unenroll(server: &Server, text: &str, at_once: bool, keep: bool, by: &str) -> Result<Enrollment, ServerError> {
    let now = server.now();
    let kind = if at_once { AuditKind::DeviceUnenrolled } else { AuditKind::DeviceChanged };
    let enrollment = change(server, text, kind, by, |enrollment| {
        enrollment.keep_certificates = keep;
        if at_once {
            enrollment.state = EnrollmentState::Ended;
            enrollment.ended_at = Some(now);
            return Ok("ended without the device");
        }
        if enrollment.state == EnrollmentState::Blocked {
            return Err(ServerError::Conflict(
                "a blocked device has no sessions in which it could leave: unblock it, or use --now".into(),
            ));
        }
        enrollment.state = EnrollmentState::Leaving;
        Ok("is to leave")
    })
    .await?;
    if at_once {
        if !keep {
            let serials = device_certificates::of_enrollment(server, &enrollment).await?;
            device_certificates::revoke_all(server, &serials, RevocationReason::CessationOfOperation, by).await?;
        }
        for identity in identities(&enrollment) {
            revoke(server, &identity.serial, RevocationReason::CessationOfOperation, by).await?;
        }
    }
    Ok(enrollment)
}

/// Queues something for a device.
///
/// # Errors
/// [`ServerError::NotFound`], [`ServerError::Invalid`] when what is pushed cannot be read.
pub async fn push(server: &Server, text: &str, push: Push, by: &str) -> Result<Vec<JobRecord>, ServerError> {
    let (enrollment, _) = living(server, text).await?;
    let plain_listing = match server.store.load_session(enrollment.id).await? {
        Some((_, sealed)) => Kept::open(&RecordKey::of(&server.fleet_secret, enrollment.id), &sealed)?.ledger.plain_listing,
        None => false,
    };
    let jobs = jobs_of(server, &enrollment, push, plain_listing)?;
    queue(server, &enrollment, jobs, by).await
}

async fn queue(
    server: &Server,
    enrollment: &Enrollment,
    jobs: Vec<(String, StoredJob)>,
    by: &str,
) -> Result<Vec<JobRecord>, ServerError> {
    let key = RecordKey::of(&server.fleet_secret, enrollment.id);
    let mut records = Vec::new();
    let mut audit = Vec::new();
    for (purpose, job) in jobs {
        let record = job.record(&key, enrollment.id, &purpose, by, server.now())?;
        audit.push(AuditEvent {
            object: Some(format!("device {}", enrollment.device)),
            detail: Some(format!("{}, job {}", record.purpose, record.id)),
            ..server.event(AuditKind::JobQueued, by)
        });
        records.push(record);
    }
    server.store.save_jobs(records.clone(), audit).await?;
    Ok(records)
}

fn jobs_of(
    server: &Server,
    enrollment: &Enrollment,
    push: Push,
    plain_listing: bool,
) -> Result<Vec<(String, StoredJob)>, ServerError> {
    let setting = |purpose: String, job: Job| vec![(purpose, StoredJob::new(job, What::Setting))];
    Ok(match push {
        Push::Trust(store, text) => {
            let der = pem::decode(pem::CERTIFICATE, &text)?;
            Certificate::decode(&der)?;
            let name = thumbprint(&der);
            setting(format!("trust {name} ({})", store.as_str()), trusted_certificate::install(Scope::Device, store, &der))
        }
        Push::Distrust(store, name) => {
            let name = name.replace([':', ' '], "").to_ascii_uppercase();
            if name.len() != 40 || !name.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(ServerError::Invalid("the SHA-1 of a certificate has 40 hexadecimal digits".into()));
            }
            let job = trusted_certificate::remove(Scope::Device, store, &name);
            setting(format!("remove {name} ({})", store.as_str()), job)
        }
        Push::Wifi(text) => {
            let profile = network::read(&text, &server.keyring.get(), server.fleet().find(&enrollment.profile));
            let profile = profile.map_err(|problem| ServerError::Invalid(format!("the wireless network: {problem}")))?;
            let job = profile.install().map_err(|e| ServerError::Invalid(e.to_string()))?;
            setting(format!("wireless network {}", profile.ssid), job)
        }
        Push::RemoveWifi(ssid) => setting(format!("remove wireless network {ssid}"), wifi::remove(Scope::Device, &ssid)),
        Push::Inventory => [(Scope::Device, "device"), (Scope::User, "user")]
            .into_iter()
            .map(|(scope, tree)| {
                let question = if plain_listing { inventory::names(scope) } else { inventory::query(scope) };
                let job = StoredJob::new(question, What::Inventory(scope));
                (format!("which certificates the {tree} has"), job)
            })
            .collect(),
        Push::Describe => setting("what the device is".into(), management::query_device(provider_id(server))),
    })
}

/// Has a device fetch its certificates anew, all of them or the one of this name in the policy, at its next session. How many.
///
/// # Errors
/// [`ServerError::NotFound`], [`ServerError::Conflict`] when it has none by policy.
pub async fn renew_certificates(server: &Server, text: &str, name: Option<&str>, by: &str) -> Result<usize, ServerError> {
    let (enrollment, _) = living(server, text).await?;
    let wanted = name.map(|name| format!("scep/{name}"));
    let chosen = |key: &str| wanted.as_ref().map_or_else(|| key.starts_with("scep/"), |wanted| wanted == key);
    for _ in 0..TRIES {
        let stored = server.store.load_session(enrollment.id).await?;
        let mut count = 0;
        let mark = |kept: &mut Kept| {
            for (_, entry) in kept.ledger.entries.iter_mut().filter(|(key, _)| chosen(key)) {
                // One that is being fetched is as new as can be.
                entry.again = entry.progress != Progress::Open;
                count += 1;
            }
            if count == 0 {
                return Err(ServerError::Conflict("the device has no such certificate by its policy".into()));
            }
            Ok(())
        };
        let what = format!("certificates are to be fetched anew: {}", name.unwrap_or("all"));
        if save_kept(server, &enrollment, stored, Vec::new(), what, by, mark).await? {
            return Ok(count);
        }
    }
    Err(busy())
}

/// Has a device renew its identity at its next session.
///
/// # Errors
/// [`ServerError::NotFound`].
pub async fn renew_identity(server: &Server, text: &str, by: &str) -> Result<Vec<JobRecord>, ServerError> {
    let (enrollment, _) = living(server, text).await?;
    let identity = &enrollment.identity;
    let record = server.store.load_certificate(&identity.issuer, &identity.serial).await?;
    let der = record.and_then(|record| record.der);
    let der = der.ok_or_else(|| ServerError::NotFound { what: "certificate", name: identity.serial.to_string() })?;
    let job = StoredJob::new(management::renew_now(&thumbprint(&der)), What::Setting);
    queue(server, &enrollment, vec![("renew the identity".to_owned(), job)], by).await
}

/// Takes a job back. One that the device has been told already may be done all the same; nobody looks any more.
///
/// # Errors
/// [`ServerError::NotFound`], [`ServerError::Conflict`] when it is over.
pub async fn cancel(server: &Server, id: JobId, by: &str) -> Result<JobRecord, ServerError> {
    let unknown = || ServerError::NotFound { what: "job", name: id.to_string() };
    let of = server.store.load_job(id).await?.ok_or_else(unknown)?.enrollment;
    let (enrollment, _) = server.store.load_enrollment(of).await?.ok_or_else(unknown)?;
    for _ in 0..TRIES {
        // The session is read before the job: whoever changes the job meanwhile changes the session too, and this is then done anew.
        let stored = server.store.load_session(of).await?;
        let mut job = server.store.load_job(id).await?.ok_or_else(unknown)?;
        if job.state.is_over() {
            return Err(ServerError::Conflict(format!("the job is {} already", job.state.as_str())));
        }
        job.state = JobState::Cancelled;
        job.changed_at = server.now();
        job.body = Vec::new();
        job.result = Some(format!("taken back by {by}"));
        let what = format!("taken back: {}, job {id}", job.purpose);
        if save_kept(server, &enrollment, stored, vec![job.clone()], what, by, |_| Ok(())).await? {
            return Ok(job);
        }
    }
    Err(busy())
}

/// Changes what is kept of a device, in one transaction with these jobs; `false` when it has changed since it was read. A message that is
/// being answered at the same time is answered anew.
async fn save_kept(
    server: &Server,
    enrollment: &Enrollment,
    stored: Option<(u64, Vec<u8>)>,
    jobs: Vec<JobRecord>,
    what: String,
    by: &str,
    change: impl FnOnce(&mut Kept) -> Result<(), ServerError>,
) -> Result<bool, ServerError> {
    let key = RecordKey::of(&server.fleet_secret, enrollment.id);
    let seen = stored.as_ref().map(|(version, _)| *version);
    let mut kept = match &stored {
        Some((_, sealed)) => Kept::open(&key, sealed)?,
        None => Kept::default(),
    };
    change(&mut kept)?;
    let audit = AuditEvent {
        object: Some(format!("device {}", enrollment.device)),
        detail: Some(what),
        ..server.event(AuditKind::JobQueued, by)
    };
    let session = kept.seal(&key)?;
    let step = SessionStep {
        enrollment: enrollment.id,
        seen,
        session,
        jobs,
        change: None,
        inventory: None,
        audit: vec![audit],
        lasting: true,
    };
    Ok(server.store.save_session_step(step).await?)
}

//! Telling policy modules how requests ended: on every way out, in the background, because bookkeeping must not hold up a device.
//!
//! What is to be told is stored in the transaction of the outcome, so that no crash comes between. The node that leads tells it, again and
//! again with growing waits, until the module took it or a day is over. A node that dies after telling and before noting it makes the
//! successor tell it twice: receivers go by request and outcome.

use std::time::Duration;

use futures_util::StreamExt;
use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    enroll::EnrollRequest,
    notice::NoticeRecord,
    request::RequestRecord,
    secret::SecretBytes,
    text::printable,
    time::Span,
};
use lanyard_modules::{
    contract::{Disposition, PolicyModule, Report},
    error::ModuleError,
};
use lanyard_pki::crypto::{digest::hmac_sha256, sealing};
use tokio::{sync::Notify, time::timeout};

use super::{
    ask::{self, About, PATIENCE},
    outcome::Outcome,
};
use crate::{
    error::{ServerError, chain},
    state::Server,
};

/// How long to wait after each try in vain; the last goes on.
const WAITS: [Span; 7] = [
    Span::from_secs(1),
    Span::from_secs(5),
    Span::from_secs(30),
    Span::from_secs(120),
    Span::from_secs(600),
    Span::from_secs(1800),
    Span::from_secs(3600),
];
/// When it is given up.
const GIVEN_UP_AFTER: Span = Span::from_days(1);
/// How many are told at the same time, and read at a time.
const AT_A_TIME: usize = 32;
const PAGE: u32 = 256;

/// What is needed to keep notices.
pub struct Outbox {
    secret: SecretBytes,
    wanted: Notify,
}

impl Outbox {
    /// With the secret under which reports are sealed: a CSR may hold a challenge that is still unused.
    #[must_use]
    pub fn new(secret: SecretBytes) -> Self {
        Self { secret, wanted: Notify::new() }
    }

    /// Has what was kept told at once; for nothing, nobody is woken.
    pub fn wake(&self, kept: bool) {
        if kept {
            self.wanted.notify_one();
        }
    }

    /// Until there is something to tell.
    pub async fn woken(&self) {
        self.wanted.notified().await;
    }

    /// Each notice has a key of its own.
    fn key(&self, id: &str) -> SecretBytes {
        SecretBytes::new(hmac_sha256(self.secret.expose(), &[id.as_bytes()]).to_vec())
    }

    fn seal(&self, id: &str, report: &Report) -> Result<Vec<u8>, ServerError> {
        let json = serde_json::to_vec(report).map_err(|e| ServerError::Conflict(format!("a report cannot be written: {e}")))?;
        Ok(sealing::seal(&self.key(id), id.as_bytes(), &SecretBytes::new(json))?)
    }

    fn open(&self, id: &str, sealed: &[u8]) -> Result<Report, ServerError> {
        let json = sealing::open(&self.key(id), id.as_bytes(), sealed)?;
        serde_json::from_slice(json.expose()).map_err(|e| ServerError::Conflict(format!("a report cannot be read: {e}")))
    }
}

/// What is to be told of a request whose CSR is at hand, to be stored with the outcome. Nothing, and without work, where the profile has
/// no module to tell.
///
/// # Errors
/// [`ServerError::Pki`], [`ServerError::Conflict`].
pub fn of(
    server: &Server,
    request: &EnrollRequest,
    record: &RequestRecord,
    outcome: Result<&Outcome, &ServerError>,
) -> Result<Vec<NoticeRecord>, ServerError> {
    if !anybody_listens(server, record) {
        return Ok(Vec::new());
    }
    for_modules(server, &ask::report(server, request, &About::of_record(record), outcome))
}

/// What is to be told of a stored request that a person or the clock refused.
///
/// # Errors
/// [`ServerError::Pki`], [`ServerError::Conflict`].
pub fn of_record(server: &Server, record: &RequestRecord) -> Result<Vec<NoticeRecord>, ServerError> {
    if !anybody_listens(server, record) {
        return Ok(Vec::new());
    }
    let report = Report {
        id: record.id,
        protocol: record.protocol,
        profile: record.profile.clone(),
        transaction: record.transaction.clone(),
        template: record.template.clone(),
        subject: record.subject.clone(),
        san: record.san.clone(),
        user: record.user.clone(),
        device: record.device.clone(),
        disposition: Disposition::Refused,
        reason: record.reason.clone(),
        certificate: None,
        csr: Vec::new(),
        at: server.now(),
    };
    for_modules(server, &report)
}

fn anybody_listens(server: &Server, record: &RequestRecord) -> bool {
    server.modules().of(&record.profile).iter().any(|module| module.wants_reports())
}

/// A success that was told first is not told again.
fn for_modules(server: &Server, report: &Report) -> Result<Vec<NoticeRecord>, ServerError> {
    let modules = server.modules();
    let told_first = |module: &dyn PolicyModule| module.must_know_first() && report.disposition == Disposition::Issued;
    let mut notices = Vec::new();
    for (place, module) in (0..).zip(modules.of(&report.profile)) {
        if told_first(module.as_ref()) || !module.wants_reports() {
            continue;
        }
        let id = format!("{}.{}.{place}", report.id, report.disposition.as_str());
        notices.push(NoticeRecord {
            request: report.id,
            profile: report.profile.clone(),
            place,
            kind: module.kind().to_owned(),
            body: server.outbox.seal(&id, report)?,
            attempts: 0,
            created_at: report.at,
            due_at: report.at,
            id,
        });
    }
    Ok(notices)
}

/// Keeps what is to be told of a request that failed on our side, of which no outcome is stored. If the storage failed, so may this.
pub async fn keep_failure(server: &Server, request: &EnrollRequest, record: &RequestRecord, error: &ServerError) {
    let kept = match of(server, request, record, Err(error)) {
        Ok(notices) if notices.is_empty() => return,
        Ok(notices) => server.store.save_notices(notices).await.map_err(ServerError::from),
        Err(error) => Err(error),
    };
    match kept {
        Ok(()) => server.outbox.wake(true),
        Err(error) => tracing::warn!(request = %request.id, error = %chain(&error), "a failure will not be told"),
    }
}

/// Tells what is due, until nothing is.
///
/// # Errors
/// Storage errors.
pub async fn tell_due(server: &Server) -> Result<(), ServerError> {
    loop {
        let due = server.store.due_notices(server.now(), PAGE).await?;
        let page_is_full = due.len() == usize::try_from(PAGE).unwrap_or(usize::MAX);
        let mut telling = futures_util::stream::iter(due).map(|notice| tell(server, notice)).buffer_unordered(AT_A_TIME);
        while let Some(told) = telling.next().await {
            told?;
        }
        if !page_is_full {
            return Ok(());
        }
    }
}

async fn tell(server: &Server, notice: NoticeRecord) -> Result<(), ServerError> {
    let modules = server.modules();
    let place = usize::try_from(notice.place).unwrap_or(usize::MAX);
    let module = modules.of(&notice.profile).get(place).filter(|module| module.kind() == notice.kind);
    let (Some(module), Ok(report)) = (module, server.outbox.open(&notice.id, &notice.body)) else {
        return give_up(server, &notice, "the module is no longer there, or the report cannot be read").await;
    };
    let now = server.now();
    let told = timeout(PATIENCE, module.notify(&report, now)).await.unwrap_or_else(|_| Err(ask::out_of_patience()));
    server.telemetry.count("lanyard_module_calls_total", &ask::labels(module.as_ref(), "notify", told.as_ref().err()));
    let error = match told {
        Ok(()) | Err(ModuleError::NoCsr) => {
            server.store.end_notice(&notice.id, None).await?;
            return Ok(());
        }
        Err(error) => error,
    };
    if now >= notice.created_at + GIVEN_UP_AFTER {
        return give_up(server, &notice, &error.to_string()).await;
    }
    let tries = usize::try_from(notice.attempts).unwrap_or(usize::MAX);
    let wait = WAITS.get(tries).or(WAITS.last()).copied().unwrap_or(GIVEN_UP_AFTER);
    tracing::debug!(request = %notice.request, module = notice.kind, %error, %wait, "telling an outcome failed; it is tried again");
    server.store.postpone_notice(&notice.id, server.now() + wait).await?;
    Ok(())
}

async fn give_up(server: &Server, notice: &NoticeRecord, why: &str) -> Result<(), ServerError> {
    let why = printable(why);
    tracing::warn!(request = %notice.request, module = notice.kind, %why, "an outcome was not told");
    let audit = AuditEvent {
        object: Some(format!("module {} of profile {}", notice.kind, notice.profile)),
        detail: Some(format!("after {} tries: {why}", notice.attempts + 1)),
        ..server.request_event(AuditKind::NoticeGivenUp, "job:notices", notice.request)
    };
    server.store.end_notice(&notice.id, Some(audit)).await?;
    Ok(())
}

/// How often it is looked whether something is to be told again, or was left by another node.
pub const LOOK: Duration = Duration::from_secs(1);

//! Renewing what is due, and going on with what is under way.

use lanyard_model::time::Timestamp;

use super::{
    standing::{Way, kept, requests},
    tried::{self, Outcome, Tried},
};
use crate::{
    error::AgentError,
    scep::{self, EnrollOutcome, SessionOptions, options::Clock, renew::RenewOptions},
    store::{DeviceStore, LocalId},
};

/// What came of one identity or request.
#[derive(Debug, Clone)]
pub struct Done {
    /// Its id before.
    pub id: LocalId,
    /// Whose it is.
    pub subject: String,
    /// What came of it.
    pub result: WorkResult,
}

/// What an attempt led to.
#[derive(Debug, Clone)]
pub enum WorkResult {
    /// A certificate; its id in the store, and its end.
    Obtained(LocalId, Timestamp),
    /// None yet.
    Tried(Tried),
}

/// Whether something is to be done now.
///
/// # Errors
/// Those of the store.
pub fn is_due(store: &DeviceStore, now: Timestamp) -> Result<bool, AgentError> {
    let attempts = tried::load(store);
    let rested = |id: &LocalId| attempts.get(id).is_none_or(|tried| tried.has_rested(None, now));
    Ok(kept(store, now)?.iter().any(|one| one.is_due(now)) || requests(store)?.iter().any(|one| rested(&one.id)))
}

/// Does what is to be done now. One that fails keeps the others from nothing.
///
/// # Errors
/// Those of the store; what becomes of one identity is told beside it.
pub async fn work(store: &DeviceStore, clock: &Clock) -> Result<Vec<Done>, AgentError> {
    let session = SessionOptions {
        retry_count: 0,
        // Names that the record of the device has no more are no reason to let it end.
        accept_other_names: true,
        clock: std::sync::Arc::clone(clock),
        ..SessionOptions::default()
    };
    let options = RenewOptions { session, ..RenewOptions::default() };
    let mut attempts = tried::load(store);
    let mut done = Vec::new();
    for one in kept(store, clock())?.into_iter().filter(|one| one.way == Way::Scep) {
        let about = &one.identity.about;
        if one.is_due(clock()) {
            let outcome = scep::renew(store, &about.id, &options, &mut |_| {}).await;
            let renew = format!("run 'lanyard device renew {}'", about.id);
            let before = attempts.remove(&about.id);
            let result = conclude(outcome, before, &renew, clock());
            done.push(Done { id: about.id.clone(), subject: about.subject.clone(), result });
        }
    }
    for request in requests(store)? {
        let before = attempts.get(&request.id).cloned();
        if before.as_ref().is_none_or(|tried| tried.has_rested(None, clock())) {
            let outcome = scep::resume(store, &request.id, &options.session, &mut |_| {}).await;
            attempts.remove(&request.id);
            let resume = format!("run 'lanyard device resume {}'", request.id);
            let result = conclude(outcome, before, &resume, clock());
            done.push(Done { subject: request.subject.to_string(), id: request.id, result });
        }
    }
    if !done.is_empty() {
        let news = done.iter().filter_map(|one| match &one.result {
            WorkResult::Tried(tried) => Some((one.id.clone(), tried.clone())),
            WorkResult::Obtained(..) => None,
        });
        attempts.extend(news);
        attempts.retain(|id, _| store.identity_folder(id).exists() || store.pending_folder(id).exists());
        tried::save(store, &attempts)?;
    }
    Ok(done)
}

fn conclude(outcome: Result<EnrollOutcome, AgentError>, before: Option<Tried>, by_hand: &str, now: Timestamp) -> WorkResult {
    let (outcome, told, fix) = match outcome {
        Ok(EnrollOutcome::Issued(issued)) => {
            let until = issued.certificate.validity().map_or(now, |(_, until)| until);
            return WorkResult::Obtained(issued.id, until);
        }
        Ok(EnrollOutcome::StillPending { request_id, .. }) => {
            let request = request_id.map(|id| format!(" (request {id})")).unwrap_or_default();
            let ask = "wait, or ask the administrator to approve it".to_owned();
            (Outcome::Held, format!("the server holds the request for a decision{request}"), ask)
        }
        Ok(EnrollOutcome::Refused(refusal)) => {
            (Outcome::Refused, format!("the server refused: {}", refusal.meaning()), refusal.fix())
        }
        Err(error) if error.is_transient() => (Outcome::Absent, error.to_string(), error.fix()),
        Err(error @ AgentError::PinNeeded) => {
            (Outcome::NeedsPerson, error.to_string(), format!("{by_hand}, which asks for the PIN"))
        }
        Err(error @ AgentError::TpmKeyLost) => (Outcome::NeedsPerson, error.to_string(), error.fix()),
        Err(error) => (Outcome::Failed, format!("{error} [{}]", error.code()), error.fix()),
    };
    let count = before.filter(|before| before.outcome == outcome).map_or(0, |before| before.count).saturating_add(1);
    WorkResult::Tried(Tried { at: now, outcome, count, told, fix })
}

//! What there is in the store beside what the management brought, and how it stands.

use lanyard_model::time::{Span, Timestamp};

use super::tried::{self, Attempts, Outcome, Tried};
use crate::{
    error::AgentError,
    mdm,
    store::{DeviceStore, Identity, LocalId, PendingAbout, Status},
};

/// How an identity is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By the device itself.
    Scep,
    /// By nobody but a person: it came in a file.
    ByHand,
}

/// An identity that is in use.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The identity.
    pub identity: Identity,
    /// How it is renewed.
    pub way: Way,
    /// From when on; each at a moment of its own.
    pub due: Timestamp,
    /// Attempts since the last success.
    pub tried: Option<Tried>,
}

impl Kept {
    /// When it is tried next; never after its end.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        let end = self.identity.about.not_after;
        let again = self.tried.as_ref().map(|tried| tried.again_at(Some(end)));
        let next = again.map_or(self.due, |again| again.max(self.due));
        (self.way == Way::Scep && next <= end).then_some(next)
    }

    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let end = self.identity.about.not_after;
        let rested = self.tried.as_ref().is_none_or(|tried| tried.has_rested(Some(end), now));
        self.way == Way::Scep && now >= self.due && now <= end && rested
    }
}

/// Something that only a person can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attention {
    /// The identity or request.
    pub id: LocalId,
    /// Whose it is.
    pub subject: String,
    /// What is the matter.
    pub what: String,
    /// What to do.
    pub fix: String,
}

/// When an identity is due: between a quarter and a sixth of its life before the end, each at a moment of its own.
#[must_use]
pub fn due_at(identity: &Identity) -> Timestamp {
    let (from, until) = identity.certificate.validity().unwrap_or((identity.about.obtained_at, identity.about.not_after));
    let life = until.since(from).secs().max(0);
    let jitter = Span::from_secs(life / 12).share(&identity.certificate.fingerprint());
    until - Span::from_secs(life / 4) + jitter
}

/// Identities in use that the management did not bring.
///
/// # Errors
/// Those of the store.
pub fn kept(store: &DeviceStore, now: Timestamp) -> Result<Vec<Kept>, AgentError> {
    let managed = mdm::certificates::managed(store, now)?;
    let attempts = tried::load(store);
    let current = store.identities()?.into_iter().filter(|one| one.about.status == Status::Current);
    let own = current.filter(|one| !managed.contains(&one.about.id));
    Ok(own.map(|identity| Kept::of(identity, &attempts)).collect())
}

impl Kept {
    fn of(identity: Identity, attempts: &Attempts) -> Self {
        let way = if identity.about.url.is_empty() { Way::ByHand } else { Way::Scep };
        Self { way, due: due_at(&identity), tried: attempts.get(&identity.about.id).cloned(), identity }
    }
}

/// Requests under way for a first certificate that the management did not ask for.
pub(super) fn requests(store: &DeviceStore) -> Result<Vec<PendingAbout>, AgentError> {
    let managed: Vec<LocalId> = store.account()?.map(|account| account.requests.into_values().collect()).unwrap_or_default();
    let own = |one: &PendingAbout| one.predecessor.is_none() && !managed.contains(&one.id);
    Ok(store.pendings()?.into_iter().filter(own).collect())
}

/// What only a person can do, the management's identity first.
///
/// # Errors
/// Those of the store.
pub fn attention(store: &DeviceStore, now: Timestamp) -> Result<Vec<Attention>, AgentError> {
    let mut found = Vec::new();
    if store.account()?.is_some() {
        let (account, identity) = store.joined_with_identity()?;
        let end = identity.about.not_after;
        let of_account = |what: String, fix: String| Attention {
            id: identity.about.id.clone(),
            subject: identity.about.subject.clone(),
            what,
            fix,
        };
        if now > end {
            found.push(of_account(AgentError::Expired.to_string(), AgentError::Expired.fix()));
        } else if !account.renewal.automatic && now >= account.renews_from(end) {
            let fix = "run 'lanyard device sync --renew-with-password-file -'".to_owned();
            found.push(of_account(format!("it ends on {end} and is renewed only with the user's password"), fix));
        }
    }
    found.extend(kept(store, now)?.iter().filter_map(|one| one.attention(now)));
    let attempts = tried::load(store);
    for request in requests(store)? {
        if let Some(tried) = attempts.get(&request.id).filter(|tried| tried.outcome == Outcome::NeedsPerson) {
            found.push(Attention {
                subject: request.subject.to_string(),
                what: tried.told.clone(),
                fix: format!("run 'lanyard device resume {}'", request.id),
                id: request.id,
            });
        }
    }
    Ok(found)
}

impl Kept {
    fn attention(&self, now: Timestamp) -> Option<Attention> {
        let about = &self.identity.about;
        let end = about.not_after;
        let (what, fix) = match (self.way, &self.tried) {
            (Way::ByHand, _) if now >= self.due => {
                let ends = if now > end { "ended" } else { "ends" };
                (
                    format!("it {ends} on {end}, and came in a file, which nobody can renew from here"),
                    "get another one from where it came from, such as the portal, and install it; then remove this one"
                        .to_owned(),
                )
            }
            (Way::Scep, _) if now > end => (
                format!("it ended on {end}"),
                "enrol anew with a new challenge, by 'lanyard device enroll'; then remove this one".to_owned(),
            ),
            (Way::Scep, Some(tried)) if tried.outcome == Outcome::NeedsPerson => {
                (format!("it ends on {end}: {}", tried.told), tried.fix.clone())
            }
            (Way::Scep, Some(tried)) if matches!(tried.outcome, Outcome::Refused | Outcome::Failed) => {
                (format!("it ends on {end} and cannot be renewed: {}", tried.told), tried.fix.clone())
            }
            _ => return None,
        };
        Some(Attention { id: about.id.clone(), subject: about.subject.clone(), what, fix })
    }
}

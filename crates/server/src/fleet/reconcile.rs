//! What is still to do for a device: what it shall have, compared with what it was given.

use lanyard_mdm::profile::{job::Job, scep::ScepProfile};
use lanyard_model::{
    id::JobId,
    time::{Span, Timestamp},
};

use super::{
    job::{ScepOrder, StoredJob, What},
    ledger::{Entry, Fetched, Ledger, Progress},
};

/// Something that a device shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Names it in the ledger.
    pub key: String,
    /// For people.
    pub purpose: String,
    /// Names exactly what it is to be.
    pub digest: String,
    /// Keys that must be done before.
    pub after: Vec<String>,
    /// How it is brought about.
    pub how: How,
}

/// How something is brought about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// By a job, once; taken back by another one, where that is possible.
    Once {
        /// Brings it about, whatever was there before.
        job: Job,
        /// Takes it back.
        undo: Option<Job>,
        /// What is there cannot be changed: it is taken back first.
        anew: bool,
    },
    /// By a question, again and again.
    Every {
        /// The question.
        job: Job,
        /// What its answers are.
        what: What,
        /// Time between two.
        every: Span,
    },
    /// By a SCEP enrolment under a name of its own each time, so that the certificate before stays until there is another one.
    Scep {
        /// The enrolment; its id gets a number.
        profile: Box<ScepProfile>,
        /// What the challenge is ordered with.
        order: ScepOrder,
        /// How long before its end another one is fetched.
        renew_before: Span,
    },
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A job is made. The caller notes its id in the entry of this key, if there is one.
    Queue {
        /// Entry of the ledger.
        key: Option<String>,
        /// For people.
        purpose: String,
        /// The job.
        job: Box<StoredJob>,
    },
    /// A job of something that is no longer wanted so is taken back.
    Cancel(JobId),
}

/// The first wait after a failure; it doubles with each.
const FIRST_WAIT: Span = Span::from_secs(3600);
/// The longest.
const LONGEST_WAIT: Span = Span::from_days(7);

/// Compares what a device shall have with what it was given, notes in the ledger what it is given now, and says what to do for it. Called
/// twice with the same, it finds nothing to do the second time.
///
/// What is wanted and cannot be had at the moment (`impossible`) stays as it is: a record that lacks a name, or a directory that does not
/// answer, must not take a certificate from a device. `placeholder` stands in the entries until the caller has made the jobs.
pub fn reconcile(
    ledger: &mut Ledger,
    wanted: &[Wanted],
    impossible: &[String],
    now: Timestamp,
    placeholder: JobId,
) -> Vec<Action> {
    let mut actions = Vec::new();
    let is_gone = |key: &&String| !impossible.contains(key) && !wanted.iter().any(|wanted| wanted.key == **key);
    let gone: Vec<String> = ledger.entries.keys().filter(is_gone).cloned().collect();
    for key in gone {
        if let Some(entry) = ledger.entries.remove(&key) {
            take_back(&key, entry, &mut actions);
        }
    }
    for one in wanted {
        let before = ledger.entries.get(&one.key);
        let outdated = |entry: &Entry| is_outdated(entry, one, ledger);
        if let Some(entry) = before.filter(|entry| !is_due(entry, one, now) && !outdated(entry)) {
            if entry.progress == Progress::Done && !entry.replaced.is_empty() {
                clear(ledger, &one.key, &mut actions);
            }
            continue;
        }
        let before = before.cloned();
        if let Some(entry) = before.as_ref().filter(|entry| entry.progress == Progress::Open) {
            actions.push(Action::Cancel(entry.job));
        }
        let (job, entry) = begin(one, before, now, placeholder);
        ledger.entries.insert(one.key.clone(), entry);
        actions.push(Action::Queue { key: Some(one.key.clone()), purpose: one.purpose.clone(), job: Box::new(job) });
    }
    actions
}

fn is_due(entry: &Entry, wanted: &Wanted, now: Timestamp) -> bool {
    if entry.digest != wanted.digest {
        return true;
    }
    match entry.progress {
        Progress::Open => false,
        Progress::TakenBack => entry.again,
        Progress::Failed => entry.again || now >= entry.at + wait(entry.failures),
        Progress::Done => match &wanted.how {
            How::Once { .. } => false,
            How::Every { every, .. } => now >= entry.at + *every,
            How::Scep { renew_before, .. } => {
                entry.again || entry.certificate.as_ref().is_some_and(|cert| now >= cert.not_after - *renew_before)
            }
        },
    }
}

/// Whether the device got a certificate since it told which it has.
fn is_outdated(entry: &Entry, wanted: &Wanted, ledger: &Ledger) -> bool {
    let inventory = matches!(wanted.how, How::Every { what: What::Inventory(_), .. });
    let newer = |other: &Entry| other.progress == Progress::Done && other.certificate.is_some() && other.at > entry.at;
    inventory && entry.progress == Progress::Done && ledger.entries.values().any(newer)
}

fn wait(failures: u32) -> Span {
    let factor = 1_i64.checked_shl(failures.saturating_sub(1).min(20)).unwrap_or(1);
    Span::from_secs(FIRST_WAIT.secs().saturating_mul(factor)).min(LONGEST_WAIT)
}

/// The job, and the entry that says that it is at work.
fn begin(wanted: &Wanted, before: Option<Entry>, now: Timestamp, placeholder: JobId) -> (StoredJob, Entry) {
    let mut entry = Entry {
        digest: wanted.digest.clone(),
        job: placeholder,
        progress: Progress::Open,
        at: now,
        failures: before.as_ref().filter(|b| b.digest == wanted.digest).map_or(0, |b| b.failures),
        undo: None,
        generation: before.as_ref().map_or(0, |b| b.generation) + 1,
        replaced: Vec::new(),
        certificate: None,
        former: before.as_ref().map(|b| former(b, now)).unwrap_or_default(),
        again: false,
    };
    let mut stored = match &wanted.how {
        How::Once { job, undo, anew } => {
            entry.undo.clone_from(undo);
            let mut job = job.clone();
            if let Some(old) = before.filter(|b| *anew && b.progress == Progress::Done).and_then(|b| b.undo) {
                job.commands.splice(0..0, old.commands);
            }
            StoredJob::new(job, What::Setting)
        }
        How::Every { job, what, .. } => StoredJob::new(job.clone(), what.clone()),
        How::Scep { profile, order, .. } => {
            let profile = ScepProfile { id: format!("{}-{}", profile.id, entry.generation), ..(**profile).clone() };
            if let Some(before) = before {
                entry.replaced = before.replaced;
                entry.replaced.extend(before.undo);
            }
            entry.undo = Some(lanyard_mdm::profile::scep::remove(profile.scope, &profile.id));
            StoredJob::new(profile.enroll(), What::Scep(order.clone()))
        }
    };
    stored.key = Some(wanted.key.clone());
    stored.after.clone_from(&wanted.after);
    (stored, entry)
}

/// Certificates of an entry that have not ended.
fn former(before: &Entry, now: Timestamp) -> Vec<Fetched> {
    let all = before.former.iter().chain(&before.certificate);
    all.filter(|certificate| certificate.not_after >= now).cloned().collect()
}

/// Takes back what is no longer wanted.
fn take_back(key: &str, entry: Entry, actions: &mut Vec<Action>) {
    if entry.progress == Progress::Open {
        actions.push(Action::Cancel(entry.job));
    }
    for job in entry.undo.into_iter().chain(entry.replaced) {
        let job = Box::new(StoredJob::new(job, What::Setting));
        actions.push(Action::Queue { key: None, purpose: format!("remove {key}"), job });
    }
}

/// Removes what a certificate that is there now has replaced.
fn clear(ledger: &mut Ledger, key: &str, actions: &mut Vec<Action>) {
    let Some(entry) = ledger.entries.get_mut(key) else { return };
    for job in std::mem::take(&mut entry.replaced) {
        let job = Box::new(StoredJob::new(job, What::Setting));
        actions.push(Action::Queue { key: None, purpose: format!("remove what {key} replaces"), job });
    }
}

//! `lanyard device run`: the service that keeps a device's schedule, its sessions and its renewals.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    pin::pin,
    process::{Command, Stdio},
    time::Duration,
};

use clap::Args;
use lanyard_agent::{
    error::AgentError,
    mdm::{Account, sync::next_session},
    model::{
        text::printable,
        time::{Span, Timestamp},
    },
    store::DeviceStore,
    upkeep::{self, Attention, Done, Way, WorkResult},
};
use serde_json::json;

use super::{
    StoreArgs,
    management::{clock, print_synced, renew_and_sync},
    open, output, parse_period,
    using::bring_up_to_date,
};

pub(super) const RUN_EXAMPLE: &str = "Examples:
  lanyard device run --store dev1
  lanyard device run --notify notify-send      # as a service of a desktop's user";

/// How long `run` waits after a failed session, at first and at most, in seconds.
const PAUSE: i64 = 60;
const MOST_PAUSE: i64 = 3600;
/// How long work may still take when the program is to stop.
const FAREWELL: Duration = Duration::from_secs(10);
/// How often a person is told the same.
const REMINDER: Span = Span::from_days(1);

/// `lanyard device run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// How often to look whether something is due
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_period)]
    look: Duration,
    /// Program that tells a person what only they can do: it gets a title and a sentence
    #[arg(long, value_name = "PROGRAM")]
    notify: Option<PathBuf>,
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

/// Keeps the schedule until told to stop, or until the server ends the management and nothing else is there.
pub(super) async fn run(args: RunArgs) -> Result<u8, AgentError> {
    let store = open(&args.store)?;
    if !has_something(&store)? {
        return Err(AgentError::NothingToKeep);
    }
    let mut turn = Some(store.turn_to_run()?);
    let mut stop = pin!(stop_signal());
    let mut failures = Failures::default();
    let mut told = Told::default();
    let mut joined = store.account()?.is_some();
    output::note("keeping the schedule of this device; end it with SIGTERM");
    loop {
        let now = clock()();
        if is_due(&store, &failures, now)? {
            let mut work = pin!(round(&store, &mut failures, args.store.json));
            tokio::select! {
                done = &mut work => done?,
                () = &mut stop => {
                    // What was begun is brought to its end, if that does not take long: half a session helps nobody.
                    let _ = tokio::time::timeout(FAREWELL, work).await;
                    return Ok(0);
                }
            }
        }
        if joined && store.account()?.is_none() {
            if !has_something(&store)? {
                return Ok(0);
            }
            // The turn went with what belonged to the management.
            drop(turn.take());
            turn = Some(store.turn_to_run()?);
        }
        joined = store.account()?.is_some();
        for one in told.fresh(upkeep::attention(&store, clock()())?, clock()()) {
            tell(&one, args.notify.as_deref());
        }
        tokio::select! {
            () = tokio::time::sleep(args.look) => {}
            () = &mut stop => return Ok(0),
        }
    }
}

/// Whether there is anything to keep renewed, or on its way.
pub(super) fn has_something(store: &DeviceStore) -> Result<bool, AgentError> {
    let by_scep = || Ok::<bool, AgentError>(upkeep::kept(store, clock()())?.iter().any(|one| one.way == Way::Scep));
    Ok(store.account()?.is_some() || by_scep()? || !store.pendings()?.is_empty())
}

/// Whether the device has something to do: a session, its identity, or a certificate of its own.
fn is_due(store: &DeviceStore, failures: &Failures, now: Timestamp) -> Result<bool, AgentError> {
    Ok(session_due(store, failures, now)?.is_some() || upkeep::is_due(store, now)?)
}

/// The account, when its first session is due, the next of its schedule, or a renewal of its identity.
fn session_due(store: &DeviceStore, failures: &Failures, now: Timestamp) -> Result<Option<Account>, AgentError> {
    if store.account()?.is_none() || !failures.may_try(now) {
        return Ok(None);
    }
    let (account, identity) = store.joined_with_identity()?;
    let renewal = account.renewal.automatic && account.is_renewal_due(identity.about.not_after, now);
    let due = account.synced_at.is_none() || now >= next_session(&account) || renewal;
    Ok(due.then_some(account))
}

/// One round of work. What fails is told and tried again.
async fn round(store: &DeviceStore, failures: &mut Failures, as_json: bool) -> Result<(), AgentError> {
    if session_due(store, failures, clock()())?.is_some() {
        match renew_and_sync(store, None, true).await {
            Ok(synced) => {
                print_synced(&synced, as_json);
                *failures = Failures::default();
            }
            Err(error) => {
                output::error(&error, as_json);
                failures.note(clock()());
            }
        }
    }
    if upkeep::is_due(store, clock()())? {
        let waiting = store.clone();
        let turn = tokio::task::spawn_blocking(move || waiting.turn_to_work()).await;
        let _turn = turn.map_err(|_| AgentError::Interrupted)??;
        let done = upkeep::work(store, &clock()).await?;
        done.iter().for_each(|one| print_done(one, as_json));
        if done.iter().any(|one| matches!(one.result, WorkResult::Obtained(..))) {
            // Whoever uses a certificate uses the new one from now on.
            bring_up_to_date(store, false)?;
        }
    }
    Ok(())
}

fn print_done(done: &Done, as_json: bool) {
    if as_json {
        return output::print_json(&match &done.result {
            WorkResult::Obtained(id, until) => {
                json!({ "outcome": "issued", "before": done.id, "id": id, "not_after": until.to_string() })
            }
            WorkResult::Tried(tried) => {
                json!({ "outcome": tried.outcome, "id": done.id, "message": tried.told, "fix": tried.fix })
            }
        });
    }
    match &done.result {
        WorkResult::Obtained(id, until) => output::line(&format!("obtained {id} for {} until {until}", printable(&done.subject))),
        WorkResult::Tried(tried) => output::note(&format!("{}: {}; trying again later", done.subject, tried.told)),
    }
}

/// What a person was told, and when.
#[derive(Default)]
struct Told(BTreeMap<(String, String), Timestamp>);

impl Told {
    /// What is to be told now: news, and what is a day old.
    fn fresh(&mut self, all: Vec<Attention>, now: Timestamp) -> Vec<Attention> {
        let key = |one: &Attention| (one.id.to_string(), one.what.clone());
        self.0.retain(|known, _| all.iter().any(|one| key(one) == *known));
        let is_fresh = |one: &Attention| self.0.get(&key(one)).is_none_or(|at| now < *at || now >= *at + REMINDER);
        let fresh: Vec<Attention> = all.iter().filter(|one| is_fresh(one)).cloned().collect();
        self.0.extend(fresh.iter().map(|one| (key(one), now)));
        fresh
    }
}

fn tell(one: &Attention, program: Option<&std::path::Path>) {
    output::note(&format!("needs you: {}: {}", one.subject, one.what));
    output::note(&format!("fix: {}", one.fix));
    let Some(program) = program else { return };
    let text = printable(&format!("{}: {}. What to do: {}", one.subject, one.what, one.fix));
    let mut command = Command::new(program);
    command.args(["Certificate of this device", &text]).stdin(Stdio::null()).stdout(Stdio::null());
    match command.spawn() {
        // Nobody waits for a person to read; the child is taken off when it ends.
        Ok(mut child) => drop(std::thread::spawn(move || child.wait())),
        Err(error) => output::note(&format!("{} cannot be started: {error}", program.display())),
    }
}

/// Failures one after another. The waits are told by the clock on the wall, so that a device that slept tries when it wakes.
#[derive(Default)]
struct Failures {
    count: u32,
    last: Option<Timestamp>,
}

impl Failures {
    fn may_try(&self, now: Timestamp) -> bool {
        // A clock that was set back must not keep the device waiting.
        self.last.is_none_or(|last| now < last || now >= last + Span::from_secs(self.pause()))
    }

    fn pause(&self) -> i64 {
        (PAUSE << self.count.saturating_sub(1).min(10)).min(MOST_PAUSE)
    }

    fn note(&mut self, now: Timestamp) {
        self.count = self.count.saturating_add(1);
        self.last = Some(now);
        output::note(&format!("trying again in {} s", self.pause()));
    }
}

/// Ends when somebody wants the program to stop.
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        },
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}

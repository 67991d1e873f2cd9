//! `lanyard bench fleet`: a fleet of simulated Windows devices against a server of its own.

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use lanyard_agent::{
    error::AgentError,
    key::DeviceKey,
    mdm::{
        Account, EnrollmentType, JoinCredential, JoinOptions, RenewalProof,
        renew::{InUse, obtain},
        simulate::{MemoryTree, hold},
    },
    model::secret::SecretText,
    store::Identity,
};
use lanyard_server::{
    api::fleet_types::{FleetJob, PushOrder},
    clock::{Clock, SystemClock},
};
use serde::Serialize;
use tokio::sync::Mutex;

use super::{
    scep::keys,
    site::{Running, Site, Usage},
};
use crate::print;

/// Devices of one user.
const DEVICES_PER_USER: usize = 5;
const PASSWORD: &str = "a password for measuring";

/// Arguments of `lanyard bench fleet`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  lanyard bench fleet\n  lanyard bench fleet --devices 10000\n  lanyard bench fleet --devices 500 --json\n\n\
    The hash of the user's password, which costs 50 ms of CPU time by design, is made cheap here, so that it does not hide everything else."
)]
pub struct Arguments {
    /// Devices.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    devices: usize,
    /// Devices at work at a time.
    #[arg(long, value_name = "N", default_value_t = 32)]
    concurrency: usize,
    /// Directory for the installation instead of one that is removed afterwards.
    #[arg(long, value_name = "DIR")]
    dir: Option<std::path::PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What one kind of work cost.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row {
    what: &'static str,
    done: usize,
    failed: usize,
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// CPU time of the server for each, in microseconds.
    cpu_us: f64,
    /// Messages that devices sent, for each.
    messages: f64,
    memory_mib: f64,
}

/// A simulated device.
struct Device {
    account: Account,
    identity: Identity,
    key: Arc<DeviceKey>,
    tree: MemoryTree,
}

/// Runs it.
pub async fn run(arguments: Arguments) -> ExitCode {
    match measure(&arguments).await {
        Ok(rows) if arguments.json => print::json(&rows),
        Ok(rows) => {
            print::line(&format!("{} Windows devices, each with connections of its own", arguments.devices));
            print::table(
                &["What", "Done", "Failed", "Per second", "p50 ms", "p99 ms", "CPU us each", "Messages each", "Memory MiB"],
                rows.iter().map(Row::cells).collect(),
                "nothing was measured",
            )
        }
        Err(problem) => print::fail(&problem, None),
    }
}

impl Row {
    fn cells(&self) -> Vec<String> {
        vec![
            self.what.to_owned(),
            self.done.to_string(),
            self.failed.to_string(),
            format!("{:.0}", self.per_second),
            format!("{:.1}", self.p50_ms),
            format!("{:.1}", self.p99_ms),
            format!("{:.0}", self.cpu_us),
            format!("{:.1}", self.messages),
            format!("{:.0}", self.memory_mib),
        ]
    }
}

async fn measure(arguments: &Arguments) -> Result<Vec<Row>, String> {
    let temporary = tempfile::TempDir::with_prefix("lanyard-bench-").map_err(|e| e.to_string())?;
    let dir = arguments.dir.as_deref().unwrap_or(temporary.path());
    let site = Site::create_for_devices(dir).await?;
    site.add_users(arguments.devices.div_ceil(DEVICES_PER_USER), PASSWORD).await?;
    let keys = Arc::new(keys().await?);
    let running = site.serve().await?;
    let work = Work { arguments, running: &running };

    let fleet: Arc<Vec<Mutex<Option<Device>>>> = Arc::new((0..arguments.devices).map(|_| Mutex::new(None)).collect());
    let mut rows = Vec::new();
    let (options, slots, pool) = (site.join_options(PASSWORD), Arc::clone(&fleet), Arc::clone(&keys));
    rows.push(
        work.run("enrolment", None, move |number| {
            let (options, slots, keys) = (options.clone(), Arc::clone(&slots), Arc::clone(&pool));
            async move { enrol(options, &slots, number, &keys).await }
        })
        .await?,
    );
    for what in ["first session", "session without news"] {
        let slots = Arc::clone(&fleet);
        rows.push(work.run(what, None, move |number| session(Arc::clone(&slots), number)).await?);
    }
    // A question in each session makes it one of four messages: hello, question, answer, end.
    let mut rate = None;
    for what in ["session, one question", "the same, half the rate"] {
        ask_all(&site, &fleet).await?;
        let slots = Arc::clone(&fleet);
        let row = work.run(what, rate, move |number| session(Arc::clone(&slots), number)).await?;
        rate = Some(row.per_second / 2.0);
        rows.push(row);
    }
    let (slots, pool) = (Arc::clone(&fleet), Arc::clone(&keys));
    rows.push(
        work.run("renewal", None, move |number| {
            let (slots, keys) = (Arc::clone(&slots), Arc::clone(&pool));
            async move { renewal(&slots, number, &keys).await }
        })
        .await?,
    );
    running.stop().await;
    Ok(rows)
}

/// Queues a question for every device.
async fn ask_all(site: &Site, fleet: &[Mutex<Option<Device>>]) -> Result<(), String> {
    let target = site.target();
    for slot in fleet {
        let Some(client) = slot.lock().await.as_ref().map(|device| device.account.device_id.clone()) else { continue };
        let order = PushOrder { what: "describe".into(), value: String::new() };
        let asked: Result<Vec<FleetJob>, _> = target.post(&format!("/fleet/{client}/jobs"), &order).await;
        asked.map_err(|e| e.to_string())?;
    }
    Ok(())
}

async fn enrol(
    options: JoinOptions,
    slots: &[Mutex<Option<Device>>],
    number: usize,
    keys: &[Arc<DeviceKey>],
) -> Result<u32, AgentError> {
    let key = keys.get(number % keys.len().max(1)).ok_or(AgentError::Interrupted)?;
    let options =
        JoinOptions { key: Some(key.pkcs8()?.clone()), device_name: format!("device-{number}"), user: user(number), ..options };
    let joined = lanyard_agent::mdm::join(None, options).await?;
    let device = Device { account: joined.account, identity: joined.identity, key: joined.key, tree: MemoryTree::new() };
    let slot = slots.get(number).ok_or(AgentError::Interrupted)?;
    *slot.lock().await = Some(device);
    // The probe is no message.
    Ok(3)
}

fn user(device: usize) -> String {
    format!("user{}", device / DEVICES_PER_USER)
}

async fn session(slots: Arc<Vec<Mutex<Option<Device>>>>, number: usize) -> Result<u32, AgentError> {
    let slot = slots.get(number).ok_or(AgentError::Interrupted)?;
    let mut slot = slot.lock().await;
    let device = slot.as_mut().ok_or(AgentError::NotJoined)?;
    hold(&mut device.account, &device.identity, &device.key, &mut device.tree).await
}

async fn renewal(slots: &[Mutex<Option<Device>>], number: usize, keys: &[Arc<DeviceKey>]) -> Result<u32, AgentError> {
    let slot = slots.get(number).ok_or(AgentError::Interrupted)?;
    let mut slot = slot.lock().await;
    let device = slot.as_mut().ok_or(AgentError::NotJoined)?;
    let key = keys.get((number + 1) % keys.len().max(1)).ok_or(AgentError::Interrupted)?;
    let old = InUse { identity: &device.identity, key: &device.key };
    let renewed = obtain(&device.account, &old, RenewalProof::Automatic, Some(Arc::clone(key)), SystemClock.now()).await?;
    (device.account, device.identity, device.key) = (renewed.account, renewed.identity, renewed.key);
    Ok(2)
}

struct Work<'a> {
    arguments: &'a Arguments,
    running: &'a Running,
}

impl Work<'_> {
    /// Lets every device do something once; at a rate a second, if one is given.
    async fn run<F, R>(&self, what: &'static str, rate: Option<f64>, one: F) -> Result<Row, String>
    where
        F: Fn(usize) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Result<u32, AgentError>> + Send + 'static,
    {
        let devices = self.arguments.devices;
        let bar = ProgressBar::new(devices as u64).with_message(what);
        if let Ok(style) = ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} {eta}") {
            bar.set_style(style);
        }
        let (before, began) = (self.running.usage().await?, Instant::now());
        let next = Arc::new(AtomicUsize::new(0));
        let mut workers = tokio::task::JoinSet::new();
        for _ in 0..self.arguments.concurrency.max(1) {
            let (next, one, bar) = (Arc::clone(&next), one.clone(), bar.clone());
            workers.spawn(async move {
                let mut took = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= devices {
                        break took;
                    }
                    if let Some(rate) = rate {
                        let due = began + Duration::from_secs_f64(number as f64 / rate.max(0.1));
                        tokio::time::sleep_until(due.into()).await;
                    }
                    let begins = Instant::now();
                    let done = one(number).await;
                    took.push((begins.elapsed(), done));
                    bar.inc(1);
                }
            });
        }
        let done: Vec<_> = workers.join_all().await.into_iter().flatten().collect();
        let (wall, after) = (began.elapsed(), self.running.usage().await?);
        bar.finish_and_clear();
        Row::of(what, done, wall, (before, after))
    }
}

impl Row {
    fn of(
        what: &'static str,
        done: Vec<(Duration, Result<u32, AgentError>)>,
        wall: Duration,
        (before, after): (Usage, Usage),
    ) -> Result<Self, String> {
        let all = done.len().max(1) as f64;
        let mut took = Vec::new();
        let (mut messages, mut first_failure) = (0_u64, None);
        for (duration, outcome) in done {
            match outcome {
                Ok(sent) => {
                    took.push(duration);
                    messages += u64::from(sent);
                }
                Err(error) => {
                    first_failure.get_or_insert_with(|| error.to_string());
                }
            }
        }
        if let (true, Some(failure)) = (took.is_empty(), &first_failure) {
            return Err(format!("{what}: nothing succeeded; the first failure: {failure}"));
        }
        if let Some(failure) = first_failure {
            print::remark(&format!("{what}: not all succeeded; the first failure: {failure}"));
        }
        took.sort_unstable();
        let at = |share: f64| took.get(((took.len() as f64 * share) as usize).min(took.len().saturating_sub(1)));
        let ms = |share: f64| at(share).map_or(0.0, |d| d.as_secs_f64() * 1e3);
        Ok(Self {
            what,
            done: took.len(),
            failed: all as usize - took.len(),
            per_second: took.len() as f64 / wall.as_secs_f64(),
            p50_ms: ms(0.5),
            p99_ms: ms(0.99),
            cpu_us: (after.cpu.saturating_sub(before.cpu)).as_secs_f64() * 1e6 / all,
            messages: messages as f64 / took.len().max(1) as f64,
            memory_mib: after.memory.1 as f64 / f64::from(1 << 20),
        })
    }
}

impl Site {
    fn join_options(&self, password: &str) -> JoinOptions {
        JoinOptions {
            server: Some(self.url().to_owned()),
            user: String::new(),
            credential: JoinCredential::Password(SecretText::new(password.to_owned())),
            form: EnrollmentType::Full,
            device_name: String::new(),
            tls_roots: Some(self.root().to_vec()),
            key: None,
            clock: Arc::new(|| SystemClock.now()),
        }
    }
}

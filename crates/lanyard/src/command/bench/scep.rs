//! `lanyard bench scep`.

use std::{process::ExitCode, sync::Arc, time::Duration};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use lanyard_agent::{
    key::DeviceKey,
    scep::{
        TrustedServer,
        load::{Answered, Prepared, send},
    },
};
use lanyard_server::{
    KeyKind,
    clock::{Clock, SystemClock},
    floor,
};

use super::{
    peer,
    report::{Report, Row},
    site::{Running, Site, Usage},
};
use crate::print;

/// Keys that devices share: making one takes longer than enrolling with it.
const KEYS: usize = 16;
const FLOOR_ROUNDS: u32 = 400;
/// Requests before each measurement, so that caches and connections are as they are on any day.
const WARM_UP: usize = 50;

/// Arguments of `lanyard bench scep`.
#[derive(Args)]
#[command(after_help = "Examples:\n  lanyard bench scep\n  lanyard bench scep --requests 4000 --connections 1,64 --json\n  \
    lanyard bench scep --certificates 1000000 --connections 16\n  lanyard bench scep --database-file db.url   (a file with postgres://…, an empty database)")]
pub struct Arguments {
    /// Enrolments for each number of connections.
    #[arg(long, value_name = "N", default_value_t = 1500)]
    requests: usize,
    /// Numbers of connections to measure with.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,4,16,64")]
    connections: Vec<usize>,
    /// File with the URL of an empty PostgreSQL database; without it, SQLite in a temporary directory.
    #[arg(long, value_name = "FILE")]
    database_file: Option<std::path::PathBuf>,
    /// Certificates and requests to store beforehand (SQLite and PostgreSQL; a million takes minutes and two gigabytes).
    #[arg(long, value_name = "N", default_value_t = 0)]
    certificates: u64,
    /// Also send the same kind of requests to Debian's scepserver (package scep), over one connection.
    #[arg(long)]
    peer: bool,
    /// Directory for the installation instead of one that is removed afterwards.
    #[arg(long, value_name = "DIR")]
    dir: Option<std::path::PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub async fn run(arguments: Arguments) -> ExitCode {
    match measure(&arguments).await {
        Ok(report) if arguments.json => print::json(&report),
        Ok(report) => report.print(),
        Err(problem) => print::fail(&problem, None),
    }
}

async fn measure(arguments: &Arguments) -> Result<Report, String> {
    let temporary = tempfile::TempDir::with_prefix("lanyard-bench-").map_err(|e| e.to_string())?;
    let dir = arguments.dir.as_deref().unwrap_or(temporary.path());
    let database = match &arguments.database_file {
        None => None,
        Some(file) => Some(std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?.trim().to_owned()),
    };
    let engine = if database.is_some() { "PostgreSQL" } else { "SQLite" };
    let site = Site::create(dir, database).await?;
    let keys = keys().await?;
    if arguments.certificates > 0 {
        let bar = spinner(&format!("storing {} certificates", arguments.certificates));
        let server = site.open().await?;
        server.store.fill(arguments.certificates).await.map_err(|e| lanyard_server::error::chain(&e))?;
        server.store.close().await;
        bar.finish_and_clear();
    }
    let mut used = 0;
    let running = site.serve().await?;
    let trusted = site.trust(running.http).await?;
    let sample = prepare(&site, &mut used, 1, &keys, &trusted).await?;
    running.stop().await;
    let floor = floor_of(&site, &sample, &keys).await?;
    let mut rows = Vec::new();
    for &connections in &arguments.connections {
        // A server that is just started, so that no figure carries what an earlier one left in memory.
        let running = site.serve().await?;
        let warm = prepare(&site, &mut used, WARM_UP.min(arguments.requests), &keys, &trusted).await?;
        let requests = prepare(&site, &mut used, arguments.requests, &keys, &trusted).await?;
        answered(&running, warm, connections, &trusted).await?;
        let bar = spinner(&format!("enrolling over {connections} connections"));
        let before = running.usage().await?;
        let (answers, wall) = send(running.http, "/scep/default", requests, connections).await.map_err(|e| e.to_string())?;
        let after = running.usage().await?;
        bar.finish_and_clear();
        rows.push(row(connections, check(&answers, &trusted)?, wall, before, after));
        running.stop().await;
    }
    let peer = if arguments.peer { Some(peer::measure(&keys, arguments.requests.min(500)).await?) } else { None };
    Ok(Report::new(engine, arguments.certificates, floor, rows, peer))
}

pub(super) async fn keys() -> Result<Vec<Arc<DeviceKey>>, String> {
    let bar = spinner("making keys");
    let mut keys = Vec::with_capacity(KEYS);
    for _ in 0..KEYS {
        keys.push(DeviceKey::generate(KeyKind::Rsa(2048)).await.map_err(|e| e.to_string())?);
    }
    bar.finish_and_clear();
    Ok(keys)
}

async fn prepare(
    site: &Site,
    used: &mut usize,
    count: usize,
    keys: &[Arc<DeviceKey>],
    server: &TrustedServer,
) -> Result<Vec<Prepared>, String> {
    let style = ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len}").unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(count as u64).with_style(style).with_message("preparing requests");
    let numbers = *used..*used + count;
    *used += count;
    let counting = bar.clone();
    let prepared = site.prepare(numbers, keys, server, move || counting.inc(1)).await;
    bar.finish_and_clear();
    prepared
}

async fn floor_of(site: &Site, sample: &[Prepared], keys: &[Arc<DeviceKey>]) -> Result<Duration, String> {
    let server = site.open().await?;
    let (message, key) = match (sample.first(), keys.first()) {
        (Some(prepared), Some(key)) => (prepared.message().to_vec(), key.pkcs8().map_err(|e| e.to_string())?.clone()),
        _ => return Err("there is nothing to measure".into()),
    };
    let measured = Arc::clone(&server);
    let floor = tokio::task::spawn_blocking(move || {
        // Once to warm up.
        floor::scep(&measured, &message, &key, FLOOR_ROUNDS / 4)?;
        floor::scep(&measured, &message, &key, FLOOR_ROUNDS)
    });
    let floor = floor.await.map_err(|e| e.to_string())?.map_err(|e| lanyard_server::error::chain(&e))?;
    server.store.close().await;
    Ok(floor)
}

async fn answered(running: &Running, requests: Vec<Prepared>, connections: usize, server: &TrustedServer) -> Result<(), String> {
    let (answers, _) = send(running.http, "/scep/default", requests, connections).await.map_err(|e| e.to_string())?;
    check(&answers, server).map(drop)
}

/// Every answer must be a certificate for the key that asked. Returns how long each took, shortest first.
fn check(answers: &[Answered], server: &TrustedServer) -> Result<Vec<Duration>, String> {
    let now = SystemClock.now();
    let bad = answers.iter().filter(|answer| !answer.is_certificate(&server.ca, now)).count();
    if bad > 0 || answers.is_empty() {
        return Err(format!("{bad} of {} answers were no certificate", answers.len()));
    }
    let mut took: Vec<Duration> = answers.iter().map(|answer| answer.took).collect();
    took.sort_unstable();
    Ok(took)
}

fn row(connections: usize, took: Vec<Duration>, wall: Duration, before: Usage, after: Usage) -> Row {
    Row::new(connections, &took, wall, after.cpu.saturating_sub(before.cpu), after.memory.1)
}

fn spinner(message: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(message.to_owned());
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

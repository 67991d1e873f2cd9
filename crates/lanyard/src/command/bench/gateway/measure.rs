//! What is measured, and how it is printed.

use std::{process::ExitCode, time::Duration};

use clap::Args;
use lanyard_server::clock::{Clock, SystemClock};
use serde::Serialize;

use super::{
    change,
    load::{Clients, back_end},
    papers::Papers,
    servers::{Proxy, Usage},
};
use crate::print;

/// Requests that warm a server up.
const WARM: usize = 300;
/// Most held connections: each is two open files in the server, and two here. The usual limit is 20,000.
pub const MOST_HELD: usize = 9_900;
/// Open files that these need.
const FILES: u64 = 20_000;
/// So long the back end is given to hear of the last held request.
const SETTLE: Duration = Duration::from_secs(1);

/// Arguments of `lanyard bench gateway`.
#[derive(Args)]
#[command(after_help = "Examples:\n  lanyard bench gateway\n  lanyard bench gateway --peers --json\n\n\
    The clients and the back end share the machine and take part of its time; CPU is that of the server alone.")]
pub struct Arguments {
    /// Full handshakes with client certificates, each with one request.
    #[arg(long, value_name = "N", default_value_t = 3000)]
    handshakes: usize,
    /// Requests over connections that are kept.
    #[arg(long, value_name = "N", default_value_t = 40_000)]
    requests: usize,
    /// Clients at a time.
    #[arg(long, value_name = "N", default_value_t = 32)]
    clients: usize,
    /// Connections with a held request, to see what memory one takes; 0 leaves that out.
    #[arg(long, value_name = "N", default_value_t = MOST_HELD)]
    held: usize,
    /// Revocations whose way to the gateway is timed; 0 leaves that out.
    #[arg(long, value_name = "N", default_value_t = 50)]
    revocations: usize,
    /// Also measure nginx and HAProxy (packages nginx-light and haproxy).
    #[arg(long)]
    peers: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// One server.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Row {
    server: &'static str,
    handshake_cpu_us: f64,
    handshake_p99_ms: f64,
    request_cpu_us: f64,
    request_p50_ms: f64,
    request_p99_ms: f64,
    requests_per_second: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    held_connection_kib: Option<f64>,
}

/// All of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report {
    servers: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revocation: Option<Change>,
}

/// From a revocation to the first refusal.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Change {
    count: usize,
    p50_ms: f64,
    p99_ms: f64,
}

/// Runs it.
pub async fn run(arguments: Arguments) -> ExitCode {
    let report = match measure(&arguments).await {
        Ok(report) => report,
        Err(problem) => return print::fail(&problem, None),
    };
    if arguments.json {
        return print::json(&report);
    }
    let Report { servers: rows, revocation } = report;
    print::line(&format!(
        "client certificates on P-256, {} clients; {} full handshakes with a request each, {} requests over kept connections, {} held",
        arguments.clients, arguments.handshakes, arguments.requests, arguments.held
    ));
    let cells = rows.iter().map(|row| {
        vec![
            row.server.to_owned(),
            format!("{:.0}", row.handshake_cpu_us),
            format!("{:.1}", row.handshake_p99_ms),
            format!("{:.1}", row.request_cpu_us),
            format!("{:.2}", row.request_p50_ms),
            format!("{:.2}", row.request_p99_ms),
            format!("{:.0}", row.requests_per_second),
            row.held_connection_kib.map_or_else(String::new, |kib| format!("{kib:.1}")),
        ]
    });
    let head =
        ["Server", "Handshake CPU us", "p99 ms", "Request CPU us", "p50 ms", "p99 ms", "Per second", "KiB per held connection"];
    print::table(&head, cells.collect(), "nothing was measured");
    if let Some(words) = ratios(&rows) {
        print::line(&words);
    }
    if let Some(Change { count, p50_ms, p99_ms }) = revocation {
        print::line(&format!("from a revocation to the first refusal: p50 {p50_ms:.0} ms, p99 {p99_ms:.0} ms, of {count}"));
    }
    ExitCode::SUCCESS
}

/// The gateway beside the better of its peers, and with rules beside without.
fn ratios(rows: &[Row]) -> Option<String> {
    let [plain, ruled, peers @ ..] = rows else { return None };
    let rules = ruled.request_cpu_us / plain.request_cpu_us;
    let best = |value: fn(&Row) -> f64| peers.iter().map(value).fold(f64::INFINITY, f64::min);
    let mut words = format!("rules and mapping: {rules:.2} of the CPU for a request without");
    if !peers.is_empty() {
        let handshake = plain.handshake_cpu_us / best(|row| row.handshake_cpu_us);
        let request = plain.request_cpu_us / best(|row| row.request_cpu_us);
        let late = plain.request_p99_ms / best(|row| row.request_p99_ms);
        words = format!(
            "of the better peer: {handshake:.2} of the CPU for a handshake, {request:.2} for a request, {late:.2} of the p99; {words}"
        );
    }
    Some(words)
}

async fn measure(arguments: &Arguments) -> Result<Report, String> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    if arguments.held > 0 && limit.current.is_some_and(|files| files < FILES) {
        return Err(format!("held connections need {FILES} open files: ulimit -n {FILES}, or --held 0"));
    }
    if arguments.held > MOST_HELD {
        return Err(format!("at most {MOST_HELD} connections can be held"));
    }
    let folder = tempfile::TempDir::with_prefix("lanyard-bench-gateway-").map_err(|e| e.to_string())?;
    let papers = Papers::write(folder.path(), SystemClock.now())?;
    let back_end = back_end().await.map_err(|e| e.to_string())?;
    let mut rows = Vec::new();
    for ruled in [false, true] {
        let proxy = Proxy::gateway(folder.path(), &papers, back_end, ruled).await?;
        rows.push(row(arguments, &papers, proxy).await?);
    }
    if arguments.peers {
        rows.push(row(arguments, &papers, Proxy::nginx(folder.path(), back_end).await?).await?);
        rows.push(row(arguments, &papers, Proxy::haproxy(folder.path(), back_end).await?).await?);
    }
    let revocation = match arguments.revocations {
        0 => None,
        count => {
            let took = change::measure(folder.path(), &papers, back_end, count).await?;
            Some(Change { count, p50_ms: at(&took, 0.5), p99_ms: at(&took, 0.99) })
        }
    };
    Ok(Report { servers: rows, revocation })
}

async fn row(arguments: &Arguments, papers: &Papers, proxy: Proxy) -> Result<Row, String> {
    let failed = |e: std::io::Error| format!("{}: {e}", proxy.name);
    let clients = Clients::new(papers, proxy.address)?;
    clients.requests(WARM, arguments.clients).await.map_err(failed)?;
    let before = proxy.usage();
    let shaken = clients.handshakes(arguments.handshakes, arguments.clients).await.map_err(failed)?;
    let between = proxy.usage();
    let start = std::time::Instant::now();
    let asked = clients.requests(arguments.requests, arguments.clients).await.map_err(failed)?;
    let (wall, after) = (start.elapsed(), proxy.usage());
    let held_connection_kib = match arguments.held {
        0 => None,
        held => {
            let kept = clients.held(held).await.map_err(failed)?;
            tokio::time::sleep(SETTLE).await;
            let more = proxy.usage().memory.saturating_sub(after.memory);
            drop(kept);
            Some(more as f64 / 1024.0 / held as f64)
        }
    };
    let row = Row {
        server: proxy.name,
        handshake_cpu_us: each(before, between, arguments.handshakes),
        handshake_p99_ms: at(&shaken, 0.99),
        request_cpu_us: each(between, after, arguments.requests),
        request_p50_ms: at(&asked, 0.5),
        request_p99_ms: at(&asked, 0.99),
        requests_per_second: arguments.requests as f64 / wall.as_secs_f64(),
        held_connection_kib,
    };
    proxy.stop().await;
    Ok(row)
}

fn each(before: Usage, after: Usage, count: usize) -> f64 {
    after.cpu.saturating_sub(before.cpu).as_secs_f64() * 1e6 / count.max(1) as f64
}

/// A quantile of sorted times, in milliseconds.
fn at(took: &[Duration], quantile: f64) -> f64 {
    let place = (took.len().saturating_sub(1) as f64 * quantile) as usize;
    took.get(place).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

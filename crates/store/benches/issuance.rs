//! What it costs to store an issuance: both transactions, on SQLite, by callers who write alone and by many at once. The figure beside it
//! is the same number of commits of one small row each, which is what the file and the disk cost without Lanyard's records.

// A measurement that cannot be made should end loudly, and its result is what it prints.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::{path::Path, sync::Arc, time::Duration};

use lanyard_store::{ports::Store, sql::Database, sqlite};
use tempfile::TempDir;

#[allow(dead_code)]
#[path = "../tests/battery/sample.rs"]
mod sample;

/// So few that the log is not moved into the database meanwhile, and its length tells what was written.
const ISSUANCES: u32 = 400;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!("{:>8} {:>14} {:>14} {:>8} {:>12}", "callers", "issuance, us", "two rows, us", "ratio", "log, octets");
    for callers in [1, 16, 64] {
        let (issuance, log) = runtime.block_on(measure(callers, issue));
        let (floor, _) = runtime.block_on(measure(callers, rows));
        let (issuance, floor) = (micros(issuance), micros(floor));
        println!("{callers:>8} {issuance:>14.0} {floor:>14.0} {:>8.2} {log:>12}", issuance / floor);
    }
}

/// CPU time of the process for each issuance, and octets of the write-ahead log.
async fn measure<F: Future<Output = ()> + Send + 'static>(callers: u32, work: fn(Database, u32) -> F) -> (Duration, u64) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("lanyard.db");
    let store = sqlite::open(&path).await.unwrap();
    let before = process_cpu();
    let turns = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..callers {
        let (store, turns) = (store.clone(), Arc::clone(&turns));
        tasks.spawn(async move {
            loop {
                let n = turns.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                if n >= ISSUANCES {
                    break;
                }
                let _at_work = store.callers().enter();
                work(store.clone(), n.wrapping_mul(2_654_435_761)).await;
            }
        });
    }
    tasks.join_all().await;
    let used = (process_cpu() - before) / ISSUANCES;
    (used, log_length(&path) / u64::from(ISSUANCES))
}

async fn issue(store: Database, n: u32) {
    sample::issue(&store, n).await;
}

async fn rows(store: Database, n: u32) {
    use lanyard_store::ports::DirectoryStore;
    store.save_setting(&n.to_string(), vec![1]).await.unwrap();
    store.save_setting(&n.to_string(), vec![2]).await.unwrap();
}

fn log_length(database: &Path) -> u64 {
    std::fs::metadata(database.with_extension("db-wal")).map_or(0, |m| m.len())
}

fn process_cpu() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(used).unwrap()
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

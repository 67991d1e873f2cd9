//! Figures, for people and for scripts.

use std::{process::ExitCode, time::Duration};

use serde::Serialize;

use crate::print;

/// The figures of one run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// Database.
    pub engine: &'static str,
    /// Certificates stored before.
    pub stored_certificates: u64,
    /// CPU time of the cryptography alone, in microseconds.
    pub floor_us: f64,
    /// One for each number of connections.
    pub rows: Vec<Row>,
    /// The peer, when it was asked for.
    pub peer: Option<Peer>,
}

/// What one number of connections gave.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Row {
    /// Connections.
    pub connections: usize,
    /// Enrolments, each checked.
    pub enrolments: usize,
    /// Enrolments a second; the clients share the machine.
    pub per_second: f64,
    /// Median and 99th percentile of the time from request to answer, in milliseconds.
    pub p50_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// CPU time of the server for one enrolment, in microseconds.
    pub cpu_us: f64,
    /// Floor divided by that: 1 would be nothing but cryptography.
    pub of_floor: f64,
    /// Most memory the server's process had, in mebibytes.
    pub memory_mib: f64,
}

/// What the peer gave.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Peer {
    /// Its name.
    pub name: &'static str,
    /// Certificates it issued.
    pub enrolments: usize,
    /// Enrolments a second over one connection.
    pub per_second: f64,
    /// CPU time for one enrolment, in microseconds.
    pub cpu_us: f64,
    /// Our CPU time over one connection divided by that.
    pub ours: Option<f64>,
}

impl Row {
    /// Figures from times (sorted), wall clock, CPU time and memory.
    pub fn new(connections: usize, took: &[Duration], wall: Duration, cpu: Duration, memory: u64) -> Self {
        let count = took.len().max(1) as f64;
        let at = |part: usize| {
            took.get((took.len() * part / 100).min(took.len().saturating_sub(1))).map_or(0.0, |t| t.as_secs_f64() * 1e3)
        };
        Self {
            connections,
            enrolments: took.len(),
            per_second: count / wall.as_secs_f64(),
            p50_ms: at(50),
            p99_ms: at(99),
            cpu_us: cpu.as_secs_f64() * 1e6 / count,
            of_floor: 0.0,
            memory_mib: memory as f64 / 1_048_576.0,
        }
    }
}

impl Report {
    /// Puts the figures in relation to each other.
    pub fn new(engine: &'static str, stored: u64, floor: Duration, mut rows: Vec<Row>, mut peer: Option<Peer>) -> Self {
        let floor_us = floor.as_secs_f64() * 1e6;
        for row in &mut rows {
            row.of_floor = floor_us / row.cpu_us.max(f64::EPSILON);
        }
        if let Some(peer) = &mut peer {
            peer.ours = rows.iter().find(|row| row.connections == 1).map(|row| row.cpu_us / peer.cpu_us.max(f64::EPSILON));
        }
        Self { engine, stored_certificates: stored, floor_us, rows, peer }
    }

    /// For people.
    pub fn print(&self) -> ExitCode {
        print::line(&format!(
            "SCEP, first enrolments on {}, {} certificates stored before",
            self.engine, self.stored_certificates
        ));
        print::line(&format!("cryptographic floor: {:.0} us CPU for one enrolment\n", self.floor_us));
        let line = |row: &Row| {
            vec![
                row.connections.to_string(),
                row.enrolments.to_string(),
                format!("{:.0}", row.per_second),
                format!("{:.2}", row.p50_ms),
                format!("{:.2}", row.p99_ms),
                format!("{:.0}", row.cpu_us),
                format!("{:.2}", row.of_floor),
                format!("{:.0}", row.memory_mib),
            ]
        };
        let head = ["Connections", "Checked", "Per second", "p50 ms", "p99 ms", "CPU us each", "Floor / CPU", "Memory MiB"];
        let code = print::table(&head, self.rows.iter().map(line).collect(), "nothing was measured");
        if let Some(peer) = &self.peer {
            let ours = peer.ours.map(|ours| format!("; ours over one connection is {ours:.2} of that")).unwrap_or_default();
            print::line(&format!(
                "{}: {} enrolments over one connection, {:.0} a second, {:.0} us CPU each{ours}",
                peer.name, peer.enrolments, peer.per_second, peer.cpu_us
            ));
        }
        code
    }
}

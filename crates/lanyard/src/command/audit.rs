//! `lanyard audit`.

use std::process::ExitCode;

use clap::Subcommand;
use lanyard_server::api::types::{AuditRecord, AuditVerdict};

use crate::{admin::Target, print};

/// Commands on the audit log.
#[derive(Subcommand)]
pub enum Command {
    /// List records, oldest first.
    #[command(after_help = "Example:\n  lanyard audit list --dir ca --after 1000 --limit 50")]
    List {
        #[command(flatten)]
        target: Target,
        /// Only records after this place.
        #[arg(long, default_value_t = 0)]
        after: u64,
        /// At most this many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Follow the hash chain and its signed heads; name the first bad record. Exit code 1 if there is one.
    #[command(after_help = "Example:\n  lanyard audit verify --dir ca")]
    Verify {
        #[command(flatten)]
        target: Target,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs it.
pub async fn run(command: Command) -> ExitCode {
    match command {
        Command::List { target, after, limit, json } => {
            match target.get::<Vec<AuditRecord>>(&format!("/audit?after={after}&limit={limit}")).await {
                Ok(records) if json => print::json(&records),
                Ok(records) => {
                    let rows = records.into_iter().map(|r| {
                        let what: Vec<String> = [r.reason, r.object, r.detail].into_iter().flatten().collect();
                        vec![r.sequence.to_string(), r.at, r.kind, r.actor, what.join("; ")]
                    });
                    print::table(&["NO", "AT", "KIND", "ACTOR", "WHAT"], rows.collect(), "no records")
                }
                Err(error) => error.report(),
            }
        }
        Command::Verify { target, json } => match target.get::<AuditVerdict>("/audit/verify").await {
            Ok(verdict) => {
                let intact = verdict.intact;
                if json {
                    print::json(&verdict);
                } else {
                    tell(verdict);
                }
                if intact { ExitCode::SUCCESS } else { ExitCode::FAILURE }
            }
            Err(error) => error.report(),
        },
    }
}

fn tell(verdict: AuditVerdict) {
    match verdict.first_bad {
        None => {
            let head = verdict.head.unwrap_or_default();
            print::line(&format!("intact: {} records, {} signed heads, head {head}", verdict.records, verdict.signed_heads));
        }
        Some(sequence) => {
            let problem = verdict.problem.unwrap_or_default();
            print::line(&format!("BROKEN: record {sequence} is the first bad one: {problem}"));
        }
    }
}

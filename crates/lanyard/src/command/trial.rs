//! `lanyard profile check`.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use lanyard_server::api::replay::{Affected, Trial, Tried};

use crate::{admin::Target, print};

/// Options of the check.
#[derive(Args)]
pub struct Check {
    #[command(flatten)]
    target: Target,
    /// Decide the requests of this span again, such as 30d, and tell what would be refused or held.
    #[arg(long, value_name = "SPAN")]
    replay: Option<String>,
    /// A changed template or profile file, tried in place of the one of its name; may be given several times. Without it, the files in the
    /// data directory are tried, whether they are in force or not.
    #[arg(long, value_name = "FILE")]
    file: Vec<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs it: 0 when nobody would be refused or held, otherwise 1. Nothing is changed.
pub async fn run(check: Check) -> ExitCode {
    let mut files = Vec::new();
    for path in &check.file {
        match std::fs::read_to_string(path) {
            Ok(text) => files.push(text),
            Err(error) => return print::fail(&format!("cannot read {}: {error}", path.display()), None),
        }
    }
    let trial = Trial { replay: check.replay.clone(), files };
    match check.target.post::<_, Tried>("/policy/replay", &trial).await {
        Err(error) => error.report(),
        Ok(tried) => {
            let affected = !tried.refused.is_empty() || !tried.held.is_empty();
            if check.json {
                print::json(&tried);
            } else {
                tell(&tried, check.replay.as_deref());
            }
            if affected { ExitCode::FAILURE } else { ExitCode::SUCCESS }
        }
    }
}

fn tell(tried: &Tried, replay: Option<&str>) {
    let Some(span) = replay else {
        print::line(&format!("sound: {}", tried.rules));
        return;
    };
    let more = if tried.truncated { " (the newest of more)" } else { "" };
    print::line(&format!(
        "{} requests of the last {span}{more} decided again: {} would be refused, {} held for a person; {} would be refused either way, \
         {} could not be judged",
        tried.examined,
        tried.refused.len(),
        tried.held.len(),
        tried.refused_either_way,
        tried.skipped
    ));
    let rows = |all: &[Affected]| -> Vec<Vec<String>> {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
        all.iter()
            .map(|a| {
                let why = a.reason.clone().unwrap_or_else(|| "held".into());
                let client = text(&a.client);
                vec![a.request.clone(), a.received_at.clone(), text(&a.subject), text(&a.template), client, why, text(&a.detail)]
            })
            .collect()
    };
    let mut all = rows(&tried.refused);
    all.extend(rows(&tried.held));
    if !all.is_empty() {
        print::line("");
        print::table(&["REQUEST", "RECEIVED", "SUBJECT", "TEMPLATE", "CLIENT", "WHY", "DETAIL"], all, "");
    }
}

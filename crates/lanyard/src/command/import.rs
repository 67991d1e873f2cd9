//! `lanyard user import` and `lanyard fleet import`.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::Args;
use indicatif::ProgressBar;
use lanyard_server::api::types::{Import, Imported};

use crate::{admin::Target, print};

/// Arguments of both.
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
    /// CSV file in UTF-8; its first line names the columns.
    file: PathBuf,
    /// Only say what would be done.
    #[arg(long)]
    dry_run: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs it for `users` or `devices`.
pub async fn run(kind: &str, arguments: Arguments) -> ExitCode {
    let Arguments { target, file, dry_run, json } = arguments;
    let shown = file.display().to_string();
    let csv = match std::fs::read_to_string(&file) {
        Ok(csv) => csv,
        Err(error) => return print::fail(&format!("{shown}: {error}"), Some("save it as CSV in UTF-8")),
    };
    // Shown on a terminal only.
    let progress = ProgressBar::new_spinner().with_message(format!("{} lines of {shown}", csv.lines().count()));
    progress.enable_steady_tick(Duration::from_millis(100));
    let answer = target.post::<_, Imported>(&format!("/import/{kind}"), &Import { csv, dry_run }).await;
    progress.finish_and_clear();
    let imported = match answer {
        Ok(imported) => imported,
        Err(error) => return error.report(),
    };
    let failed = !imported.mistakes.is_empty();
    if json {
        let printed = print::json(&imported);
        return if failed { ExitCode::FAILURE } else { printed };
    }
    if failed {
        for mistake in &imported.mistakes {
            print::remark(&format!("{shown}: line {}, column {}: {}", mistake.line, mistake.column, mistake.problem));
        }
        return print::fail("nothing was imported", Some("correct the lines above and import the file again"));
    }
    let would = if dry_run { "would be " } else { "" };
    print::line(&format!(
        "{kind}: {} {would}added, {} {would}changed, {} unchanged",
        imported.added, imported.changed, imported.unchanged
    ));
    ExitCode::SUCCESS
}

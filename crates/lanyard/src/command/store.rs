//! `lanyard store`.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use lanyard_server::{
    SecretText, database, error::chain, hex, installation::Installation, installation::read_secret, move_database,
};
use serde::Serialize;

use crate::print;

/// Commands on the database.
#[derive(Subcommand)]
pub enum Command {
    /// Move an installation from its SQLite file to PostgreSQL: everything is copied, read back and compared, or nothing happens.
    #[command(after_help = "Example:\n  lanyard store migrate --dir ca --database-file db.url\n\n\
        Stop the server first. db.url holds postgres://user:password@host/database with mode 0600; the database must be empty.\n\
        Afterwards the directory uses the new database, and the old file stays as lanyard.db.moved.")]
    Migrate {
        /// Data directory.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// Address of the empty database.
        #[arg(long, value_name = "URL", conflicts_with = "database_file", required_unless_present = "database_file")]
        database: Option<String>,
        /// File with that address, so that a password in it does not show among the processes.
        #[arg(long, value_name = "FILE")]
        database_file: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Open the database, bring its schema up to date, read and write, and follow the audit chain.
    #[command(after_help = "Example:\n  lanyard store check --dir ca")]
    Check {
        /// Data directory.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// A table that was moved.
#[derive(Serialize)]
struct Table {
    table: &'static str,
    rows: u64,
    sha256: String,
}

/// Runs it.
pub async fn run(command: Command) -> ExitCode {
    match command {
        Command::Migrate { dir, database, database_file, json } => {
            let url = match (database, database_file) {
                (Some(url), _) => SecretText::new(url),
                (None, Some(file)) => match read_secret(&file) {
                    Ok(url) => url,
                    Err(error) => return print::fail(&chain(&error), None),
                },
                (None, None) => return print::fail("no database is named", Some("give --database or --database-file")),
            };
            migrate(&dir, &url, json).await
        }
        Command::Check { dir, json } => check(&dir, json).await,
    }
}

async fn migrate(dir: &std::path::Path, url: &SecretText, json: bool) -> ExitCode {
    let style = ProgressStyle::with_template("{msg:20} [{bar:30}] {pos}/{len}").unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(0).with_style(style);
    let moved = move_database::to_shared(dir, url, |table, done, total| {
        bar.set_message(table);
        bar.set_length(total);
        bar.set_position(done);
    })
    .await;
    bar.finish_and_clear();
    let moved = match moved {
        Ok(moved) => moved,
        Err(error) => return print::fail(&format!("{} [{}]", chain(&error), error.code()), None),
    };
    let tables: Vec<Table> = moved.into_iter().map(|m| Table { table: m.table, rows: m.rows, sha256: hex(&m.digest) }).collect();
    if json {
        return print::json(&tables);
    }
    let rows = tables.into_iter().map(|t| vec![t.table.to_owned(), t.rows.to_string(), t.sha256]).collect();
    let code = print::table(&["TABLE", "ROWS", "SHA-256 IN BOTH"], rows, "nothing was moved");
    print::line("Everything was moved and compared. The old file is lanyard.db.moved; start the server as before.");
    code
}

async fn check(dir: &std::path::Path, json: bool) -> ExitCode {
    let installation = Installation::at(dir);
    let began = std::time::Instant::now();
    let bar = ProgressBar::new_spinner().with_message("following the audit chain");
    bar.enable_steady_tick(Duration::from_millis(100));
    let checked = database::verify(&installation).await;
    bar.finish_and_clear();
    match checked {
        Ok(state) if json => print::json(&state),
        Ok(state) => {
            print::fields(&[
                ("Database", Some(state.engine.to_owned())),
                ("Audit records", Some(state.audit_records.to_string())),
                ("Audit chain", Some(state.problem.clone().unwrap_or_else(|| "intact".into()))),
                ("Certificates", Some(state.certificates.to_string())),
                ("Took", Some(format!("{:.1} s", began.elapsed().as_secs_f64()))),
            ]);
            if state.problem.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
        }
        Err(error) => print::fail(&format!("{} [{}]", chain(&error), error.code()), None),
    }
}

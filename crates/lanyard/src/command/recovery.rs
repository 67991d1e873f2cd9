//! `lanyard recovery`.

use std::{path::PathBuf, process::ExitCode};

use clap::Subcommand;
use lanyard_server::api::delivery_types::{AskRecovery, CarryOut, Recovered, Recovery};

use super::pfx::new_file;
use crate::{
    admin::{Target, encode},
    print,
};

/// Commands on archived keys.
#[derive(Subcommand)]
pub enum Command {
    /// Ask for the archived keys of a user; another person has to agree.
    #[command(after_help = "Example:\n  lanyard recovery request --dir ca user1 --reason 'phone lost, old mail is needed'")]
    Request {
        #[command(flatten)]
        target: Target,
        /// User.
        user: String,
        /// Why, for the audit log and for whoever agrees.
        #[arg(long)]
        reason: String,
    },
    /// List what was asked for, newest first.
    #[command(after_help = "Example:\n  lanyard recovery list --dir ca")]
    List {
        #[command(flatten)]
        target: Target,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Agree; never for what was asked by oneself.
    #[command(
        after_help = "Example:\n  lanyard recovery approve --server https://pki.example.org --token-file kim.token 019a9f2e-…"
    )]
    Approve {
        #[command(flatten)]
        target: Target,
        /// Id, as `list` shows it.
        id: String,
    },
    /// Write the keys into a PKCS#12 file, once; its passphrase is printed alone on stdout.
    #[command(after_help = "Example:\n  lanyard recovery fetch --dir ca 019a9f2e-… --pfx user1-keys.pfx")]
    Fetch {
        #[command(flatten)]
        target: Target,
        /// Id, as `list` shows it.
        id: String,
        /// New file, mode 0600.
        #[arg(long, value_name = "FILE")]
        pfx: PathBuf,
        /// Protect the file with 3DES and SHA-1, for programs that know nothing newer.
        #[arg(long)]
        old: bool,
    },
}

/// Runs it.
pub async fn run(command: Command) -> ExitCode {
    match command {
        Command::Request { target, user, reason } => {
            match target.post::<_, Recovery>("/recoveries", &AskRecovery { user, reason }).await {
                Ok(recovery) => {
                    print::line(&recovery.id);
                    print::remark(&format!("another person has to agree until {}", recovery.until));
                    ExitCode::SUCCESS
                }
                Err(error) => error.report(),
            }
        }
        Command::List { target, json } => match target.get::<Vec<Recovery>>("/recoveries").await {
            Ok(found) if json => print::json(&found),
            Ok(found) => {
                let rows = found.into_iter().map(|r| {
                    let dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
                    vec![r.id, r.user, r.asked_by, dash(r.approved_by), dash(r.given_out_at), r.reason]
                });
                print::table(
                    &["ID", "USER", "ASKED BY", "APPROVED BY", "GIVEN OUT", "REASON"],
                    rows.collect(),
                    "nothing was asked for",
                )
            }
            Err(error) => error.report(),
        },
        Command::Approve { target, id } => {
            match target.post::<_, Recovery>(&format!("/recoveries/{}/approve", encode(&id)), &()).await {
                Ok(recovery) => {
                    print::line(&format!("{} may fetch the keys of {}", recovery.asked_by, recovery.user));
                    ExitCode::SUCCESS
                }
                Err(error) => error.report(),
            }
        }
        Command::Fetch { target, id, pfx, old } => {
            let file = match new_file(&pfx) {
                Ok(file) => file,
                Err(code) => return code,
            };
            let made = target.post::<_, Recovered>(&format!("/recoveries/{}/carry-out", encode(&id)), &CarryOut { old }).await;
            match made {
                Ok(made) => file.keep(&made.file, &made.passphrase, &format!("has {} key(s)", made.keys)),
                Err(error) => {
                    file.remove();
                    error.report()
                }
            }
        }
    }
}

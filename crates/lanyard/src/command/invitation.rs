//! `lanyard invitation`: what became of those that `lanyard invite` made.

use std::process::ExitCode;

use clap::Subcommand;
use lanyard_server::api::delivery_types::Invitation;

use crate::{
    admin::{Target, encode},
    print,
};

/// Commands on invitations.
#[derive(Subcommand)]
pub enum Command {
    /// List invitations, newest first: who, to what, until when, and whether they were used.
    #[command(after_help = "Example:\n  lanyard invitation list --dir ca --open")]
    List {
        #[command(flatten)]
        target: Target,
        /// Only those whose link still works.
        #[arg(long)]
        open: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Withdraw an invitation: its link works no more.
    #[command(after_help = "Example:\n  lanyard invitation withdraw --dir ca 019a9f2e-…")]
    Withdraw {
        #[command(flatten)]
        target: Target,
        /// Id, as `list` shows it.
        id: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs it.
pub async fn run(command: Command) -> ExitCode {
    match command {
        Command::List { target, open, json } => match target.get::<Vec<Invitation>>("/invitations").await {
            Ok(mut found) => {
                found.retain(|one| !open || one.state == "open");
                if json {
                    return print::json(&found);
                }
                let rows = found.into_iter().map(|one| vec![one.id, one.user, one.what, one.state, one.until, one.by]);
                print::table(&["ID", "USER", "TO FETCH", "STATE", "UNTIL", "BY"], rows.collect(), "nobody is invited")
            }
            Err(error) => error.report(),
        },
        Command::Withdraw { target, id, json } => {
            match target.post::<_, Invitation>(&format!("/invitations/{}/withdraw", encode(&id)), &()).await {
                Ok(withdrawn) if json => print::json(&withdrawn),
                Ok(withdrawn) => {
                    print::line(&format!("withdrawn: {} fetches nothing by that link any more", withdrawn.user));
                    ExitCode::SUCCESS
                }
                Err(error) => error.report(),
            }
        }
    }
}

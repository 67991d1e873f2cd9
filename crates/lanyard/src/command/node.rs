//! `lanyard node`.

use std::process::ExitCode;

use clap::Subcommand;
use lanyard_server::api::types::Node;

use crate::{admin::Target, print};

/// Commands on the nodes that share a database.
#[derive(Subcommand)]
pub enum Command {
    /// List the nodes, and which files each loaded differently from the one that answers.
    #[command(after_help = "Example:\n  lanyard node list --dir ca")]
    List {
        #[command(flatten)]
        target: Target,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs it.
pub async fn run(command: Command) -> ExitCode {
    let Command::List { target, json } = command;
    match target.get::<Vec<Node>>("/nodes").await {
        Ok(found) if json => print::json(&found),
        Ok(found) => {
            let rows = found.into_iter().map(|node| {
                let role = match (node.answers, node.leads) {
                    (true, true) => "answers, leads",
                    (true, false) => "answers",
                    (false, true) => "leads",
                    (false, false) => "-",
                };
                let differs = if node.differs.is_empty() { "-".to_owned() } else { node.differs.join(" ") };
                vec![node.name, role.to_owned(), node.started_at, node.seen_at, differs]
            });
            print::table(&["NODE", "ROLE", "STARTED", "SEEN", "DIFFERENT FILES"], rows.collect(), "no nodes")
        }
        Err(error) => error.report(),
    }
}

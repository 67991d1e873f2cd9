//! `lanyard bench`: figures as ratios to a floor or a peer from the same run.

mod fleet;
mod gateway;
mod peer;
mod report;
mod scep;
mod site;

use std::process::ExitCode;

use clap::Subcommand;

/// What to measure.
#[derive(Subcommand)]
pub enum Command {
    /// First enrolments by SCEP against a server of its own in a temporary directory.
    Scep(scep::Arguments),
    /// Windows devices that enrol, hold sessions and renew, against a server of their own.
    Fleet(fleet::Arguments),
    /// The gateway, beside nginx and HAProxy: handshakes, requests, memory.
    Gateway(gateway::Arguments),
}

/// Runs it.
pub async fn run(command: Command) -> ExitCode {
    match command {
        Command::Scep(arguments) => scep::run(arguments).await,
        Command::Fleet(arguments) => fleet::run(arguments).await,
        Command::Gateway(arguments) => gateway::run(arguments).await,
    }
}

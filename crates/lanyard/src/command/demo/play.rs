//! Arguments, the order of the acts, and what is printed.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};

use super::{
    acts::{self, Happened},
    delivery, gateway,
    stage::Stage,
    tpm, windows,
};
use crate::print;

/// Arguments of `lanyard demo`.
#[derive(Args)]
#[command(after_help = "Examples:\n  lanyard demo                      play, print what happened, keep serving until Ctrl-C\n  \
    lanyard demo --devices 100 --exit  play and end; the exit code tells whether everything held")]
pub struct Arguments {
    /// Number of simulated devices.
    #[arg(long, value_name = "N", default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    devices: u32,
    /// End after the last act; with exit code 1 if a step did not hold.
    #[arg(long)]
    exit: bool,
    /// Directory to keep everything in; it must not exist. Default: a temporary one, removed at the end.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Runs it.
pub async fn run(arguments: Arguments) -> ExitCode {
    let stage = match Stage::set(arguments.dir).await {
        Ok(stage) => stage,
        Err(problem) => return print::fail(&format!("the demo cannot start: {problem}"), None),
    };
    print::remark(&format!("serving http://{}; {} devices ask for certificates", stage.http(), arguments.devices));
    let happened = play(&stage, arguments.devices).await;
    let failed = happened.iter().filter(|h| !h.held).count();
    let rows = happened.into_iter().map(|h| {
        let verdict = if h.held { "held" } else { "FAILED" };
        vec![h.who, h.act.to_owned(), verdict.to_owned(), h.what]
    });
    print::table(&["WHO", "ACT", "", "WHAT HAPPENED"], rows.collect(), "nothing happened");
    print::line("");
    print::fields(&stage.addresses());
    print::line(&if failed == 0 { "\nEvery step held.".to_owned() } else { format!("\n{failed} steps did not hold.") });
    if !arguments.exit {
        wait_for_the_end().await;
    }
    stage.strike().await;
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn play(stage: &Stage, devices: u32) -> Vec<Happened> {
    let bar = ProgressBar::new(u64::from(devices) * 2 + 7);
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg} [{elapsed}]");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut happened = acts::enrol_all(stage, devices, &bar).await;
    bar.set_message("a replayed challenge");
    happened.push(acts::replayed_challenge(stage).await);
    bar.inc(1);
    bar.set_message("another name");
    happened.push(acts::another_name(stage).await);
    bar.inc(1);
    happened.extend(acts::renew_all(stage, devices, &bar).await);
    bar.set_message("revocation");
    happened.push(acts::revocation(stage).await);
    bar.inc(1);
    bar.set_message("a Windows device");
    happened.extend(windows::play(stage).await);
    bar.inc(1);
    bar.set_message("a key in a TPM");
    happened.push(tpm::play(stage).await);
    bar.inc(1);
    bar.set_message("links and mail");
    happened.extend(delivery::play(stage).await);
    bar.inc(1);
    bar.set_message("mail behind the gateway");
    happened.extend(gateway::play(stage).await);
    bar.inc(1);
    bar.finish_and_clear();
    happened
}

async fn wait_for_the_end() {
    print::line("Serving until Ctrl-C.");
    match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(mut interrupt), Ok(mut terminate)) => {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        _ => std::future::pending().await,
    }
}

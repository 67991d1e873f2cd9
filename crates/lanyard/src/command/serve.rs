//! `lanyard serve`.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::Args;
use lanyard_server::{
    clock::SystemClock,
    error::chain,
    serve::{Unseal, open, start},
};
use tokio::signal::unix::{SignalKind, signal};

use super::unseal::{UnsealArguments, passphrase};
use crate::print;

/// Arguments of `lanyard serve`.
#[derive(Args)]
#[command(after_help = "Example:\n  lanyard serve --dir /var/lib/lanyard --unseal-file /etc/lanyard/unseal.key\n\n\
    Stops in an orderly way on SIGINT and SIGTERM: open requests finish, at most 10 seconds.")]
pub struct Arguments {
    /// Data directory that `lanyard init` created.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    unseal: UnsealArguments,
    /// Only check configuration, keys, templates and profiles, and end.
    #[arg(long)]
    check_config: bool,
}

/// Runs it.
pub async fn run(arguments: Arguments) -> ExitCode {
    let unseal = match arguments.unseal.unseal_file {
        Some(file) => Unseal::File(file),
        None => match passphrase(false) {
            Ok(passphrase) => Unseal::Passphrase(passphrase),
            Err(problem) => {
                return print::fail(&problem, Some("give --unseal-file FILE, or type the passphrase of 'lanyard init'"));
            }
        },
    };
    let server = match open(&arguments.dir, unseal, Arc::new(SystemClock)).await {
        Ok(server) => server,
        Err(error) => return print::fail(&format!("{} [{}]", chain(&error), error.code()), None),
    };
    if arguments.check_config {
        server.store.close().await;
        print::line("configuration, keys, templates and profiles are sound");
        return ExitCode::SUCCESS;
    }
    let (mut interrupt, mut terminate) = match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(interrupt), Ok(terminate)) => (interrupt, terminate),
        _ => return print::fail("signals cannot be received", None),
    };
    let running = match start(server).await {
        Ok(running) => running,
        Err(error) => return print::fail(&format!("{} [{}]", chain(&error), error.code()), None),
    };
    print::remark(&format!(
        "serving http://{} and https://{}; SCEP at http://{}/scep/default",
        running.http, running.https, running.http
    ));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    print::remark("stopping");
    running.stop().await;
    ExitCode::SUCCESS
}

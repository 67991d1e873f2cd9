//! `lanyard gateway`.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use lanyard_gateway::{
    clock::Clock,
    error::GatewayError,
    run::{load, rules, start},
};
use tokio::signal::unix::{SignalKind, signal};

use crate::print;

/// Arguments of `lanyard gateway`.
#[derive(Args)]
#[command(after_help = "Examples:\n  lanyard gateway --config /etc/lanyard/gateway.toml\n  \
    lanyard gateway --config gateway.toml --check-config\n\n\
    On SIGHUP the configuration is read again, without dropping a connection; a broken file changes nothing and is told in the log.\n\
    Stops in an orderly way on SIGINT and SIGTERM.")]
pub struct Arguments {
    /// Configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Only check the configuration and every file that it names, and end.
    #[arg(long)]
    check_config: bool,
}

/// Runs it.
pub async fn run(arguments: Arguments) -> ExitCode {
    match serve(&arguments).await {
        Ok(code) => code,
        Err(error) => print::fail(&format!("{error} [{}]", error.code()), None),
    }
}

async fn serve(arguments: &Arguments) -> Result<ExitCode, GatewayError> {
    if arguments.check_config {
        let (config, folder) = load(&arguments.config)?;
        let rules = rules(&config, &folder)?;
        print::line(&format!("the configuration is sound: {} applications", rules.applications.len()));
        return Ok(ExitCode::SUCCESS);
    }
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hang_up)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        return Ok(print::fail("signals cannot be received", None));
    };
    let running = start(&arguments.config, Clock::default()).await?;
    for address in &running.https {
        print::remark(&format!("publishing at https://{address}"));
    }
    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            _ = hang_up.recv() => match running.gateway.reload() {
                Ok(()) => print::remark("the configuration was read again"),
                Err(error) => {
                    print::remark(&format!("the configuration stays as it was: {error} [{}]", error.code()));
                }
            },
        }
    }
    print::remark("stopping");
    running.stop().await;
    Ok(ExitCode::SUCCESS)
}

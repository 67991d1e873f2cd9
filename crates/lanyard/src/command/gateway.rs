//! `lanyard gateway`.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use lanyard_gateway::{
    clock::Clock,
    error::GatewayError,
    explain::{Question, explain},
    run::{lanyard, load, rules, start},
};
use tokio::signal::unix::{SignalKind, signal};

use crate::print;

/// Arguments of `lanyard gateway`.
#[derive(Args)]
#[command(after_help = "Examples:\n  lanyard gateway --config /etc/lanyard/gateway.toml\n  \
    lanyard gateway --config gateway.toml --check-config\n  \
    lanyard gateway explain --config gateway.toml --url https://mail.example.org/Microsoft-Server-ActiveSync --user alice --cert alice.pem\n\n\
    On SIGHUP the configuration is read again, without dropping a connection; a broken file changes nothing and is told in the log.\n\
    Stops in an orderly way on SIGINT and SIGTERM.")]
pub struct Arguments {
    /// Configuration file.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// Only check the configuration and every file that it names, and end.
    #[arg(long)]
    check_config: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What else there is.
#[derive(Subcommand)]
enum Command {
    /// Tell what would become of a request, without sending anything: which rule, which verdict, which account, which fields.
    #[command(
        after_help = "Example:\n  lanyard gateway explain --config gateway.toml --url https://mail.example.org/Microsoft-Server-ActiveSync \\\n    \
        --cert alice.pem --user alice\n\nExits with 0 when the request would go on, and with 1 when it would be refused."
    )]
    Explain {
        /// Address that a client would ask.
        #[arg(long, value_name = "URL")]
        url: String,
        /// Name that it would give; its password is taken for right.
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// File with the certificate, and its chain, that it would show.
        #[arg(long, value_name = "FILE")]
        cert: Option<PathBuf>,
        /// User-Agent that it would send.
        #[arg(long, value_name = "TEXT", default_value = "")]
        user_agent: String,
        /// Address that it would come from.
        #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
        from: IpAddr,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs it.
pub async fn run(arguments: Arguments) -> ExitCode {
    let Some(config) = &arguments.config else {
        print::fail("no configuration file was named", Some("give --config FILE"));
        return ExitCode::from(2);
    };
    match serve(&arguments, config).await {
        Ok(code) => code,
        Err(error) => print::fail(&format!("{error} [{}]", error.code()), None),
    }
}

async fn tell(config: &Path, command: &Command) -> Result<ExitCode, GatewayError> {
    let Command::Explain { url, user, cert, user_agent, from, json } = command;
    let question = Question { url, user: user.as_deref(), certificate: cert.as_deref(), agent: user_agent, source: *from };
    let explained = explain(config, &question).await?;
    if *json {
        print::json(&explained);
    } else {
        let steps: Vec<(&str, Option<String>)> =
            explained.steps.iter().map(|step| (step.step, Some(step.finding.clone()))).collect();
        print::fields(&steps);
        print::line(&explained.outcome);
    }
    Ok(if explained.status.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn serve(arguments: &Arguments, config: &Path) -> Result<ExitCode, GatewayError> {
    if let Some(command) = &arguments.command {
        return tell(config, command).await;
    }
    if arguments.check_config {
        let (config, folder) = load(config)?;
        let rules = rules(&config, &folder, lanyard(&config, &folder)?)?;
        print::line(&format!("the configuration is sound: {} applications", rules.applications.len()));
        return Ok(ExitCode::SUCCESS);
    }
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hang_up)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        return Ok(print::fail("signals cannot be received", None));
    };
    let running = start(config, Clock::default()).await?;
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

//! `lanyard serve`.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc};

use clap::Args;
use lanyard_gateway::clock::Clock;
use lanyard_server::{
    clock::SystemClock,
    error::chain,
    serve::{Listen, Unseal, open_on, start},
};
use tokio::signal::unix::{SignalKind, signal};

use super::unseal::{UnsealArguments, passphrase};
use crate::print;

/// Arguments of `lanyard serve`.
#[derive(Args)]
#[command(after_help = "Example:\n  lanyard serve --dir /var/lib/lanyard --unseal-file /etc/lanyard/unseal.key\n\n\
    A second node on the same shared database:\n  \
    lanyard serve --dir ca --unseal-file unseal.key --http 127.0.0.1:8081 --https 127.0.0.1:8445 --mtls 127.0.0.1:8446\n\n\
    Stops in an orderly way on SIGINT and SIGTERM: open requests finish, at most 10 seconds.")]
pub struct Arguments {
    /// Data directory that `lanyard init` created.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    unseal: UnsealArguments,
    /// Address of the plain HTTP listener, instead of the one in lanyard.toml: for a further node on the same directory.
    #[arg(long, value_name = "ADDR")]
    http: Option<SocketAddr>,
    /// Address of the HTTPS listener, likewise.
    #[arg(long, value_name = "ADDR")]
    https: Option<SocketAddr>,
    /// Address of the HTTPS listener for managed devices, likewise.
    #[arg(long, value_name = "ADDR")]
    mtls: Option<SocketAddr>,
    /// Configuration of a gateway that runs in this process too, for small sites. It follows this server like any other gateway.
    #[arg(long, value_name = "FILE")]
    gateway: Option<PathBuf>,
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
    let listen = Listen { http: arguments.http, https: arguments.https, mdm: arguments.mtls };
    let server = match open_on(&arguments.dir, unseal, Arc::new(SystemClock), listen).await {
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
    let gateway = match &arguments.gateway {
        None => None,
        Some(file) => match lanyard_gateway::run::start(file, Clock::default()).await {
            Ok(gateway) => Some(gateway),
            Err(error) => {
                running.stop().await;
                return print::fail(
                    &format!("{error} [{}]", error.code()),
                    Some("see 'lanyard gateway --config FILE --check-config'"),
                );
            }
        },
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
    if let Some(gateway) = gateway {
        gateway.stop().await;
    }
    running.stop().await;
    ExitCode::SUCCESS
}

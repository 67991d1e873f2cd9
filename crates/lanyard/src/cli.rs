//! Arguments and dispatch.

use std::{io::IsTerminal, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::command::{
    audit, authority, bench, certificate, challenge, demo, device, directory, fleet, gateway, group, init, invitation, invite,
    node, policy, probe, recovery, request, serve, store, token,
};

/// Gives every device of an organisation a certificate, keeps it renewed, and lets only those devices in.
#[derive(Parser)]
#[command(name = "lanyard", version, arg_required_else_help = true, max_term_width = 120)]
#[command(
    after_help = "Examples:\n  lanyard demo                                   see everything work in a temporary directory\n  \
    lanyard init --dir ca --org Example --unseal-file unseal.key\n  lanyard serve --dir ca --unseal-file unseal.key\n  \
    lanyard challenge create --dir ca --template device-client --subject CN=laptop-7,O=Example --key rsa:2048"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// What to log: error, warn, info, debug, or a filter such as lanyard_server=debug.
    #[arg(long, global = true, env = "LANYARD_LOG", default_value = "info", value_name = "FILTER")]
    log: String,
    /// Log as JSON, one object a line.
    #[arg(long, global = true)]
    log_json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Create an installation: root CA, issuing CA, registration and server certificate, templates, profiles.
    Init(init::Arguments),
    /// Serve SCEP, CA certificates and CRLs, and the administrator's socket.
    Serve(serve::Arguments),
    /// Play the main job with simulated devices in a temporary directory.
    Demo(demo::Arguments),
    /// Make challenges: one-time permissions for one device's request.
    #[command(subcommand)]
    Challenge(challenge::Command),
    /// List requests, tell their story, approve and deny.
    #[command(subcommand)]
    Request(request::Command),
    /// List, show, export, revoke and issue certificates.
    #[command(subcommand)]
    Cert(certificate::Command),
    /// Show and export the authorities; sign CRLs.
    #[command(subcommand)]
    Ca(authority::Command),
    /// List and verify the audit log.
    #[command(subcommand)]
    Audit(audit::Command),
    /// List and show certificate templates; read changed files.
    #[command(subcommand)]
    Template(policy::TemplateCommand),
    /// List and show registration profiles; read changed files.
    #[command(subcommand)]
    Profile(policy::ProfileCommand),
    /// Keep the records of users.
    #[command(subcommand)]
    User(directory::UserCommand),
    /// Keep groups of users and devices, to which profiles are assigned.
    #[command(subcommand)]
    Group(group::Command),
    /// The devices, seen from the server: records, management, what is really on them.
    #[command(subcommand)]
    Fleet(fleet::FleetCommand),
    /// Invite people to fetch a certificate at the portal, by a link that works once.
    Invite(invite::Arguments),
    /// List the invitations that were made, and withdraw them.
    #[command(subcommand)]
    Invitation(invitation::Command),
    /// Get archived keys back: one person asks, another agrees.
    #[command(subcommand)]
    Recovery(recovery::Command),
    /// Make, list and revoke API tokens: for an MDM that makes challenges, or an administrator elsewhere.
    #[command(subcommand)]
    Token(token::Command),
    /// The agent, on the device itself: enrol, install, renew, let other programs use it.
    #[command(subcommand)]
    Device(device::DeviceCommand),
    /// Stand in front of published applications and let only known devices and people in.
    Gateway(gateway::Arguments),
    /// Ask a server what a phone would ask, and explain its answers: names, TLS, certificates, passwords, ActiveSync.
    Probe(probe::Arguments),
    /// List the nodes that share a database, and where their files differ.
    #[command(subcommand)]
    Node(node::Command),
    /// Move to PostgreSQL; check the database.
    #[command(subcommand)]
    Store(store::Command),
    /// Measure, as a ratio to a floor or a peer from the same run.
    #[command(subcommand)]
    Bench(bench::Command),
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return crate::print::fail(&format!("the runtime cannot start: {error}"), None),
    };
    // Quiet for everything but the server: results belong on stdout, and one-shot commands print their own errors.
    let filter = match &cli.command {
        Command::Serve(_) | Command::Gateway(_) => cli.log.clone(),
        _ if cli.log != "info" => cli.log.clone(),
        _ => "off".to_owned(),
    };
    log_to_stderr(&filter, cli.log_json);
    runtime.block_on(async {
        match cli.command {
            Command::Init(arguments) => init::run(arguments).await,
            Command::Serve(arguments) => serve::run(arguments).await,
            Command::Demo(arguments) => demo::run(arguments).await,
            Command::Challenge(command) => challenge::run(command).await,
            Command::Request(command) => request::run(command).await,
            Command::Cert(command) => certificate::run(command).await,
            Command::Ca(command) => authority::run(command).await,
            Command::Audit(command) => audit::run(command).await,
            Command::Template(command) => policy::run_template(command).await,
            Command::Profile(command) => policy::run_profile(command).await,
            Command::User(command) => directory::run_user(command).await,
            Command::Group(command) => group::run(command).await,
            Command::Fleet(command) => fleet::run(command).await,
            Command::Invite(arguments) => invite::run(arguments).await,
            Command::Invitation(command) => invitation::run(command).await,
            Command::Recovery(command) => recovery::run(command).await,
            Command::Token(command) => token::run(command).await,
            Command::Device(command) => device::run(command).await,
            Command::Gateway(arguments) => gateway::run(arguments).await,
            Command::Probe(arguments) => probe::run(arguments).await,
            Command::Node(command) => node::run(command).await,
            Command::Store(command) => store::run(command).await,
            Command::Bench(command) => bench::run(command).await,
        }
    })
}

fn log_to_stderr(filter: &str, json: bool) {
    use tracing_subscriber::{EnvFilter, fmt};
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    if json {
        builder.json().init();
    } else {
        builder.init();
    }
}

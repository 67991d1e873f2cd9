//! `lanyard device …`: the agent, on the device itself.
//!
//! Dispatch and exit codes are here, the rest by subject: [`enrolling`] (SCEP), [`management`] (joined devices), [`running`] (the service) and
//! others; what is printed is in [`output`], everything else in the room `agent`.

mod applying;
mod enrolling;
mod install;
mod management;
mod output;
mod protection;
mod running;
mod status;
mod using;

use std::{
    io::{IsTerminal, Read},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Args, Subcommand};
use lanyard_agent::{
    error::AgentError,
    model::{
        secret::SecretText,
        time::{Span, SpanError},
    },
    scep::{Progress, options::fingerprint},
    store::DeviceStore,
};

use applying::{APPLY_EXAMPLE, ApplyArgs};
use enrolling::{ENROLL_EXAMPLE, EXIT_CODES, EnrollArgs, RenewArgs, ResumeArgs};
use install::{EXPORT_EXAMPLE, ExportArgs, INSTALL_EXAMPLE, InstallArgs, TrustArgs};
use management::{JOIN_EXAMPLE, JoinArgs, LeaveArgs, MANAGEMENT_CODES, SyncArgs};
use protection::PROTECTION_EXAMPLE;
use running::{RUN_EXAMPLE, RunArgs};
use status::StatusArgs;
use using::{USE_EXAMPLE, UseCommand};

/// Longest challenge that is read, in octets.
const MAX_CHALLENGE: u64 = 4096;
/// A local, transport or verification error.
const FAILED: u8 = 1;
/// Refused by the server.
const REFUSED: u8 = 3;
/// Still held when the questions were spent.
const PENDING: u8 = 4;

/// What the agent can be told to do.
#[derive(Debug, Subcommand)]
pub enum DeviceCommand {
    /// Obtain a certificate by SCEP with a key made on this device
    #[command(after_help = format!("{ENROLL_EXAMPLE}\n\n{PROTECTION_EXAMPLE}\n\n{EXIT_CODES}"))]
    Enroll(Box<EnrollArgs>),
    /// Go on with requests that were held, or whose answer was lost
    #[command(after_help = format!("Example:\n  lanyard device resume --retry-count 60 --retry-period 60s\n\n{EXIT_CODES}"))]
    Resume(ResumeArgs),
    /// List identities and requests under way
    #[command(after_help = "Example:\n  lanyard device list")]
    List(ListArgs),
    /// Show one identity or request under way
    #[command(after_help = "Example:\n  lanyard device show 3f9a")]
    Show(ShowArgs),
    /// Remove an identity with its key, or a request under way
    #[command(after_help = "Example:\n  lanyard device remove 3f9a --yes")]
    Remove(RemoveArgs),
    /// Renew an identity with a new key; the server decides whether it is time
    #[command(after_help = format!("Examples:\n  lanyard device renew --all\n  lanyard device renew 3f9a --pin-file pin.txt    # a key in the TPM with a PIN\n\n{EXIT_CODES}"))]
    Renew(RenewArgs),
    /// Look at a file or link with certificates or keys, and install it
    #[command(after_help = INSTALL_EXAMPLE)]
    Install(Box<InstallArgs>),
    /// Verify a signed policy ('lanyard profile export --platform linux'), show it, and do what it says
    #[command(after_help = format!("{APPLY_EXAMPLE}\n\n{EXIT_CODES}"))]
    Apply(Box<ApplyArgs>),
    /// Write an identity out; its key only where that was allowed
    #[command(after_help = EXPORT_EXAMPLE)]
    Export(ExportArgs),
    /// List certificates that are trusted, or take one out
    #[command(after_help = "Examples:\n  lanyard device trust --list\n  lanyard device trust --remove 3F:0A:9C --yes")]
    Trust(TrustArgs),
    /// Let other programs use an identity: Wi-Fi, VPN, curl, mail
    #[command(subcommand, after_help = USE_EXAMPLE)]
    Use(UseCommand),
    /// Join a management server, as a Windows device does
    #[command(after_help = format!("{JOIN_EXAMPLE}\n\n{MANAGEMENT_CODES}"))]
    Join(Box<JoinArgs>),
    /// Hold management sessions now, and renew the identity first if it is due
    #[command(after_help = format!("Example:\n  lanyard device sync --store dev1\n\n{MANAGEMENT_CODES}"))]
    Sync(SyncArgs),
    /// Hold sessions and renew by schedule until told to stop, with or without a management
    #[command(after_help = format!("{RUN_EXAMPLE}\n\n{MANAGEMENT_CODES}"))]
    Run(RunArgs),
    /// Tell how management and identities stand, and what only you can do
    #[command(after_help = "Example:\n  lanyard device status --store dev1 --json")]
    Status(StatusArgs),
    /// Leave the management and remove what it brought
    #[command(after_help = "Example:\n  lanyard device leave --yes --store dev1")]
    Leave(LeaveArgs),
}

/// Where the identities are.
#[derive(Debug, Args)]
pub struct StoreArgs {
    /// Folder of the device store [default: $XDG_DATA_HOME/lanyard/device or ~/.local/share/lanyard/device]
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Print JSON on stdout
    #[arg(long)]
    json: bool,
}

/// `lanyard device list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    store: StoreArgs,
}

/// `lanyard device show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Beginning of the id
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    store: StoreArgs,
}

/// `lanyard device remove`.
#[derive(Debug, Args)]
pub struct RemoveArgs {
    /// Beginning of the id
    #[arg(value_name = "ID")]
    id: String,
    /// Really: the key is gone for good
    #[arg(long, required = true)]
    yes: bool,
    #[command(flatten)]
    store: StoreArgs,
}

/// Runs it; errors are printed.
pub async fn run(command: DeviceCommand) -> ExitCode {
    let json = match &command {
        DeviceCommand::Enroll(args) => args.store.json,
        DeviceCommand::Resume(ResumeArgs { store, .. })
        | DeviceCommand::List(ListArgs { store })
        | DeviceCommand::Show(ShowArgs { store, .. })
        | DeviceCommand::Remove(RemoveArgs { store, .. })
        | DeviceCommand::Renew(RenewArgs { store, .. })
        | DeviceCommand::Sync(SyncArgs { store, .. })
        | DeviceCommand::Run(RunArgs { store, .. })
        | DeviceCommand::Status(StatusArgs { store })
        | DeviceCommand::Leave(LeaveArgs { store, .. }) => store.json,
        DeviceCommand::Join(args) => args.store.json,
        DeviceCommand::Install(args) => args.store.json,
        DeviceCommand::Apply(args) => args.store.json,
        DeviceCommand::Use(command) => command.json(),
        DeviceCommand::Export(ExportArgs { store, .. }) | DeviceCommand::Trust(TrustArgs { store, .. }) => store.json,
    };
    let done = match command {
        DeviceCommand::Enroll(args) => enrolling::enroll(*args).await,
        DeviceCommand::Resume(args) => enrolling::resume(args).await,
        DeviceCommand::List(args) => list(&args),
        DeviceCommand::Show(args) => show(&args),
        DeviceCommand::Remove(args) => remove(&args),
        DeviceCommand::Renew(args) => enrolling::renew(args).await,
        DeviceCommand::Install(args) => install::install(*args).await,
        DeviceCommand::Apply(args) => applying::apply(*args).await,
        DeviceCommand::Export(args) => install::give_out(&args),
        DeviceCommand::Use(command) => using::run(command),
        DeviceCommand::Trust(args) => install::trust(&args),
        DeviceCommand::Join(args) => management::join(*args).await,
        DeviceCommand::Sync(args) => management::sync(args).await,
        DeviceCommand::Run(args) => running::run(args).await,
        DeviceCommand::Status(args) => status::status(&args),
        DeviceCommand::Leave(args) => management::leave(args).await,
    };
    let code = done.unwrap_or_else(|error| {
        output::error(&error, json);
        FAILED
    });
    ExitCode::from(code)
}

fn list(args: &ListArgs) -> Result<u8, AgentError> {
    let store = open(&args.store)?;
    output::list(&store.identities()?, &store.pendings()?, args.store.json);
    let damaged = store.damaged()?;
    damaged.iter().for_each(|error| output::error(error, false));
    Ok(if damaged.is_empty() { 0 } else { FAILED })
}

fn remove(args: &RemoveArgs) -> Result<u8, AgentError> {
    let store = open(&args.store)?;
    let id = store.find(&args.id)?;
    store.discard_pending(&id)?;
    store.remove_identity(&id)?;
    output::removed(id.as_str(), args.store.json);
    Ok(0)
}

fn show(args: &ShowArgs) -> Result<u8, AgentError> {
    let store = open(&args.store)?;
    let id = store.find(&args.id)?;
    let under_way = store.pendings()?.into_iter().find(|pending| pending.id == id);
    match under_way {
        Some(pending) => output::pending(&store, &pending, args.store.json),
        None => {
            let identity = store.identities()?.into_iter().find(|identity| identity.about.id == id);
            // One that is not among those that can be read tells why.
            let identity = identity.map_or_else(|| store.identity(&id), Ok)?;
            output::identity(&store, &identity, args.store.json);
        }
    }
    Ok(0)
}

/// An error outweighs a refusal, a refusal a held request, that a success.
const fn worse(a: u8, b: u8) -> u8 {
    match (a, b) {
        (FAILED, _) | (_, FAILED) => FAILED,
        (REFUSED, _) | (_, REFUSED) => REFUSED,
        (PENDING, _) | (_, PENDING) => PENDING,
        _ => 0,
    }
}

fn watch(progress: Progress) {
    output::note(&progress.to_string());
}

fn open(args: &StoreArgs) -> Result<DeviceStore, AgentError> {
    open_store(args.store.as_deref())
}

/// Roots for https:// from a file, if one is named.
fn read_roots(path: Option<&Path>) -> Result<Option<Vec<u8>>, AgentError> {
    let read = |path: &Path| std::fs::read(path).map_err(|e| AgentError::TlsRoots(format!("{}: {e}", path.display())));
    path.map(read).transpose()
}

/// The store in this folder, or else this person's own.
pub(super) fn open_store(path: Option<&Path>) -> Result<DeviceStore, AgentError> {
    path.map_or_else(|| DeviceStore::open(&default_store()), DeviceStore::open)
}

fn default_store() -> PathBuf {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")));
    data.unwrap_or_else(|| PathBuf::from(".")).join("lanyard/device")
}

/// A passphrase, which may be empty and may end in spaces: only the end of the line is no part of it.
pub(super) fn read_passphrase(path: &Path, prompt: &str) -> Result<SecretText, AgentError> {
    let failed = |error: std::io::Error| AgentError::Challenge { from: path.display().to_string(), problem: error.to_string() };
    if path == Path::new("-") && std::io::stdin().is_terminal() {
        return rpassword::prompt_password(prompt).map(SecretText::new).map_err(failed);
    }
    let mut text = String::new();
    let source: Box<dyn Read> =
        if path == Path::new("-") { Box::new(std::io::stdin()) } else { Box::new(std::fs::File::open(path).map_err(failed)?) };
    source.take(MAX_CHALLENGE).read_to_string(&mut text).map_err(failed)?;
    let end = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(end);
    Ok(SecretText::new(text))
}

/// From a file, from standard input, or typed unseen.
fn read_secret(path: &Path, prompt: &str) -> Result<SecretText, AgentError> {
    let refused = |problem: String| AgentError::Challenge { from: path.display().to_string(), problem };
    let failed = |error: std::io::Error| refused(error.to_string());
    let stdin = path == Path::new("-");
    let text = if stdin && std::io::stdin().is_terminal() {
        rpassword::prompt_password(prompt).map_err(failed)?
    } else {
        let mut text = String::new();
        let source: Box<dyn Read> =
            if stdin { Box::new(std::io::stdin()) } else { Box::new(std::fs::File::open(path).map_err(failed)?) };
        source.take(MAX_CHALLENGE).read_to_string(&mut text).map_err(failed)?;
        text
    };
    let challenge = text.trim();
    if challenge.is_empty() {
        return Err(refused("it is empty".into()));
    }
    Ok(SecretText::new(challenge.to_owned()))
}

fn parse_fingerprint(text: &str) -> Result<[u8; 32], String> {
    fingerprint(text).map_err(|error| error.to_string())
}

fn parse_period(text: &str) -> Result<Duration, String> {
    if let Some(milliseconds) = text.strip_suffix("ms").and_then(|digits| digits.parse().ok()) {
        return Ok(Duration::from_millis(milliseconds));
    }
    let span: Span = text.parse().map_err(|error: SpanError| error.to_string())?;
    u64::try_from(span.secs()).map(Duration::from_secs).map_err(|_| "a span of time is not negative".to_owned())
}

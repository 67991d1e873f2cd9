//! `lanyard device join|sync|leave`: a device under management.

use std::{path::PathBuf, sync::Arc};

use clap::{Args, ValueEnum};
use lanyard_agent::{
    error::AgentError,
    mdm::{self, EnrollmentType, Enrolment, JoinCredential, JoinOptions, RenewalProof, Synced},
    model::time::Timestamp,
    scep::options::Clock,
    store::DeviceStore,
};
use serde_json::json;

use super::{FAILED, StoreArgs, open, output, read_roots, read_secret, using::bring_up_to_date};

pub(super) const JOIN_EXAMPLE: &str = "Examples:
  lanyard device join https://mdm.example.org --user user1@example.org --store dev1
  lanyard device join --user user1@example.org        (the server is enterpriseenrollment.example.org)";
pub(super) const MANAGEMENT_CODES: &str =
    "Exit codes: 0 done; 1 local, transport or verification error, or refused by the server; 2 usage.";

/// Whose identity the enrolment is.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Form {
    /// The user's.
    User,
    /// The device's.
    Device,
}

/// `lanyard device join`.
#[derive(Debug, Args)]
pub struct JoinArgs {
    /// https://host[:port] of the management server [default: enterpriseenrollment.<domain of the user>]
    #[arg(value_name = "URL")]
    server: Option<String>,
    /// User who joins: UPN, e-mail address or login name
    #[arg(long, value_name = "NAME")]
    user: String,
    /// File with the user's password, - for standard input [default: asked for]
    #[arg(long, value_name = "FILE", conflicts_with = "token_file")]
    password_file: Option<PathBuf>,
    /// File with the token of the server's sign-in page, for servers where users sign in on the web
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Whose identity it is to be
    #[arg(long, value_enum, default_value = "user")]
    form: Form,
    /// Name of the device [default: the host name]
    #[arg(long, value_name = "NAME")]
    device_name: Option<String>,
    /// Roots for https:// in PEM [default: those of the operating system]
    #[arg(long, value_name = "FILE")]
    tls_roots: Option<PathBuf>,
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

/// `lanyard device sync`.
#[derive(Debug, Args)]
pub struct SyncArgs {
    /// Renew the identity now, with the user's password: a file, or - for standard input
    #[arg(long, value_name = "FILE")]
    renew_with_password_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

/// `lanyard device leave`.
#[derive(Debug, Args)]
pub struct LeaveArgs {
    /// Really: the identity and its key are gone for good
    #[arg(long, required = true)]
    yes: bool,
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

pub(super) async fn join(args: JoinArgs) -> Result<u8, AgentError> {
    let store = open(&args.store)?;
    let credential = match (&args.password_file, &args.token_file) {
        (_, Some(path)) => JoinCredential::Token(read_secret(path, "Token: ")?),
        (Some(path), None) => JoinCredential::Password(read_secret(path, "Password: ")?),
        (None, None) => JoinCredential::Password(read_secret(std::path::Path::new("-"), "Password: ")?),
    };
    let options = JoinOptions {
        server: args.server,
        user: args.user,
        credential,
        form: match args.form {
            Form::User => EnrollmentType::Full,
            Form::Device => EnrollmentType::Device,
        },
        device_name: args.device_name.unwrap_or_else(host_name),
        tls_roots: read_roots(args.tls_roots.as_deref())?,
        key: None,
        clock: clock(),
    };
    let joined = mdm::join(Some(&store), options).await?;
    if args.store.json {
        output::print_json(&json!({
            "outcome": "joined",
            "server": joined.account.server_url,
            "device": joined.account.device_id,
            "identity": joined.identity.about.id,
            "subject": joined.identity.about.subject,
            "not_after": joined.identity.about.not_after.to_string(),
            "trusted": joined.trusted.len(),
        }));
    } else {
        output::line(&format!("joined {}", joined.account.server_url));
        output::line(&format!("identity {}: {}", joined.identity.about.id, joined.identity.about.subject));
        output::note("run 'lanyard device sync' for what the management has for this device");
    }
    Ok(0)
}

pub(super) async fn sync(args: SyncArgs) -> Result<u8, AgentError> {
    let store = open(&args.store)?;
    let proof = match &args.renew_with_password_file {
        Some(path) => Some(RenewalProof::Password(read_secret(path, "Password: ")?)),
        None => None,
    };
    let synced = renew_and_sync(&store, proof, false).await?;
    print_synced(&synced, args.store.json);
    let failed = synced.enrolments.iter().any(|(_, enrolment)| matches!(enrolment, Enrolment::Failed(_)));
    Ok(if failed { FAILED } else { 0 })
}

/// Renews the identity if it is time or a password was given, and holds sessions. A renewal that fails keeps nobody from a session. With
/// `fetched` it renews the certificates that are due, too, without waiting for the management to replace them.
pub(super) async fn renew_and_sync(
    store: &DeviceStore,
    proof: Option<RenewalProof>,
    fetched: bool,
) -> Result<Synced, AgentError> {
    store.joined()?;
    let waiting = store.clone();
    let turn = tokio::task::spawn_blocking(move || waiting.turn_to_work()).await;
    let _turn = turn.map_err(|_| AgentError::Interrupted)??;
    let account = store.joined()?;
    let now = clock()();
    let not_after = store.identity(&account.identity)?.about.not_after;
    let due = account.renewal.automatic && account.is_renewal_due(not_after, now);
    if let Some(proof) = proof.or(due.then_some(RenewalProof::Automatic)) {
        renew(store, proof, now).await?;
    }
    let renewed = if fetched { mdm::sync::renew_fetched(store, &clock()).await? } else { Vec::new() };
    let mut synced = mdm::sync(store, &clock()).await?;
    synced.enrolments.splice(0..0, renewed);
    if synced.renew_now && !synced.left {
        renew(store, RenewalProof::Automatic, clock()()).await?;
    }
    // Whoever uses a certificate uses the new one from now on.
    bring_up_to_date(store, false)?;
    Ok(synced)
}

async fn renew(store: &DeviceStore, proof: RenewalProof, now: Timestamp) -> Result<(), AgentError> {
    let asked = matches!(proof, RenewalProof::Password(_));
    match mdm::renew(store, proof, now).await {
        Ok(renewed) => {
            output::note(&format!(
                "renewed the identity: {} until {}",
                renewed.identity.about.id, renewed.identity.about.not_after
            ));
            Ok(())
        }
        Err(error) if asked => Err(error),
        Err(error) => {
            output::error(&error, false);
            output::note("the renewal is tried again after the pause that the server set");
            Ok(())
        }
    }
}

pub(super) async fn leave(args: LeaveArgs) -> Result<u8, AgentError> {
    let store = open(&args.store)?;
    store.joined()?;
    let _turn = store.turn_to_work()?;
    let told = mdm::leave(&store).await?;
    if args.store.json {
        output::print_json(&json!({ "outcome": "left", "server_was_told": told }));
    } else {
        output::line("left the management");
    }
    if !told {
        output::note("the server could not be told; its administrator can end the enrolment with 'lanyard fleet unenroll'");
    }
    Ok(0)
}

pub(super) fn print_synced(synced: &Synced, as_json: bool) {
    let enrolments: Vec<(&str, &str, &str)> = synced
        .enrolments
        .iter()
        .map(|(name, enrolment)| match enrolment {
            Enrolment::Installed(thumbprint) => (name.as_str(), "installed", thumbprint.as_str()),
            Enrolment::Held => (name.as_str(), "held", ""),
            Enrolment::Failed(why) => (name.as_str(), "failed", why.as_str()),
        })
        .collect();
    if as_json {
        let enrolments: Vec<_> =
            enrolments.iter().map(|(name, state, detail)| json!({ "name": name, "state": state, "detail": detail })).collect();
        output::print_json(&json!({
            "outcome": if synced.left { "left" } else { "synchronised" },
            "sessions": synced.sessions,
            "messages": synced.messages,
            "certificates": enrolments,
        }));
        return;
    }
    for (name, state, detail) in &enrolments {
        output::line(&format!("certificate {name}: {state} {detail}"));
    }
    if synced.left {
        output::line("the server has ended the management of this device");
    } else {
        output::line(&format!("synchronised: {} sessions, {} messages", synced.sessions, synced.messages));
    }
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "device".to_owned() } else { name.to_owned() }
}

pub(super) fn clock() -> Clock {
    Arc::new(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    })
}

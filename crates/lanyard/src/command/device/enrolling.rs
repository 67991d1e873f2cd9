//! `lanyard device enroll|resume|renew`: certificates by SCEP.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use lanyard_agent::{
    error::AgentError,
    model::{id::IdError, key::KeyKind, name::DistinguishedName, san::SubjectAltName, secret::SecretText},
    pki::name::parse as parse_name,
    scep::{self, EnrollOptions, EnrollOutcome, SessionOptions, renew::RenewOptions},
    store::{DeviceStore, LocalId},
    upkeep::{self, Way},
};

use super::{
    FAILED, PENDING, REFUSED, StoreArgs,
    install::OwnerArg,
    open, output, parse_fingerprint, parse_period,
    protection::{self, Protection},
    read_roots, read_secret, using, watch, worse,
};

pub(super) const EXIT_CODES: &str = "Exit codes: 0 certificate obtained; 1 local, transport or verification error; 2 usage; \
3 refused by the server; 4 still held after --retry-count questions (go on with 'lanyard device resume').";

pub(super) const ENROLL_EXAMPLE: &str = "Example:
  lanyard device enroll --scep http://ca.example.org/scep/devices --ca-fingerprint 3F:0A:…:9C \\
    --challenge-file challenge.txt --subject CN=laptop-7,O=Example --san dns:laptop-7.example.org";

/// How to talk to the server.
#[derive(Debug, Args)]
pub struct TalkArgs {
    /// How often to ask for a held request
    #[arg(long, value_name = "N", default_value_t = 10)]
    retry_count: u32,
    /// How long to wait before asking
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_period)]
    retry_period: Duration,
    /// Roots for https:// in PEM [default: those of the operating system]
    #[arg(long, value_name = "FILE")]
    tls_roots: Option<PathBuf>,
    /// Keep a certificate that lacks names that were asked for
    #[arg(long)]
    accept_other_names: bool,
    /// File with the PIN of a key in the TPM, - for standard input [default: typed unseen when it is needed]
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,
}

/// `lanyard device enroll`.
#[derive(Debug, Args)]
pub struct EnrollArgs {
    /// SCEP URL, http:// or https://
    #[arg(long, value_name = "URL")]
    scep: String,
    /// SHA-256 of the CA certificate, hexadecimal with or without colons
    #[arg(long, value_name = "SHA256", value_parser = parse_fingerprint)]
    ca_fingerprint: [u8; 32],
    /// File with the challenge, - for standard input; never given as an argument, where other users see it
    #[arg(long, value_name = "FILE")]
    challenge_file: Option<PathBuf>,
    /// Subject to ask for
    #[arg(long, value_name = "DN", value_parser = parse_subject)]
    subject: DistinguishedName,
    /// Alternative name to ask for: dns:, email:, uri:, ip: or upn:; may be repeated
    #[arg(long, value_name = "TYPE:VALUE")]
    san: Vec<SubjectAltName>,
    /// Kind of key
    #[arg(long, value_name = "KIND", default_value = "rsa:2048", value_parser = parse_key)]
    key: KeyKind,
    /// Where the key is kept, and whether it may leave
    #[arg(long, value_enum, value_name = "WHERE", default_value = "software")]
    protection: Protection,
    /// Whose the identity becomes
    #[arg(long, value_enum, default_value = "system", value_name = "OWNER")]
    r#for: OwnerArg,
    /// What to call it, beside its subject; names it in files that it is exported to
    #[arg(long, value_name = "TEXT", value_parser = parse_name_of_identity)]
    name: Option<String>,
    #[command(flatten)]
    talk: TalkArgs,
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

/// `lanyard device resume`.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// Beginning of the id [default: every request under way]
    #[arg(value_name = "ID")]
    id: Option<String>,
    #[command(flatten)]
    talk: TalkArgs,
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

/// `lanyard device renew`.
#[derive(Debug, Args)]
pub struct RenewArgs {
    /// Beginning of the id
    #[arg(value_name = "ID", required_unless_present = "all")]
    id: Option<String>,
    /// Every current identity that came by SCEP without a management
    #[arg(long, conflicts_with = "id")]
    all: bool,
    #[command(flatten)]
    talk: TalkArgs,
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

pub(super) async fn enroll(args: EnrollArgs) -> Result<u8, AgentError> {
    let store = open(&args.store)?;
    let challenge = args.challenge_file.as_deref().map(read_challenge).transpose()?;
    let options = EnrollOptions {
        challenge,
        san: args.san,
        key_kind: args.key,
        protection: args.protection.into(),
        owner: args.r#for.into(),
        name: args.name,
        session: session(&args.talk)?,
        ..EnrollOptions::new(&args.scep, args.ca_fingerprint, args.subject)
    };
    let outcome = scep::enroll(Some(&store), options, &mut watch).await?;
    Ok(finish(&store, &outcome, args.store.json))
}

pub(super) async fn resume(args: ResumeArgs) -> Result<u8, AgentError> {
    let store = open(&args.store)?;
    let session = session(&args.talk)?;
    let ids: Vec<LocalId> = match &args.id {
        Some(prefix) => vec![store.find(prefix)?],
        None => store.pendings()?.into_iter().map(|pending| pending.id).collect(),
    };
    let mut worst = 0;
    for id in &ids {
        let outcome = scep::resume(&store, id, &session, &mut watch).await;
        worst = worse(worst, judge(&store, outcome, args.store.json));
    }
    if ids.is_empty() {
        output::note("no request is under way");
    }
    // What was to be written for programs once the certificate is there.
    Ok(worse(worst, using::bring_up_to_date(&store, false)?))
}

pub(super) async fn renew(args: RenewArgs) -> Result<u8, AgentError> {
    let store = open(&args.store)?;
    let options = RenewOptions { session: session(&args.talk)?, ..RenewOptions::default() };
    let ids: Vec<LocalId> = match &args.id {
        Some(prefix) => vec![store.find(prefix)?],
        None => {
            // What the management brought is its business, and what came in a file nobody can renew from here.
            let own = upkeep::kept(&store, (options.session.clock)())?.into_iter().filter(|one| one.way == Way::Scep);
            own.map(|one| one.identity.about.id).collect()
        }
    };
    let mut worst = 0;
    for id in &ids {
        let outcome = scep::renew(&store, id, &options, &mut watch).await;
        worst = worse(worst, judge(&store, outcome, args.store.json));
    }
    if ids.is_empty() {
        output::note("there is no identity to renew");
    }
    Ok(worse(worst, using::bring_up_to_date(&store, false)?))
}

/// Prints one outcome among several; an error ends only its own.
fn judge(store: &DeviceStore, outcome: Result<EnrollOutcome, AgentError>, json: bool) -> u8 {
    match outcome {
        Ok(outcome) => finish(store, &outcome, json),
        Err(error) => {
            output::error(&error, json);
            FAILED
        }
    }
}

fn finish(store: &DeviceStore, outcome: &EnrollOutcome, json: bool) -> u8 {
    output::outcome(store, outcome, json);
    match outcome {
        EnrollOutcome::Issued(_) => 0,
        EnrollOutcome::Refused(_) => REFUSED,
        EnrollOutcome::StillPending { .. } => PENDING,
    }
}

fn session(talk: &TalkArgs) -> Result<SessionOptions, AgentError> {
    let tls_roots = read_roots(talk.tls_roots.as_deref())?;
    Ok(SessionOptions {
        tls_roots,
        retry_count: talk.retry_count,
        retry_period: talk.retry_period,
        accept_other_names: talk.accept_other_names,
        pin: protection::pin_source(talk.pin_file.as_deref()),
        ..SessionOptions::default()
    })
}

fn read_challenge(path: &Path) -> Result<SecretText, AgentError> {
    read_secret(path, "Challenge: ")
}

fn parse_subject(text: &str) -> Result<DistinguishedName, String> {
    parse_name(text).map_err(|error| error.to_string())
}

/// 1 to 64 characters that can be printed.
fn parse_name_of_identity(text: &str) -> Result<String, String> {
    let fits = (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err("a name has 1 to 64 characters".to_owned()) }
}

fn parse_key(text: &str) -> Result<KeyKind, String> {
    let kind: KeyKind = text.parse().map_err(|error: IdError| error.to_string())?;
    if kind.is_rsa() { Ok(kind) } else { Err(AgentError::KeyKind(kind).to_string()) }
}

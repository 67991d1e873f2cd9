//! `lanyard device install|export|trust`: files and links with certificates and keys.

use std::{
    fs::OpenOptions,
    io::{self, BufRead, IsTerminal, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use lanyard_agent::{
    error::AgentError,
    install::{
        Consent, ExportForm, Review,
        export::{export, may_leave},
        source,
    },
    model::{secret::SecretText, time::Timestamp},
    pki::{certificate::Certificate, pkcs12::Protection},
    scep::SessionOptions,
    store::{DeviceStore, Owner, Room},
};
use serde_json::json;

use super::{StoreArgs, open, output, read_passphrase, read_roots};

pub(super) const INSTALL_EXAMPLE: &str = "Examples:
  lanyard device install user1.pfx
  lanyard device install https://ca.example.org/portal/roots/roots.p7b --dry-run
  lanyard device install roots.p7b --yes --trust-roots";
pub(super) const EXPORT_EXAMPLE: &str = "Examples:
  lanyard device export 3f9a --certificate --out user1.pem
  lanyard device export 3f9a --pkcs12 --out user1.pfx --passphrase-file pass.txt";
/// How often a passphrase is asked for.
const TRIES: usize = 3;
/// Longest answer to a question, in octets.
const MAX_ANSWER: u64 = 64;

/// Whose.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum OwnerArg {
    /// The user's.
    User,
    /// The device's.
    System,
}

impl From<OwnerArg> for Owner {
    fn from(owner: OwnerArg) -> Self {
        match owner {
            OwnerArg::User => Self::User,
            OwnerArg::System => Self::System,
        }
    }
}

/// `lanyard device install`.
#[derive(Debug, Args)]
pub struct InstallArgs {
    /// File, - for standard input, or link; what is in it counts, not its name
    #[arg(value_name = "FILE|URL")]
    from: String,
    /// File with the passphrase, - for standard input [default: asked for]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Agree without being asked; not to roots
    #[arg(long)]
    yes: bool,
    /// Agree that roots in the file become trusted
    #[arg(long)]
    trust_roots: bool,
    /// Only look
    #[arg(long, conflicts_with_all = ["yes", "trust_roots"])]
    dry_run: bool,
    /// Allow the key to be exported later
    #[arg(long)]
    exportable: bool,
    /// Whose the identity becomes
    #[arg(long, value_enum, default_value = "user", value_name = "OWNER")]
    r#for: OwnerArg,
    /// Roots for https:// in PEM [default: those of the operating system]
    #[arg(long, value_name = "FILE")]
    tls_roots: Option<PathBuf>,
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

/// `lanyard device export`.
#[derive(Debug, Args)]
#[group(id = "form", required = true, multiple = false)]
pub struct ExportArgs {
    /// Beginning of the id
    #[arg(value_name = "ID")]
    id: String,
    /// The certificate and its issuers, PEM
    #[arg(long, group = "form")]
    certificate: bool,
    /// Key and certificates in a PKCS#12 file
    #[arg(long, group = "form")]
    pkcs12: bool,
    /// The same for systems that know no newer protection than 3DES
    #[arg(long, group = "form")]
    pkcs12_old: bool,
    /// Key and certificates, PEM, in the clear
    #[arg(long, group = "form")]
    pem: bool,
    /// Where to [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// File with the passphrase for a PKCS#12 file, - for standard input [default: asked for]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

/// `lanyard device trust`.
#[derive(Debug, Args)]
pub struct TrustArgs {
    /// List the certificates that are trusted, or kept without a key
    #[arg(long, conflicts_with = "remove")]
    list: bool,
    /// Take out the certificate whose SHA-256 fingerprint begins so
    #[arg(long, value_name = "FINGERPRINT", requires = "yes")]
    remove: Option<String>,
    /// Really
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    pub(super) store: StoreArgs,
}

/// Shows what is in a file or behind a link, and installs it once the person agrees.
pub(super) async fn install(args: InstallArgs) -> Result<u8, AgentError> {
    let store = open(&args.store)?;
    let tls_roots = read_roots(args.tls_roots.as_deref())?;
    let octets = source::read(&args.from, tls_roots.as_deref()).await?;
    let now = (SessionOptions::default().clock)();
    let review = unlock(&octets, args.passphrase_file.as_deref(), &store, now)?;
    if !args.store.json {
        output::review(&review);
    }
    if args.dry_run {
        if args.store.json {
            output::print_json(&json!({ "outcome": "looked", "review": output::review_json(&review) }));
        }
        return Ok(0);
    }
    let consent = consent(&args, &review)?;
    let installed = review.install(&store, consent, &args.from, now)?;
    output::installed(&store, &review, &installed, args.store.json);
    Ok(0)
}

fn unlock(octets: &[u8], file: Option<&Path>, store: &DeviceStore, now: Timestamp) -> Result<Review, AgentError> {
    let given = file.map(|path| read_passphrase(path, "Passphrase of the file: ")).transpose()?;
    if let Some(review) = Review::of(octets, given.as_ref(), store, now)? {
        return Ok(review);
    }
    if given.is_some() {
        return Err(AgentError::Passphrase("the passphrase does not open the file"));
    }
    if !io::stdin().is_terminal() {
        return Err(AgentError::Passphrase("the file is locked by a passphrase, and nobody can be asked for it"));
    }
    for _ in 0..TRIES {
        let passphrase = read_passphrase(Path::new("-"), "Passphrase of the file: ")?;
        if let Some(review) = Review::of(octets, Some(&passphrase), store, now)? {
            return Ok(review);
        }
        output::note("that passphrase does not open the file");
    }
    Err(AgentError::Passphrase("none of the passphrases opens the file"))
}

/// What the person agrees to. Roots need a yes of their own.
fn consent(args: &InstallArgs, review: &Review) -> Result<Consent, AgentError> {
    let owner = args.r#for.into();
    let mut consent = Consent { roots: args.trust_roots, exportable: args.exportable, owner };
    if args.yes {
        return Ok(consent);
    }
    let roots = review.new_roots().count();
    if !consent.roots && roots > 0 {
        consent.roots = ask("Trust the roots above? Whoever holds such a root can vouch for anybody, to this device. [y/N] ")?;
    }
    let others = review.identities.len() + review.certificates.len() > roots;
    if others && !ask("Install it? [y/N] ")? {
        return Err(AgentError::NotAgreed("the answer was no"));
    }
    if !others && !consent.roots {
        return Err(AgentError::NotAgreed("there is nothing but roots, and the answer was no"));
    }
    Ok(consent)
}

pub(super) fn ask(question: &str) -> Result<bool, AgentError> {
    if !io::stdin().is_terminal() {
        return Err(AgentError::NotAgreed("nobody can be asked here"));
    }
    let failed = AgentError::io("asking", Path::new("the terminal"));
    let mut answer = String::new();
    let asked = write!(io::stderr(), "{question}").and_then(|()| io::stderr().flush());
    let read = asked.and_then(|()| io::Read::take(io::stdin().lock(), MAX_ANSWER).read_line(&mut answer));
    read.map_err(failed)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Writes an identity out.
pub(super) fn give_out(args: &ExportArgs) -> Result<u8, AgentError> {
    let store = open(&args.store)?;
    let id = store.find(&args.id)?;
    let passphrase = || -> Result<SecretText, AgentError> {
        // Before anybody types a passphrase for nothing.
        may_leave(&store.identity(&id)?.about)?;
        read_passphrase(args.passphrase_file.as_deref().unwrap_or(Path::new("-")), "Passphrase for the file: ")
    };
    let form = if args.certificate {
        ExportForm::Certificates
    } else if args.pem {
        ExportForm::Pem
    } else {
        let protection = if args.pkcs12_old { Protection::Old } else { Protection::Modern };
        ExportForm::Pkcs12 { protection, passphrase: passphrase()? }
    };
    let octets = export(&store, &id, &form)?;
    match &args.out {
        None => io::stdout().write_all(&octets).map_err(AgentError::io("writing", Path::new("standard output")))?,
        Some(path) => {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o600);
            let written = options.open(path).and_then(|mut file| file.write_all(&octets));
            written.map_err(AgentError::io("writing", path))?;
            output::note(&format!("written to {}", path.display()));
        }
    }
    Ok(0)
}

/// Lists what is kept without a key, or takes one out.
pub(super) fn trust(args: &TrustArgs) -> Result<u8, AgentError> {
    let store = open(&args.store)?;
    let mut found: Vec<(Room, Certificate)> = Vec::new();
    for room in Room::ALL {
        found.extend(store.certificates_in(room)?.into_iter().map(|one| (room, one)));
    }
    let Some(prefix) = &args.remove else {
        output::trusted(&found, args.store.json);
        return Ok(0);
    };
    let wanted: String = prefix.chars().filter(char::is_ascii_hexdigit).collect::<String>().to_ascii_lowercase();
    found.retain(|(_, one)| !wanted.is_empty() && output::hex(&one.fingerprint()).starts_with(&wanted));
    match found.as_slice() {
        [] => Err(AgentError::UnknownId(prefix.clone())),
        [(room, one)] => {
            store.remove_certificate(*room, one)?;
            output::removed(&output::hex(&one.fingerprint()), args.store.json);
            Ok(0)
        }
        _ => Err(AgentError::AmbiguousId(prefix.clone())),
    }
}

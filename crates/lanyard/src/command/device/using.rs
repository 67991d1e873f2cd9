//! `lanyard device use …`: other programs use an identity.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use lanyard_agent::{
    error::AgentError,
    scep::SessionOptions,
    store::DeviceStore,
    using::{Program, Purpose, Select, Use, Used, place::Refreshed},
};
use serde_json::{Value, json};

use super::{FAILED, StoreArgs, open, output};

pub(super) const USE_EXAMPLE: &str = "Examples:
  lanyard device use wifi --ssid Office --server-name radius.example.org --issuer 'Example Issuing CA'
  lanyard device use curl && curl --config ~/.local/share/lanyard/device/use/curl/curlrc https://intranet.example.org
  lanyard device use browser --site 'https://[*.]example.org'
  lanyard device use list";

/// For which program.
#[derive(Debug, Subcommand)]
pub enum UseCommand {
    /// Wi-Fi or wired networks by EAP-TLS: a network block for wpa_supplicant
    Wifi(WifiArgs),
    /// A VPN by IKEv2: a connection for strongSwan's swanctl
    Vpn(VpnArgs),
    /// curl, and programs that read PEM files
    Curl(PlainArgs),
    /// S/MIME by programs that read PEM files
    Mail(PlainArgs),
    /// Chromium, Firefox or Thunderbird: puts the identity into their NSS database (package libnss3-tools)
    Browser(BrowserArgs),
    /// List what was written
    List(StoreArgs),
    /// Choose and write again, as happens by itself after a renewal in 'lanyard device run'
    Refresh(StoreArgs),
    /// Take away what was written under a name
    Remove(RemoveUseArgs),
}

/// Which identity.
#[derive(Debug, Args)]
pub struct SelectArgs {
    /// Beginning of the id [default: the only one that fits]
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Authority on its way to the root: common name, or beginning of its SHA-256 fingerprint
    #[arg(long, value_name = "NAME|SHA256")]
    issuer: Option<String>,
    /// Root that servers must lead to [default: the only one that is trusted]
    #[arg(long, value_name = "NAME|SHA256")]
    root: Option<String>,
    /// What to call it
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    store: StoreArgs,
}

/// `lanyard device use wifi`.
#[derive(Debug, Args)]
pub struct WifiArgs {
    /// Name of the network
    #[arg(long, value_name = "SSID")]
    ssid: String,
    /// Name that the RADIUS server's certificate must have; may be repeated
    #[arg(long, value_name = "HOST", required = true)]
    server_name: Vec<String>,
    /// The network is protected by WPA3 instead of WPA2
    #[arg(long)]
    wpa3: bool,
    /// The network does not announce its name
    #[arg(long)]
    hidden: bool,
    #[command(flatten)]
    select: SelectArgs,
}

/// `lanyard device use vpn`.
#[derive(Debug, Args)]
pub struct VpnArgs {
    /// Host or address of the gateway
    #[arg(long, value_name = "HOST")]
    gateway: String,
    /// Name that its certificate must have [default: the host]
    #[arg(long, value_name = "HOST")]
    gateway_name: Option<String>,
    #[command(flatten)]
    select: SelectArgs,
}

/// `lanyard device use browser`.
#[derive(Debug, Args)]
pub struct BrowserArgs {
    /// Folder of the database [default: ~/.pki/nssdb, which Chromium reads]
    #[arg(long, value_name = "DIR")]
    database: Option<PathBuf>,
    /// For mail instead of for web pages
    #[arg(long)]
    mail: bool,
    /// Where Chromium shows this certificate without asking, such as https://[*.]example.org; may be repeated
    #[arg(long, value_name = "PATTERN", conflicts_with = "mail")]
    site: Vec<String>,
    /// Folder of the computer's policies, where that is then said for every user: /etc/chromium/policies/managed
    #[arg(long, value_name = "DIR", requires = "site")]
    policies: Option<PathBuf>,
    #[command(flatten)]
    select: SelectArgs,
}

/// `lanyard device use curl` and the like.
#[derive(Debug, Args)]
pub struct PlainArgs {
    #[command(flatten)]
    select: SelectArgs,
}

/// `lanyard device use remove`.
#[derive(Debug, Args)]
pub struct RemoveUseArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    store: StoreArgs,
}

impl UseCommand {
    /// Whether JSON is wanted.
    pub(super) const fn json(&self) -> bool {
        match self {
            Self::Wifi(WifiArgs { select, .. })
            | Self::Vpn(VpnArgs { select, .. })
            | Self::Browser(BrowserArgs { select, .. })
            | Self::Curl(PlainArgs { select })
            | Self::Mail(PlainArgs { select }) => select.store.json,
            Self::List(store) | Self::Refresh(store) | Self::Remove(RemoveUseArgs { store, .. }) => store.json,
        }
    }
}

/// Runs it.
pub(super) fn run(command: UseCommand) -> Result<u8, AgentError> {
    match command {
        UseCommand::Wifi(WifiArgs { ssid, server_name, wpa3, hidden, select }) => {
            let fallback = word(&format!("wifi-{ssid}"));
            let program = Program::Wifi { ssid, server_names: server_name, wpa3, hidden, by_hand: false };
            write(program, select, fallback)
        }
        UseCommand::Vpn(VpnArgs { gateway, gateway_name, select }) => {
            let fallback = word(&format!("vpn-{gateway}"));
            let gateway_name = gateway_name.unwrap_or_else(|| gateway.clone());
            write(Program::Vpn { gateway, gateway_name }, select, fallback)
        }
        UseCommand::Curl(PlainArgs { select }) => write(Program::Curl, select, "curl".into()),
        UseCommand::Mail(PlainArgs { select }) => write(Program::Mail, select, "mail".into()),
        UseCommand::Browser(BrowserArgs { database, mail, site, policies, select }) => {
            let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".pki/nssdb"));
            let database = database.or_else(home).ok_or(AgentError::Usage("say by --database where it is"))?;
            let absolute = |path: PathBuf| std::path::absolute(&path).map_err(AgentError::io("finding", &path));
            let (database, policies) = (absolute(database)?, policies.map(absolute).transpose()?);
            let purpose = if mail { Purpose::Mail } else { Purpose::ClientAuth };
            let program = Program::Nss { database, purpose, sites: site, policies };
            write(program, select, if mail { "browser-mail" } else { "browser" }.into())
        }
        UseCommand::List(args) => list(&args),
        UseCommand::Refresh(args) => refresh(&args),
        UseCommand::Remove(RemoveUseArgs { name, store }) => {
            Use::remove(&open(&store)?, &name)?;
            output::removed(&name, store.json);
            Ok(0)
        }
    }
}

/// A name for it out of what people call it.
fn word(text: &str) -> String {
    let fit = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    text.chars().map(fit).take(64).collect()
}

fn write(program: Program, select: SelectArgs, fallback: String) -> Result<u8, AgentError> {
    let store = open(&select.store)?;
    let id = select.id.as_deref().map(|prefix| store.find(prefix)).transpose()?;
    let choice = Select { purpose: program.purpose(), issuer: select.issuer, id };
    let request =
        Use { name: select.name.unwrap_or(fallback), program, select: choice, root: select.root, further_roots: Vec::new() };
    let used = request.write(&store, now())?;
    if select.store.json {
        output::print_json(&described(&used));
    } else {
        output::line(&used.file.display().to_string());
        output::note(&format!("identity {}; written as '{}'", used.identity, used.request.name));
        if let Some(openssl) = &used.openssl {
            output::note(&format!(
                "the key is in the TPM: run the program with OPENSSL_CONF={} and TPM2OPENSSL_TCTI=tabrmd (packages tpm2-openssl, tpm2-abrmd)",
                openssl.display()
            ));
        }
    }
    Ok(0)
}

fn now() -> lanyard_agent::model::time::Timestamp {
    (SessionOptions::default().clock)()
}

fn described(used: &Used) -> Value {
    json!({ "name": used.request.name, "identity": used.identity, "file": used.file, "openssl_conf": used.openssl })
}

fn list(args: &StoreArgs) -> Result<u8, AgentError> {
    let all = Use::all(&open(args)?)?;
    if args.json {
        output::print_json(&json!({ "uses": all }));
    } else {
        all.iter().for_each(|one| output::line(&format!("{}  {}", one.name, one.program.file())));
        if all.is_empty() {
            output::note("nothing was written for other programs");
        }
    }
    Ok(0)
}

fn refresh(args: &StoreArgs) -> Result<u8, AgentError> {
    bring_up_to_date(&open(args)?, args.json)
}

/// Writes everything again and tells what failed.
pub(super) fn bring_up_to_date(store: &DeviceStore, as_json: bool) -> Result<u8, AgentError> {
    let mut code = 0;
    let mut done = Vec::new();
    for Refreshed { name, outcome } in Use::refresh(store, now())? {
        match outcome {
            Ok(used) => done.push(described(&used)),
            Err(error) => {
                output::note(&format!("what was written as '{name}' is as it was:"));
                output::error(&error, false);
                code = FAILED;
            }
        }
    }
    if as_json {
        output::print_json(&json!({ "refreshed": done }));
    }
    Ok(code)
}

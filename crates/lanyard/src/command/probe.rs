//! `lanyard probe`.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Args, ValueEnum};
use lanyard_gateway::probe::{
    identity::{self, IdentityError},
    plan::{ClientCertificate, Device, Mode, Plan, Target},
    report::{Report, Step},
    run,
    verdict::Level,
};
use lanyard_server::SecretText;

use super::device::{open_store, read_passphrase};
use crate::print;

/// Arguments of `lanyard probe`.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    lanyard probe https://mail.example.org/Microsoft-Server-ActiveSync --eas --user alice\n  \
    lanyard probe mail.example.org/Microsoft-Server-ActiveSync --all --eas --user alice --cert alice.pfx\n  \
    lanyard probe mail.example.org/Microsoft-Server-ActiveSync --eas --cert store:6f2a --ping 1800\n  \
    lanyard probe https://intranet.example.org/ --cert device.cer --key device.key --mode certificate --json\n\n\
    Exit codes: 0 it works; 1 a file or setting cannot be used; 2 usage; 10 name; 11 connection; 12 TLS or the server's certificate; 13 the \
    client certificate in TLS; 14 GET; 15 OPTIONS; 16 mailbox; 17 held request; 18 Autodiscover; 20 not what --mode should answer.")]
pub struct Arguments {
    /// Address; https:// if it names no scheme.
    url: String,
    /// User name, as the server expects it: user, DOMAIN\user or user@domain. The password is asked for, or read from --password-file.
    #[arg(long)]
    user: Option<String>,
    /// File with the password; - for standard input.
    #[arg(long, value_name = "FILE", default_value = "-", requires = "user")]
    password_file: PathBuf,
    /// Client certificate: a file (PKCS#12, PEM, or .cer with --key), or store:ID of a device store.
    #[arg(long, value_name = "FILE|store:ID")]
    cert: Option<String>,
    /// File with the private key, if the certificate's file has none.
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// File with the passphrase of the certificate's file; without it, one that is encrypted is asked for.
    #[arg(long, value_name = "FILE", requires = "cert")]
    passphrase_file: Option<PathBuf>,
    /// Device store for store:ID.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Try with the password alone, the certificate alone, both, and neither.
    #[arg(long)]
    all: bool,
    /// What the published rule is meant to be; whatever answers otherwise is told.
    #[arg(long, value_enum)]
    mode: Option<ModeName>,
    /// Speak ActiveSync: OPTIONS and the folders of the mailbox. Policies are never acknowledged.
    #[arg(long)]
    eas: bool,
    /// Hold a request of ActiveSync for so many seconds, as phones do for push.
    #[arg(long, value_name = "SECONDS", requires = "eas", value_parser = clap::value_parser!(u32).range(1..=3540))]
    ping: Option<u32>,
    /// Ask Autodiscover of this host about a mail address.
    #[arg(long, value_name = "ADDRESS")]
    autodiscover: Option<String>,
    /// Connect here, whatever the name leads to; TLS and HTTP keep the name of the URL.
    #[arg(long, value_name = "HOST:PORT")]
    connect: Option<String>,
    /// Another name in the header Host than the one of the URL.
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// Only this version of TLS.
    #[arg(long, value_enum)]
    tls: Option<TlsVersion>,
    /// File with roots to trust beside those of the system.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Go on, and send the password, even if the server's certificate is not to be believed.
    #[arg(long)]
    insecure: bool,
    /// `DeviceId` that ActiveSync is told, letters and digits.
    #[arg(long, value_name = "ID", value_parser = device_name)]
    device_id: Option<String>,
    /// `DeviceType` that ActiveSync is told, letters and digits.
    #[arg(long, value_name = "TYPE", value_parser = device_name)]
    device_type: Option<String>,
    /// `User-Agent`.
    #[arg(long, value_name = "TEXT")]
    user_agent: Option<String>,
    /// Longest time for a connection, a handshake, and an answer, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ModeName {
    Basic,
    Certificate,
    Both,
    CertificateElseBasic,
    None,
}

impl From<ModeName> for Mode {
    fn from(name: ModeName) -> Self {
        match name {
            ModeName::Basic => Self::Basic,
            ModeName::Certificate => Self::Certificate,
            ModeName::Both => Self::Both,
            ModeName::CertificateElseBasic => Self::CertificateElseBasic,
            ModeName::None => Self::None,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TlsVersion {
    #[value(name = "1.2")]
    V12,
    #[value(name = "1.3")]
    V13,
}

fn device_name(text: &str) -> Result<String, String> {
    let fits = (1..=32).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_alphanumeric());
    if fits { Ok(text.to_owned()) } else { Err("1 to 32 letters and digits".to_owned()) }
}

/// Runs it.
pub async fn run(arguments: Arguments) -> ExitCode {
    let json = arguments.json;
    let plan = match plan(arguments) {
        Ok(plan) => plan,
        Err(problem) => return print::fail(&problem, None),
    };
    let told = |step: &Step| {
        if !json {
            print::raw(&paragraph(step));
        }
    };
    let report = match run::run(&plan, &told).await {
        Ok(report) => report,
        Err(problem) => return print::fail(&problem, None),
    };
    if json {
        let printed = print::json(&report);
        if report.exit_code() == 0 {
            return printed;
        }
    } else {
        summary(&report);
    }
    ExitCode::from(report.exit_code())
}

fn plan(arguments: Arguments) -> Result<Plan, String> {
    let target = Target::read(&arguments.url)?;
    let certificate = certificate(&arguments)?;
    let user = match arguments.user {
        None => None,
        Some(user) => {
            let password =
                read_passphrase(&arguments.password_file, &format!("Password of {user}: ")).map_err(|e| e.to_string())?;
            Some((user, password))
        }
    };
    let usual = Device::default();
    Ok(Plan {
        target,
        connect: arguments.connect,
        host: arguments.host,
        user,
        certificate,
        all: arguments.all,
        mode: arguments.mode.map(Into::into),
        eas: arguments.eas,
        ping: arguments.ping,
        autodiscover: arguments.autodiscover,
        device: Device {
            id: arguments.device_id.unwrap_or(usual.id),
            kind: arguments.device_type.unwrap_or(usual.kind),
            agent: arguments.user_agent.unwrap_or(usual.agent),
        },
        tls_version: arguments.tls.map(|version| match version {
            TlsVersion::V12 => 12,
            TlsVersion::V13 => 13,
        }),
        insecure: arguments.insecure,
        roots: arguments.ca,
        timeout: Duration::from_secs(arguments.timeout),
    })
}

fn certificate(arguments: &Arguments) -> Result<Option<ClientCertificate>, String> {
    let Some(name) = &arguments.cert else { return Ok(None) };
    if let Some(id) = name.strip_prefix("store:") {
        return of_store(id, arguments.store.as_deref()).map(Some);
    }
    let read = |path: &Path| std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()));
    let file = read(Path::new(name))?;
    let key = arguments.key.as_deref().map(read).transpose()?;
    let told = |error: IdentityError| format!("{name}: {error}");
    let passphrase = |path: &Path| read_passphrase(path, &format!("Passphrase of {name}: ")).map_err(|e| e.to_string());
    let given: Option<SecretText> = arguments.passphrase_file.as_deref().map(passphrase).transpose()?;
    match identity::read(&file, key.as_deref(), given.as_ref()) {
        Err(IdentityError::Locked) if given.is_none() => {
            let typed = passphrase(Path::new("-"))?;
            identity::read(&file, key.as_deref(), Some(&typed)).map(Some).map_err(told)
        }
        found => found.map(Some).map_err(told),
    }
}

/// An identity of a device store whose key is a file: one in a TPM cannot be borrowed.
fn of_store(id: &str, store: Option<&Path>) -> Result<ClientCertificate, String> {
    let found = || {
        let store = open_store(store)?;
        let id = store.find(id)?;
        let identity = store.identity(&id)?;
        let key = store.identity_key(&id)?;
        let chain = std::iter::once(&identity.certificate).chain(identity.chain.iter().filter(|one| !one.is_self_issued()));
        Ok(ClientCertificate { chain: chain.map(|one| one.der().to_vec()).collect(), key: key.pkcs8()?.clone() })
    };
    found().map_err(|error: lanyard_agent::error::AgentError| error.to_string())
}

/// One step for people: what, then what was seen, and what to do where something is to be done.
fn paragraph(step: &Step) -> String {
    let mark = match step.level {
        Level::Good => "ok",
        Level::Warning => "look",
        Level::Bad => "BAD",
    };
    let with = step.combination.map_or_else(String::new, |one| format!(", {}", one.words()));
    let mut out = format!("{mark:4} {}{with}: {} ({} ms)\n", step.step, step.means, step.ms);
    // Writing to text cannot fail.
    for line in &step.seen {
        let _ = writeln!(out, "       | {line}");
    }
    if step.level != Level::Good {
        for (name, text) in [("why", step.why), ("do", step.remedy)].into_iter().filter(|(_, text)| !text.is_empty()) {
            let _ = writeln!(out, "       {name}: {text}");
        }
    }
    out
}

fn summary(report: &Report) {
    if !report.combinations.is_empty() {
        let row = |one: &lanyard_gateway::probe::report::Entrance| {
            let expected = one.expected.map_or_else(String::new, |end| format!("should be: {}", end.words()));
            vec![one.combination.words().to_owned(), one.end.words().to_owned(), expected]
        };
        print::table(&["Shown", "Result", ""], report.combinations.iter().map(row).collect(), "");
        let modes: Vec<String> =
            report.behaves_like.iter().filter_map(|mode| serde_json::to_value(mode).ok()?.as_str().map(str::to_owned)).collect();
        print::line(&match modes.as_slice() {
            [] => "answers like none of the modes".to_owned(),
            modes => format!("answers like mode {}", modes.join(" or ")),
        });
    }
    let end = report.exit_code();
    print::line(&if end == 0 { "it works".to_owned() } else { format!("it does not work as it should (exit code {end})") });
}

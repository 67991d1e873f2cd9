//! `lanyard init`.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::Args;
use lanyard_server::{
    KeyKind, SecretText,
    clock::{Clock, SystemClock},
    error::chain,
    init::{Plan, UnsealSource, init},
    installation::read_secret,
};

use super::unseal::{UnsealArguments, passphrase};
use crate::print;

/// Arguments of `lanyard init`.
#[derive(Args)]
#[command(
    after_help = "Example:\n  lanyard init --dir /var/lib/lanyard --org Example --unseal-file /etc/lanyard/unseal.key \\\n      \
    --http 0.0.0.0:80 --https 0.0.0.0:443 --url http://pki.example.org --tls-name dns:pki.example.org\n  \
    lanyard init --dir ca --org Example --unseal-file unseal.key --database postgres://lanyard@127.0.0.1/lanyard"
)]
pub struct Arguments {
    /// Data directory to create; it must not exist or be empty.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Name of the organisation, for the names of the authorities.
    #[arg(long, value_name = "NAME")]
    org: String,
    #[command(flatten)]
    unseal: UnsealArguments,
    /// Kind of the CA keys: p256, p384, ed25519, rsa2048, rsa3072, rsa4096. Few clients know Ed25519.
    #[arg(long, value_name = "KIND", default_value = "p256", value_parser = ca_key)]
    ca_key: KeyKind,
    /// Base address that certificates name for CRLs and issuers; plain HTTP, reachable by every device, for good. Default: the
    /// plain HTTP listener.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Address of the plain HTTP listener.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    http: SocketAddr,
    /// Address of the HTTPS listener.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8443")]
    https: SocketAddr,
    /// Address of the HTTPS listener for managed devices, which asks for their certificate.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8444")]
    mtls: SocketAddr,
    /// PostgreSQL database that several nodes will share, as postgres://user@host/name; it must exist and be empty. Without it, the
    /// data lie in the directory. A password in the address is kept in DIR/database.url, readable by its owner alone.
    #[arg(long, value_name = "URL", conflicts_with = "database_file")]
    database: Option<String>,
    /// File with that address, so that a password in it does not show among the processes.
    #[arg(long, value_name = "FILE")]
    database_file: Option<PathBuf>,
    /// Further name in the server certificate, such as dns:pki.example.org; may be repeated.
    #[arg(long, value_name = "NAME")]
    tls_name: Vec<String>,
}

fn ca_key(text: &str) -> Result<KeyKind, String> {
    match text.parse() {
        Ok(KeyKind::EcP521) => Err("p521 is not offered for authorities: too few clients verify it".into()),
        Ok(KeyKind::Rsa(bits)) if !matches!(bits, 2048 | 3072 | 4096) => {
            Err("RSA keys of authorities have 2048, 3072 or 4096 bits".into())
        }
        Ok(kind) => Ok(kind),
        Err(_) => Err("expected p256, p384, ed25519, rsa2048, rsa3072 or rsa4096".into()),
    }
}

/// Runs it.
pub async fn run(arguments: Arguments) -> ExitCode {
    let unseal = match arguments.unseal.unseal_file {
        Some(file) => UnsealSource::File(file),
        None => match passphrase(true) {
            Ok(passphrase) => UnsealSource::Passphrase(passphrase),
            Err(problem) => return print::fail(&problem, Some("give --unseal-file FILE to keep the key in a file instead")),
        },
    };
    let dir = arguments.dir.clone();
    let database = match (arguments.database, &arguments.database_file) {
        (Some(url), _) => Some(SecretText::new(url)),
        (None, None) => None,
        (None, Some(file)) => match read_secret(file) {
            Ok(url) => Some(url),
            Err(error) => return print::fail(&chain(&error), None),
        },
    };
    let shared = database.is_some();
    let plan = Plan {
        dir: arguments.dir,
        organization: arguments.org,
        ca_key: arguments.ca_key,
        unseal,
        url: arguments.url,
        http: arguments.http,
        https: arguments.https,
        mdm: arguments.mtls,
        tls_names: arguments.tls_name,
        database,
    };
    let created = match init(plan, SystemClock.now()).await {
        Ok(created) => created,
        Err(error) => return print::fail(&chain(&error), None),
    };
    let hex = |octets: [u8; 32]| lanyard_server::hex(&octets);
    print::line(&format!("Created the authority of {} in {}.\n", created.config.organization, dir.display()));
    print::fields(&[
        ("Root CA, SHA-256", Some(hex(created.root.fingerprint()))),
        ("Issuing CA, SHA-256", Some(hex(created.issuing.fingerprint()))),
        ("Address in certificates", Some(created.config.url.clone())),
        ("SCEP", Some(format!("{}/scep/default", created.config.url))),
        ("New key file", created.unseal_file.as_ref().map(|f| f.display().to_string())),
    ]);
    if let Some(file) = &created.unseal_file {
        print::line(&format!(
            "\nKeep a copy of {} apart from any backup of {}: both together are the keys of the authority.",
            file.display(),
            dir.display()
        ));
    }
    let option = created.unseal_file.map(|f| format!(" --unseal-file {}", f.display())).unwrap_or_default();
    print::line(&format!("Next: lanyard serve --dir {}{option}", dir.display()));
    if shared {
        print::line("Further nodes: the same command with --http and --https of their own; see docs/scale.md");
    }
    ExitCode::SUCCESS
}

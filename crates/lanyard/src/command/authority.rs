//! `lanyard ca`.

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use lanyard_server::{api::types::Authority, pem};

use crate::{
    admin::{Target, encode},
    print,
};

/// Commands on authorities.
#[derive(Subcommand)]
pub enum Command {
    /// Show root, issuing, registration and server certificates with their fingerprints, and the newest CRLs.
    #[command(after_help = "Example:\n  lanyard ca show --dir ca")]
    Show {
        #[command(flatten)]
        target: Target,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write root and issuing CA certificates to stdout.
    #[command(
        after_help = "Example:\n  lanyard ca export --dir ca > trusted.pem\n  lanyard ca export --dir ca --format der --name root > root.cer"
    )]
    Export {
        #[command(flatten)]
        target: Target,
        /// Form; der writes one certificate, named by --name.
        #[arg(long, default_value = "pem")]
        format: Format,
        /// Only this authority.
        #[arg(long)]
        name: Option<String>,
    },
    /// Sign a new CRL now.
    #[command(after_help = "Example:\n  lanyard ca crl --dir ca --name issuing")]
    Crl {
        #[command(flatten)]
        target: Target,
        /// Authority.
        #[arg(long, default_value = "issuing")]
        name: String,
    },
    /// Make the CA that is to follow the issuing CA, and announce it to SCEP clients (GetNextCACert).
    #[command(after_help = "Example:\n  lanyard ca successor --dir ca\n\n\
        The successor has a key of the same kind under the same root, and its own registration certificate. Nothing is issued from it until \
        'lanyard ca take-over', or until certificates of the CA in use would be cut short by its end.")]
    Successor {
        #[command(flatten)]
        target: Target,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Issue from the announced successor from now on.
    #[command(after_help = "Example:\n  lanyard ca take-over --dir ca\n\n\
        The CA before goes on signing its CRLs, its certificates can be renewed, and devices that encrypt to its registration certificate \
        are answered until that one ends.")]
    TakeOver {
        #[command(flatten)]
        target: Target,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Form of exported CA certificates.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text armour, one after the other.
    Pem,
    /// Binary, one certificate.
    Der,
    /// PKCS#7 bag.
    P7b,
}

/// Runs it.
pub async fn run(command: Command) -> ExitCode {
    match command {
        Command::Show { target, json } => match target.get::<Vec<Authority>>("/authorities").await {
            Ok(found) if json => print::json(&found),
            Ok(found) => show(found),
            Err(error) => error.report(),
        },
        Command::Export { target, format, name } => match target.get::<Vec<Authority>>("/authorities").await {
            Ok(found) => export(found, format, name.as_deref()),
            Err(error) => error.report(),
        },
        Command::Crl { target, name } => match target.post::<_, u64>(&format!("/authorities/{}/crl", encode(&name)), &()).await {
            Ok(number) => {
                print::line(&format!("CRL {number} of {name} is signed"));
                ExitCode::SUCCESS
            }
            Err(error) => error.report(),
        },
        Command::Successor { target, json } => match target.post::<_, String>("/authorities/issuing/successor", &()).await {
            Ok(name) if json => print::json(&name),
            Ok(name) => {
                print::line(&format!("{name} is made and announced; show it with 'lanyard ca show'"));
                ExitCode::SUCCESS
            }
            Err(error) => error.report(),
        },
        Command::TakeOver { target, json } => match target.post::<_, String>("/authorities/issuing/take-over", &()).await {
            Ok(name) if json => print::json(&name),
            Ok(name) => {
                print::line(&format!("{name} issues from now on"));
                ExitCode::SUCCESS
            }
            Err(error) => error.report(),
        },
    }
}

fn show(found: Vec<Authority>) -> ExitCode {
    for (i, a) in found.into_iter().enumerate() {
        if i > 0 {
            print::line("");
        }
        let crl = a.crl_url.map(|url| match (a.crl_number, a.crl_next_update) {
            (Some(number), Some(next)) => format!("{url} (number {number}, next update {next})"),
            _ => format!("{url} (none yet)"),
        });
        print::fields(&[
            ("Authority", Some(format!("{} ({})", a.name, a.role))),
            ("Subject", Some(a.subject)),
            ("Serial number", Some(a.serial)),
            ("Key", Some(a.key)),
            ("Valid from", Some(a.not_before)),
            ("Valid until", Some(a.not_after)),
            ("State", a.state),
            ("SHA-256", Some(a.fingerprint)),
            ("CRL", crl),
        ]);
    }
    ExitCode::SUCCESS
}

fn export(found: Vec<Authority>, format: Format, name: Option<&str>) -> ExitCode {
    let chosen: Vec<Authority> = found
        .into_iter()
        .filter(|a| matches!(a.role.as_str(), "root" | "issuing"))
        .filter(|a| name.is_none_or(|n| n == a.name))
        .collect();
    match (format, chosen.as_slice()) {
        (_, []) => print::fail("there is no such authority", Some("lanyard ca show lists them")),
        (Format::Pem, several) => {
            several.iter().for_each(|a| print::raw(&a.pem));
            ExitCode::SUCCESS
        }
        (Format::Der, [one]) => write_der(&one.pem),
        (Format::Der, _) => print::fail("DER holds one certificate", Some("add --name root or --name issuing")),
        (Format::P7b, several) => {
            let ders: Result<Vec<Vec<u8>>, _> = several.iter().map(|a| pem::decode(pem::CERTIFICATE, &a.pem)).collect();
            match ders {
                Ok(ders) => write_all(&lanyard_server::certificates_only(&ders)),
                Err(error) => print::fail(&error.to_string(), None),
            }
        }
    }
}

/// Writes a certificate in PEM to stdout as DER.
pub fn write_der(text: &str) -> ExitCode {
    match pem::decode(pem::CERTIFICATE, text) {
        Ok(der) => write_all(&der),
        Err(error) => print::fail(&error.to_string(), None),
    }
}

fn write_all(bytes: &[u8]) -> ExitCode {
    print::bytes(bytes);
    ExitCode::SUCCESS
}

//! `lanyard cert`.

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Subcommand, ValueEnum};
use lanyard_server::{
    api::{
        delivery_types::{SendCertificate, Sent},
        types::{Certificate, CertificatesFound, Order, Request, Revoke, Revoked},
    },
    flow::send::Form,
};

use super::challenge::OrderArguments;
use crate::{
    admin::{Target, encode},
    print,
};

/// Commands on certificates.
#[derive(Subcommand)]
pub enum Command {
    /// List certificates, newest first.
    #[command(after_help = "Example:\n  lanyard cert list --dir ca --status valid --text laptop")]
    List(List),
    /// Show one certificate and its record.
    #[command(after_help = "Example:\n  lanyard cert show --dir ca 4F2A…")]
    Show {
        #[command(flatten)]
        target: Target,
        /// Serial number in hexadecimal.
        serial: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write one certificate to stdout.
    #[command(after_help = "Example:\n  lanyard cert export --dir ca 4F2A… > laptop-7.pem")]
    Export {
        #[command(flatten)]
        target: Target,
        /// Serial number in hexadecimal.
        serial: String,
        /// Form.
        #[arg(long, default_value = "pem")]
        format: Format,
    },
    /// Revoke a certificate; the CRL that lists it is signed before the command ends.
    #[command(after_help = "Example:\n  lanyard cert revoke --dir ca 4F2A… --reason keyCompromise")]
    Revoke {
        #[command(flatten)]
        target: Target,
        /// Serial number in hexadecimal.
        serial: String,
        /// unspecified, keyCompromise, affiliationChanged, superseded, cessationOfOperation, privilegeWithdrawn.
        #[arg(long)]
        reason: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Send a certificate by mail, to its user or another address; a link goes instead where the mail server does not take the file.
    #[command(after_help = "Example:\n  lanyard cert send --dir ca 4F2A… --form p7b")]
    Send {
        #[command(flatten)]
        target: Target,
        /// Serial number in hexadecimal.
        serial: String,
        /// Form of the file.
        #[arg(long, default_value = "cer")]
        form: SentForm,
        /// Another address than that of the user.
        #[arg(long, value_name = "ADDRESS")]
        to: Option<String>,
        /// Send a link at once; it works once.
        #[arg(long)]
        link: bool,
    },
    /// Issue a certificate to a CSR whose every field agrees with what is ordered here, or with a key made by the server.
    #[command(
        after_help = "Example:\n  lanyard cert issue --dir ca --template tls-server --csr www.csr --subject CN=www.example.org,O=Example \\\n      \
        --san dns:www.example.org > www.pem\n  \
        lanyard cert issue --dir ca --template user-client --user user1 --pfx user1.pfx\n\nWith --pfx the server makes the key, gives \
        it out once in a PKCS#12 file, and forgets it; its passphrase is printed alone on stdout, this once."
    )]
    Issue {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        order: OrderArguments,
        /// CSR in PEM.
        #[arg(long, value_name = "FILE", required_unless_present_any = ["pfx", "mail"], conflicts_with = "pfx")]
        csr: Option<PathBuf>,
        /// New file for key and certificate (PKCS#12), mode 0600.
        #[arg(long, value_name = "FILE")]
        pfx: Option<PathBuf>,
        /// Send the file to the user by mail instead of writing it; the passphrase is printed here.
        #[arg(long, conflicts_with_all = ["csr", "pfx"], requires = "user")]
        mail: bool,
        /// Protect the file with 3DES and SHA-1, for programs that know nothing newer.
        #[arg(long, conflicts_with = "csr")]
        old: bool,
    },
}

/// Arguments of `lanyard cert list`.
#[derive(Args)]
pub struct List {
    #[command(flatten)]
    target: Target,
    /// Only valid, expired, revoked or intended ones.
    #[arg(long)]
    status: Option<String>,
    /// Only whose subject, names, user, device or template contain this text. Looks through the newest 50,000 at a time.
    #[arg(long, conflicts_with = "offset")]
    text: Option<String>,
    /// Go on with --text where an earlier search stopped, as it said.
    #[arg(long, value_name = "NUMBER", requires = "text")]
    before: Option<u64>,
    /// Also the authority's own registration and server certificates.
    #[arg(long)]
    service: bool,
    /// Skip this many.
    #[arg(long, default_value_t = 0)]
    offset: u64,
    /// At most this many.
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Form of a certificate in a mail.
#[derive(Clone, Copy, ValueEnum)]
pub enum SentForm {
    /// Binary.
    Cer,
    /// Text armour.
    Pem,
    /// With the certificates above.
    P7b,
}

/// Form of an exported certificate.
#[derive(Clone, Copy, ValueEnum)]
pub enum Format {
    /// Text armour.
    Pem,
    /// Binary.
    Der,
}

/// Runs it.
pub async fn run(command: Command) -> ExitCode {
    match command {
        Command::List(arguments) => list(arguments).await,
        Command::Show { target, serial, json } => match target.get(&path(&serial)).await {
            Ok(certificate) if json => print::json::<Certificate>(&certificate),
            Ok(certificate) => show(certificate),
            Err(error) => error.report(),
        },
        Command::Export { target, serial, format } => match target.get::<Certificate>(&path(&serial)).await {
            Ok(certificate) => match certificate.pem {
                Some(pem) => export(&pem, format),
                None => print::fail("the certificate was never signed", None),
            },
            Err(error) => error.report(),
        },
        Command::Revoke { target, serial, reason, json } => {
            match target.post::<_, Revoked>(&format!("{}/revoke", path(&serial)), &Revoke { reason }).await {
                Ok(revoked) if json => print::json(&revoked),
                Ok(revoked) => {
                    let crl = revoked.crl_number.map(|n| format!("; CRL {n} lists it")).unwrap_or_default();
                    let what = if revoked.changed { "revoked" } else { "was revoked before" };
                    print::line(&format!("{} {what}{crl}", revoked.serial));
                    ExitCode::SUCCESS
                }
                Err(error) => error.report(),
            }
        }
        Command::Send { target, serial, form, to, link } => {
            let form = match form {
                SentForm::Cer => Form::Cer,
                SentForm::Pem => Form::Pem,
                SentForm::P7b => Form::P7b,
            };
            match target.post::<_, Sent>(&format!("{}/send", path(&serial)), &SendCertificate { form, to, link }).await {
                Ok(Sent { to, as_link }) => {
                    print::line(&format!("{} went to {to}", if as_link { "a link" } else { "the file" }));
                    ExitCode::SUCCESS
                }
                Err(error) => error.report(),
            }
        }
        Command::Issue { target, order, csr, pfx, mail, old } => match (csr, pfx) {
            _ if mail => super::pfx::send(&target, order, old).await,
            (_, Some(file)) => super::pfx::issue(&target, order, &file, old).await,
            (Some(csr), None) => issue(&target, order, &csr).await,
            (None, None) => print::fail("neither a CSR nor a new file was named", Some("give --csr FILE or --pfx FILE")),
        },
    }
}

fn path(serial: &str) -> String {
    format!("/certificates/{}", encode(serial))
}

async fn list(arguments: List) -> ExitCode {
    let List { target, status, text, before, service, offset, limit, json } = arguments;
    let status = status.map(|status| format!("&status={}", encode(&status))).unwrap_or_default();
    let found = match text {
        None => target.get(&format!("/certificates?limit={limit}&offset={offset}&service={service}{status}")).await,
        Some(text) => {
            let before = before.map(|number| format!("&before={number}")).unwrap_or_default();
            let text = encode(&text);
            let query = format!("/certificates/search?limit={limit}&service={service}&text={text}{status}{before}");
            target.get::<CertificatesFound>(&query).await.map(|found| {
                if let Some(more) = found.more {
                    print::remark(&format!("older certificates may match as well; go on with --before {more}"));
                }
                found.certificates
            })
        }
    };
    match found {
        Ok(found) if json => print::json::<Vec<Certificate>>(&found),
        Ok(found) => {
            let rows = found.into_iter().map(|c| {
                let template = c.template.unwrap_or_else(|| "-".into());
                vec![c.serial, c.status, c.subject, c.san.join(" "), template, c.not_after]
            });
            print::table(&["SERIAL", "STATUS", "SUBJECT", "NAMES", "TEMPLATE", "NOT AFTER"], rows.collect(), "no certificates")
        }
        Err(error) => error.report(),
    }
}

fn show(c: Certificate) -> ExitCode {
    let names = (!c.san.is_empty()).then(|| c.san.join(", "));
    print::fields(&[
        ("Serial number", Some(c.serial)),
        ("Status", Some(c.status)),
        ("Subject", Some(c.subject)),
        ("Names", names),
        ("Issuer", Some(c.issuer)),
        ("Valid from", Some(c.not_before)),
        ("Valid until", Some(c.not_after)),
        ("Template", c.template),
        ("Profile", c.profile),
        ("User", c.user),
        ("Device", c.device),
        ("Revoked", c.revoked_at),
        ("Reason", c.revocation_reason),
        ("Renews", c.renews),
        ("Renewed by", c.renewed_by),
        ("Request", Some(c.request)),
        ("SHA-256", c.fingerprint),
    ]);
    if let Some(pem) = c.pem {
        print::line("");
        print::raw(&pem);
    }
    ExitCode::SUCCESS
}

fn export(pem: &str, format: Format) -> ExitCode {
    match format {
        Format::Pem => {
            print::raw(pem);
            ExitCode::SUCCESS
        }
        Format::Der => super::authority::write_der(pem),
    }
}

async fn issue(target: &Target, order: OrderArguments, csr: &std::path::Path) -> ExitCode {
    let text = match std::fs::read_to_string(csr) {
        Ok(text) => text,
        Err(error) => return print::fail(&format!("{} cannot be read: {error}", csr.display()), Some("give a CSR in PEM")),
    };
    let order = Order { csr: Some(text), ..order.into_order() };
    let request: Request = match target.post("/certificates", &order).await {
        Ok(request) => request,
        Err(error) => return error.report(),
    };
    let Some(serial) = request.certificate.as_deref().filter(|_| request.state == "issued") else {
        return refused(target, &request);
    };
    match target.get::<Certificate>(&path(serial)).await {
        Ok(certificate) => export(&certificate.pem.unwrap_or_default(), Format::Pem),
        Err(error) => error.report(),
    }
}

/// Tells why there is no certificate.
pub fn refused(target: &Target, request: &Request) -> ExitCode {
    let (detail, reason) = (request.detail.as_deref().unwrap_or_default(), request.reason.as_deref().unwrap_or_default());
    let fix = format!("lanyard request show {} {}", target.arguments(), request.id);
    print::fail(&format!("refused: {detail} [{reason}]"), Some(&fix))
}

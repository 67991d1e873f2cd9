//! `lanyard template` and `lanyard profile`.

use std::process::ExitCode;

use base64::{Engine, engine::general_purpose::STANDARD};
use clap::{Subcommand, ValueEnum};
use lanyard_server::api::{
    delivery_types::{Export, Exported},
    types::Named,
};

use crate::{
    admin::{Target, encode},
    print,
};

/// Commands on certificate templates.
#[derive(Subcommand)]
pub enum TemplateCommand {
    /// List the templates.
    #[command(after_help = "Example:\n  lanyard template list --dir ca")]
    List {
        #[command(flatten)]
        target: Target,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print a template's file.
    #[command(after_help = "Example:\n  lanyard template show --dir ca wifi")]
    Show {
        #[command(flatten)]
        target: Target,
        /// Name.
        name: String,
    },
    /// Read all template and profile files again; broken ones change nothing.
    #[command(after_help = "Example:\n  $EDITOR ca/templates/wifi.toml && lanyard template reload --dir ca")]
    Reload {
        #[command(flatten)]
        target: Target,
    },
}

/// Commands on registration profiles.
#[derive(Subcommand)]
pub enum ProfileCommand {
    /// List the profiles.
    #[command(after_help = "Example:\n  lanyard profile list --dir ca")]
    List {
        #[command(flatten)]
        target: Target,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check changed files, and try them on stored requests before they are in force.
    #[command(after_help = "Example:\n  lanyard profile check --dir ca --file strict.toml --replay 30d\n\n\
        Exits with 1 when somebody would be refused or held. Nothing is changed, outside services are not asked, and templates are tried in \
        the same way.")]
    Check(super::trial::Check),
    /// Write a fleet policy (DIR/fleet/NAME.toml) for a device that is not managed, signed; its challenges are made now and are good once.
    #[command(
        after_help = "Example:\n  lanyard profile export --dir ca wifi --platform apple --user user1 --device phone-1 > wifi.mobileconfig\n\n\
        apple: a configuration profile with certificates, SCEP, Wi-Fi and mail. linux, android: JSON. Both are CMS SignedData (DER), signed by \
        the\nregistration certificate."
    )]
    Export {
        #[command(flatten)]
        target: Target,
        /// Name of the fleet policy.
        name: String,
        /// Kind of device.
        #[arg(long)]
        platform: Platform,
        /// User on record.
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// Device on record.
        #[arg(long, value_name = "ID")]
        device: Option<String>,
    },
    /// Print a profile's file.
    #[command(after_help = "Example:\n  lanyard profile show --dir ca legacy")]
    Show {
        #[command(flatten)]
        target: Target,
        /// Name.
        name: String,
    },
    /// Read all template and profile files again; broken ones change nothing.
    #[command(after_help = "Example:\n  $EDITOR ca/profiles/default.toml && lanyard profile reload --dir ca")]
    Reload {
        #[command(flatten)]
        target: Target,
    },
}

/// Kind of device.
#[derive(Clone, Copy, ValueEnum)]
pub enum Platform {
    /// iPhone, iPad, Mac.
    Apple,
    /// The agent.
    Linux,
    /// The agent.
    Android,
}

/// Runs a template command.
pub async fn run_template(command: TemplateCommand) -> ExitCode {
    match command {
        TemplateCommand::List { target, json } => list(&target, "/templates", json).await,
        TemplateCommand::Show { target, name } => show(&target, &format!("/templates/{}", encode(&name))).await,
        TemplateCommand::Reload { target } => reload(&target).await,
    }
}

/// Runs a profile command.
pub async fn run_profile(command: ProfileCommand) -> ExitCode {
    match command {
        ProfileCommand::List { target, json } => list(&target, "/profiles", json).await,
        ProfileCommand::Show { target, name } => show(&target, &format!("/profiles/{}", encode(&name))).await,
        ProfileCommand::Check(check) => super::trial::run(check).await,
        ProfileCommand::Export { target, name, platform, user, device } => {
            let platform = match platform {
                Platform::Apple => "apple",
                Platform::Linux => "linux",
                Platform::Android => "android",
            };
            let wanted = Export { platform: platform.to_owned(), user, device };
            let made = target.post::<_, Exported>(&format!("/fleet-policies/{}/export", encode(&name)), &wanted).await;
            match made.map(|made| STANDARD.decode(made.file)) {
                Ok(Ok(octets)) => {
                    print::bytes(&octets);
                    ExitCode::SUCCESS
                }
                Ok(Err(error)) => print::fail(&format!("the answer cannot be read: {error}"), None),
                Err(error) => error.report(),
            }
        }
        ProfileCommand::Reload { target } => reload(&target).await,
    }
}

async fn list(target: &Target, path: &str, json: bool) -> ExitCode {
    match target.get::<Vec<Named>>(path).await {
        Ok(found) if json => print::json(&found),
        Ok(found) => {
            found.iter().for_each(warn);
            let rows = found.into_iter().map(|n| vec![n.name, n.revision.to_string(), n.description]);
            print::table(&["NAME", "REVISION", "FOR"], rows.collect(), "there are none")
        }
        Err(error) => error.report(),
    }
}

async fn show(target: &Target, path: &str) -> ExitCode {
    match target.get::<Named>(path).await {
        Ok(named) => {
            warn(&named);
            print::raw(&named.text.unwrap_or_default());
            ExitCode::SUCCESS
        }
        Err(error) => error.report(),
    }
}

fn warn(named: &Named) {
    for warning in &named.warnings {
        print::remark(&format!("warning: {}: {warning}", named.name));
    }
}

async fn reload(target: &Target) -> ExitCode {
    match target.post::<_, String>("/policy/reload", &()).await {
        Ok(summary) => {
            print::line(&format!("in force: {summary}"));
            ExitCode::SUCCESS
        }
        Err(error) => error.report(),
    }
}

//! `lanyard user` and `lanyard fleet`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use lanyard_server::api::types::{Device, Password, User};

use super::import;
use crate::{
    admin::{CallError, Target, encode},
    print,
};

/// Commands on users.
#[derive(Subcommand)]
pub enum UserCommand {
    /// List the users.
    #[command(after_help = "Example:\n  lanyard user list --dir ca")]
    List {
        #[command(flatten)]
        target: Target,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Add a user, or replace the record of one.
    #[command(after_help = "Example:\n  lanyard user add --dir ca user1 --upn user1@example.org --email user1@example.org")]
    Add {
        #[command(flatten)]
        target: Target,
        /// Login name.
        name: String,
        /// Name for people.
        #[arg(long)]
        display_name: Option<String>,
        /// User principal name.
        #[arg(long)]
        upn: Option<String>,
        /// E-mail address.
        #[arg(long)]
        email: Option<String>,
        /// Identifier in a directory.
        #[arg(long)]
        id: Option<String>,
        /// A disabled user gets nothing.
        #[arg(long)]
        disabled: bool,
        /// File with the password with which the user signs in to enrol devices.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Set the password with which a user signs in to enrol devices.
    #[command(
        after_help = "Example:\n  lanyard user passwd --dir ca user1\n  lanyard user passwd --dir ca user1 --password-file pw.txt"
    )]
    Passwd {
        #[command(flatten)]
        target: Target,
        /// Login name.
        name: String,
        /// File that holds the password, instead of typing it.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Add or change many users from a CSV file: all of them, or none.
    #[command(
        after_help = "Example:\n  lanyard user import --dir ca users.csv --dry-run\n\nThe first line names the columns: name, and of display-name, \
        upn, email, id, given-name, surname, department,\nsam-account-name, distinguished-name, disabled (yes or no) those there are. What \
        the file does not name stays as it is."
    )]
    Import(import::Arguments),
    /// Remove a user; certificates and challenges for it are then refused.
    #[command(after_help = "Example:\n  lanyard user remove --dir ca user1")]
    Remove {
        #[command(flatten)]
        target: Target,
        /// Login name.
        name: String,
    },
}

/// Commands on devices.
#[derive(Subcommand)]
pub enum FleetCommand {
    /// List the devices.
    #[command(after_help = "Example:\n  lanyard fleet list --dir ca")]
    List {
        #[command(flatten)]
        target: Target,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Add a device, or replace the record of one.
    #[command(
        after_help = "Example:\n  lanyard fleet add --dir ca L-0007 --name laptop-7 --dns-name laptop-7.example.org --user user1"
    )]
    Add(AddDevice),
    /// Add or change many devices from a CSV file: all of them, or none.
    #[command(
        after_help = "Example:\n  lanyard fleet import --dir ca devices.csv --dry-run\n\nThe first line names the columns: id, and of name, \
        dns-name, serial, directory-id, imei, meid, wifi-mac, model, user,\nblocked (yes or no) those there are. What the file does not name \
        stays as it is."
    )]
    Import(import::Arguments),
    /// Remove a device; certificates and challenges for it are then refused.
    #[command(after_help = "Example:\n  lanyard fleet remove --dir ca L-0007")]
    Remove {
        #[command(flatten)]
        target: Target,
        /// Inventory id.
        id: String,
    },
    /// Refuse everything to a device from now on.
    #[command(after_help = "Example:\n  lanyard fleet block --dir ca L-0007")]
    Block {
        #[command(flatten)]
        target: Target,
        /// Inventory id.
        id: String,
    },
    /// Let a blocked device ask again.
    #[command(after_help = "Example:\n  lanyard fleet unblock --dir ca L-0007")]
    Unblock {
        #[command(flatten)]
        target: Target,
        /// Inventory id.
        id: String,
    },
}

/// Arguments of `lanyard fleet add`.
#[derive(Args)]
pub struct AddDevice {
    #[command(flatten)]
    target: Target,
    /// Inventory id.
    id: String,
    /// Host name.
    #[arg(long)]
    name: Option<String>,
    /// Fully qualified domain name.
    #[arg(long)]
    dns_name: Option<String>,
    /// Hardware serial number.
    #[arg(long)]
    serial: Option<String>,
    /// Owner.
    #[arg(long)]
    user: Option<String>,
}

/// Runs a user command.
pub async fn run_user(command: UserCommand) -> ExitCode {
    match command {
        UserCommand::List { target, json } => match target.get::<Vec<User>>("/users").await {
            Ok(users) if json => print::json(&users),
            Ok(users) => {
                let text = |v: Option<String>| v.unwrap_or_else(|| "-".into());
                let rows = users.into_iter().map(|u| {
                    let state = if u.disabled { "disabled" } else { "enabled" };
                    vec![u.name.to_string(), text(u.display_name), text(u.upn), text(u.email), state.into()]
                });
                print::table(&["NAME", "DISPLAY NAME", "UPN", "E-MAIL", "STATE"], rows.collect(), "no users")
            }
            Err(error) => error.report(),
        },
        UserCommand::Import(arguments) => import::run("users", arguments).await,
        UserCommand::Remove { target, name } => removed(target.delete(&format!("/users/{}", encode(&name))).await, "user", &name),
        UserCommand::Passwd { target, name, password_file } => match password(password_file.as_deref()) {
            Ok(password) => set_password(&target, &name, password).await,
            Err(problem) => print::fail(&problem, None),
        },
        UserCommand::Add { target, name, display_name, upn, email, id, disabled, password_file } => {
            let name = match name.parse() {
                Ok(name) => name,
                Err(error) => return print::fail(&format!("{error}"), None),
            };
            let password = match password_file.as_deref().map(|file| password(Some(file))).transpose() {
                Ok(password) => password,
                Err(problem) => return print::fail(&problem, None),
            };
            let user = User { display_name, upn, email, id, disabled, ..User::named(name) };
            match (target.put::<_, User>("/users", &user).await, password) {
                (Ok(user), Some(password)) => set_password(&target, user.name.as_str(), password).await,
                (Ok(user), None) => saved("user", user.name.as_str()),
                (Err(error), _) => error.report(),
            }
        }
    }
}

/// Runs a device command.
pub async fn run_fleet(command: FleetCommand) -> ExitCode {
    match command {
        FleetCommand::List { target, json } => match target.get::<Vec<Device>>("/devices").await {
            Ok(devices) if json => print::json(&devices),
            Ok(devices) => {
                let text = |v: Option<String>| v.unwrap_or_else(|| "-".into());
                let rows = devices.into_iter().map(|d| {
                    let state = if d.blocked { "blocked" } else { "allowed" };
                    let user = d.user.map(|u| u.to_string());
                    vec![d.id.to_string(), text(d.name), text(d.dns_name), text(d.serial), text(user), state.into()]
                });
                print::table(&["ID", "NAME", "DNS NAME", "SERIAL", "USER", "STATE"], rows.collect(), "no devices")
            }
            Err(error) => error.report(),
        },
        FleetCommand::Import(arguments) => import::run("devices", arguments).await,
        FleetCommand::Remove { target, id } => removed(target.delete(&format!("/devices/{}", encode(&id))).await, "device", &id),
        FleetCommand::Add(arguments) => add(arguments).await,
        FleetCommand::Block { target, id } => set_blocked(&target, &id, true).await,
        FleetCommand::Unblock { target, id } => set_blocked(&target, &id, false).await,
    }
}

async fn add(arguments: AddDevice) -> ExitCode {
    let AddDevice { target, id, name, dns_name, serial, user } = arguments;
    let device = match (id.parse(), user.map(|u| u.parse()).transpose()) {
        (Ok(id), Ok(user)) => Device { name, dns_name, serial, user, ..Device::named(id) },
        (Err(error), _) | (_, Err(error)) => return print::fail(&format!("{error}"), None),
    };
    match target.put::<_, Device>("/devices", &device).await {
        Ok(device) => saved("device", device.id.as_str()),
        Err(error) => error.report(),
    }
}

/// A new password, from a file or typed twice.
fn password(file: Option<&Path>) -> Result<Password, String> {
    let Some(file) = file else {
        let ask = |prompt| rpassword::prompt_password(prompt).map_err(|e| format!("the password cannot be read: {e}"));
        let password = ask("Password: ")?;
        return if ask("The same again: ")? == password {
            Ok(Password { password })
        } else {
            Err("the two passwords differ".into())
        };
    };
    let text = fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    Ok(Password { password: text.trim_end_matches(['\r', '\n']).to_owned() })
}

async fn set_password(target: &Target, name: &str, password: Password) -> ExitCode {
    match target.put::<_, bool>(&format!("/users/{}/password", encode(name)), &password).await {
        Ok(_) => saved("user", name),
        Err(error) => error.report(),
    }
}

async fn set_blocked(target: &Target, id: &str, blocked: bool) -> ExitCode {
    let devices = match target.get::<Vec<Device>>("/devices").await {
        Ok(devices) => devices,
        Err(error) => return error.report(),
    };
    let Some(device) = devices.into_iter().find(|d| d.id.as_str() == id) else {
        return print::fail(&format!("device '{id}' is not on record"), Some("lanyard fleet list shows them"));
    };
    match target.put::<_, Device>("/devices", &Device { blocked, ..device }).await {
        Ok(device) => saved("device", device.id.as_str()),
        Err(error) => error.report(),
    }
}

fn saved(what: &str, name: &str) -> ExitCode {
    print::line(&format!("{what} {name} is saved"));
    ExitCode::SUCCESS
}

fn removed(answer: Result<bool, CallError>, what: &str, name: &str) -> ExitCode {
    match answer {
        Ok(_) => {
            print::line(&format!("{what} {name} is removed"));
            ExitCode::SUCCESS
        }
        Err(error) => error.report(),
    }
}

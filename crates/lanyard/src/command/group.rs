//! `lanyard group`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use lanyard_server::api::types::{Group, GroupChange};

use crate::{
    admin::{Target, encode},
    print,
};

/// Commands on groups.
#[derive(Subcommand)]
pub enum Command {
    /// List the groups.
    #[command(after_help = "Example:\n  lanyard group list --dir ca")]
    List {
        #[command(flatten)]
        target: Target,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show who is in a group.
    #[command(after_help = "Example:\n  lanyard group show --dir ca staff")]
    Show {
        #[command(flatten)]
        target: Target,
        /// Name.
        name: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Add a group, to be named in the `groups` of profiles.
    #[command(after_help = "Example:\n  lanyard group add --dir ca staff --description \"Everybody on the payroll\"")]
    Add {
        #[command(flatten)]
        target: Target,
        /// Name.
        name: String,
        /// One sentence for people.
        #[arg(long, default_value = "")]
        description: String,
    },
    /// Add members to a group, or take them out.
    #[command(after_help = "Example:\n  lanyard group set --dir ca staff --add-user jo --add-device L-0007 --remove-user ann")]
    Set(Set),
    /// Remove a group. Profiles that name it are then for nobody through it.
    #[command(after_help = "Example:\n  lanyard group remove --dir ca staff")]
    Remove {
        #[command(flatten)]
        target: Target,
        /// Name.
        name: String,
    },
}

/// Arguments of `lanyard group set`.
#[derive(Args)]
pub struct Set {
    #[command(flatten)]
    target: Target,
    /// Name.
    name: String,
    /// One sentence for people.
    #[arg(long)]
    description: Option<String>,
    /// User to add; may be repeated.
    #[arg(long, value_name = "NAME")]
    add_user: Vec<String>,
    /// User to take out; may be repeated.
    #[arg(long, value_name = "NAME")]
    remove_user: Vec<String>,
    /// Device to add; may be repeated.
    #[arg(long, value_name = "ID")]
    add_device: Vec<String>,
    /// Device to take out; may be repeated.
    #[arg(long, value_name = "ID")]
    remove_device: Vec<String>,
}

/// Runs it.
pub async fn run(command: Command) -> ExitCode {
    let done = match command {
        Command::List { target, json } => {
            return match target.get::<Vec<Group>>("/groups").await {
                Ok(groups) if json => print::json(&groups),
                Ok(groups) => {
                    let row = |g: Group| {
                        vec![g.name.to_string(), g.users.len().to_string(), g.devices.len().to_string(), g.description]
                    };
                    print::table(&["NAME", "USERS", "DEVICES", "FOR"], groups.into_iter().map(row).collect(), "no groups")
                }
                Err(error) => error.report(),
            };
        }
        Command::Show { target, name, json } => {
            return match target.get::<Group>(&format!("/groups/{}", encode(&name))).await {
                Ok(group) if json => print::json(&group),
                Ok(group) => {
                    let users = group.users.into_iter().map(|u| vec!["user".to_owned(), u.to_string()]);
                    let devices = group.devices.into_iter().map(|d| vec!["device".to_owned(), d.to_string()]);
                    print::table(&["KIND", "NAME"], users.chain(devices).collect(), "nobody is in it")
                }
                Err(error) => error.report(),
            };
        }
        Command::Add { target, name, description } => match name.parse() {
            Ok(name) => {
                let group = Group { name, description, users: Default::default(), devices: Default::default() };
                target.put::<_, Group>("/groups", &group).await.map(|g| format!("group {} is saved", g.name))
            }
            Err(error) => return print::fail(&format!("{error}"), None),
        },
        Command::Set(Set { target, name, description, add_user, remove_user, add_device, remove_device }) => {
            let change = GroupChange {
                description,
                add_users: add_user,
                remove_users: remove_user,
                add_devices: add_device,
                remove_devices: remove_device,
            };
            let changed = target.post::<_, Group>(&format!("/groups/{}", encode(&name)), &change).await;
            changed.map(|g| format!("group {}: {} users, {} devices", g.name, g.users.len(), g.devices.len()))
        }
        Command::Remove { target, name } => {
            target.delete::<bool>(&format!("/groups/{}", encode(&name))).await.map(|_| format!("group {name} is removed"))
        }
    };
    match done {
        Ok(line) => {
            print::line(&line);
            ExitCode::SUCCESS
        }
        Err(error) => error.report(),
    }
}

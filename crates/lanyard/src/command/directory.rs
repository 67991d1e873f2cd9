//! `lanyard user`.

use std::process::ExitCode;

use clap::Subcommand;
use lanyard_server::api::types::User;

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
        UserCommand::Add { target, name, display_name, upn, email, id, disabled } => {
            let name = match name.parse() {
                Ok(name) => name,
                Err(error) => return print::fail(&format!("{error}"), None),
            };
            let user = User { display_name, upn, email, id, disabled, ..User::named(name) };
            match target.put::<_, User>("/users", &user).await {
                Ok(user) => saved("user", user.name.as_str()),
                Err(error) => error.report(),
            }
        }
    }
}

pub(super) fn saved(what: &str, name: &str) -> ExitCode {
    print::line(&format!("{what} {name} is saved"));
    ExitCode::SUCCESS
}

pub(super) fn removed(answer: Result<bool, CallError>, what: &str, name: &str) -> ExitCode {
    match answer {
        Ok(_) => {
            print::line(&format!("{what} {name} is removed"));
            ExitCode::SUCCESS
        }
        Err(error) => error.report(),
    }
}

//! `lanyard user`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Subcommand;
use lanyard_server::api::types::{Password, User};

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

//! Where the unseal key comes from: a key file, or a passphrase typed without echo or read from standard input.

use std::{
    io::{self, BufRead, IsTerminal},
    path::PathBuf,
};

use lanyard_server::SecretText;

/// How the sealed keys are opened.
#[derive(clap::Args, Debug, Clone)]
pub struct UnsealArguments {
    /// File with the key that opens the sealed private keys; mode 0600, outside the data directory. `init` makes it when it does
    /// not exist. Without it a passphrase is asked for (or read as one line from standard input).
    #[arg(long, value_name = "FILE")]
    pub unseal_file: Option<PathBuf>,
}

/// Asks for a passphrase; twice when it is a new one.
pub fn passphrase(new: bool) -> Result<SecretText, String> {
    if !io::stdin().is_terminal() {
        let mut text = String::new();
        io::stdin().lock().read_line(&mut text).map_err(|e| format!("the passphrase cannot be read: {e}"))?;
        let text = text.trim_end_matches(['\r', '\n']).to_owned();
        return if text.is_empty() { Err("standard input held no passphrase".into()) } else { check(SecretText::new(text), new) };
    }
    let ask = |prompt: &str| {
        let typed = rpassword::prompt_password(prompt).map_err(|e| format!("the passphrase cannot be read: {e}"))?;
        Ok::<_, String>(SecretText::new(typed))
    };
    let first = check(ask("Passphrase for the private keys: ")?, new)?;
    if new && ask("The same again: ")?.expose() != first.expose() {
        return Err("the two passphrases differ".into());
    }
    Ok(first)
}

fn check(passphrase: SecretText, new: bool) -> Result<SecretText, String> {
    if new && passphrase.expose().chars().count() < 12 {
        return Err("the passphrase is too short: it guards the keys of the whole organisation; use 12 characters or more".into());
    }
    Ok(passphrase)
}

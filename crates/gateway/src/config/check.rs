//! What can be checked without reading another file.

use std::collections::{HashMap, HashSet};

use lanyard_model::text::printable;

use super::file::{Accounts, Application, Config, Delegation, DeviceAction, Kind, Mode, Passwords, Revocation};
use crate::error::GatewayError;

/// Reads the text of a configuration file.
///
/// # Errors
/// [`GatewayError::Config`] in one sentence.
pub fn parse(text: &str) -> Result<Config, GatewayError> {
    let config: Config = toml::from_str(text).map_err(|e| GatewayError::Config(e.to_string().trim_end().to_owned()))?;
    check(&config).map_err(GatewayError::Config)?;
    Ok(config)
}

fn check(config: &Config) -> Result<(), String> {
    if config.listen.is_empty() {
        return Err("listen must name an address".into());
    }
    if config.applications.is_empty() {
        return Err("there is no [[application]] to publish".into());
    }
    unique("trust", config.trusts.iter().map(|t| t.name.as_str()))?;
    unique("accounts", config.accounts.iter().map(super::file::Accounts::name))?;
    unique("application", config.applications.iter().map(|a| a.name.as_str()))?;
    for (key, span) in [("handshake-timeout", config.limits.handshake_timeout), ("head-timeout", config.limits.head_timeout)] {
        if !(1..=120).contains(&span.secs()) {
            return Err(format!("limits.{key} must be 1s to 2m"));
        }
    }
    if config.lockout.attempts == 0 || config.lockout.window.secs() == 0 {
        return Err("lockout.attempts and lockout.window must be above zero".into());
    }
    let needs_server = config.accounts.iter().any(|a| matches!(a, Accounts::Lanyard(_)))
        || config.trusts.iter().any(|t| t.revocation == Revocation::Server);
    if needs_server && config.server.is_none() {
        return Err("accounts of kind lanyard and revocation = \"server\" need [server]".into());
    }
    let mut places = HashMap::new();
    for application in &config.applications {
        check_application(config, application).map_err(|e| format!("application {}: {e}", printable(&application.name)))?;
        for host in &application.hosts {
            for path in &application.paths {
                if let Some(other) = places.insert((host.to_ascii_lowercase(), path.to_ascii_lowercase()), &application.name) {
                    return Err(format!("{host}{path} is published twice, as {other} and as {}", application.name));
                }
            }
        }
    }
    Ok(())
}

fn unique<'a>(kind: &str, names: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let mut seen = HashSet::new();
    for name in names {
        let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if name.is_empty() || name.len() > 64 || !name.bytes().all(good) {
            return Err(format!("the name '{}' of a {kind} must be letters, digits, '-', '_' and '.'", printable(name)));
        }
        if !seen.insert(name) {
            return Err(format!("there are two of {kind} with the name {name}"));
        }
    }
    Ok(())
}

fn check_application(config: &Config, application: &Application) -> Result<(), String> {
    let mode = application.mode;
    if application.hosts.is_empty() || application.paths.is_empty() || application.back_ends.is_empty() {
        return Err("hosts, paths and back-ends must each name something".into());
    }
    for host in &application.hosts {
        let name = host.strip_prefix("*.").unwrap_or(host);
        let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
        if name.is_empty() || !name.bytes().all(good) || name.ends_with('.') {
            return Err(format!("'{}' is not a host name", printable(host)));
        }
    }
    for path in application.paths.iter().chain(&application.back_end_path).chain(&application.health_path) {
        if !path.starts_with('/') || path.bytes().any(|b| !b.is_ascii_graphic() || matches!(b, b'?' | b'#' | b'%' | b'\\')) {
            return Err(format!("'{}' is not a plain path that begins with a slash", printable(path)));
        }
    }
    if mode.wants_certificate() && application.trust.is_empty() {
        return Err(format!("mode {} needs trust: whose certificates count", mode.as_str()));
    }
    if let Some(name) = application.trust.iter().find(|name| !config.trusts.iter().any(|t| t.name == **name)) {
        return Err(format!("there is no [[trust]] with the name {}", printable(name)));
    }
    match &application.accounts {
        Some(name) if !config.accounts.iter().any(|a| a.name() == name) => {
            return Err(format!("there is no [[accounts]] with the name {}", printable(name)));
        }
        None if mode.wants_certificate() => return Err(format!("mode {} needs accounts", mode.as_str())),
        None if mode == Mode::Basic && application.passwords == Passwords::Accounts => {
            return Err("accounts must say who checks passwords, or passwords must be \"back-end\"".into());
        }
        _ => {}
    }
    if application.passwords == Passwords::BackEnd && mode.wants_password() && application.delegation != Delegation::Basic {
        return Err("passwords = \"back-end\" needs delegation of kind basic".into());
    }
    match &application.delegation {
        Delegation::Basic if !matches!(mode, Mode::Basic | Mode::Both | Mode::None) => {
            return Err(format!("delegation of kind basic needs a password, which mode {} may be without", mode.as_str()));
        }
        Delegation::Header { .. } | Delegation::Password { .. } if mode == Mode::None => {
            return Err("mode none knows nobody whose name could be handed on".into());
        }
        Delegation::Header { header, .. } if http::HeaderName::from_bytes(header.as_bytes()).is_err() => {
            return Err(format!("'{}' is not the name of a header", printable(header)));
        }
        _ => {}
    }
    if let Some(name) = application.reserved_headers.iter().find(|n| http::HeaderName::from_bytes(n.as_bytes()).is_err()) {
        return Err(format!("'{}' is not the name of a header", printable(name)));
    }
    if application.kind == Kind::Activesync && application.answer_timeout.is_some_and(|t| t.secs() < 3600) {
        return Err("answer-timeout must be 60m or more for ActiveSync: a device may wait 59 minutes for mail".into());
    }
    let rules = !application.devices.is_empty()
        || application.bindings_file.is_some()
        || application.other_devices != DeviceAction::Allow;
    if rules && application.kind != Kind::Activesync {
        return Err("rules for devices need kind = \"activesync\"".into());
    }
    if application.realm.bytes().any(|b| !(b' '..=b'~').contains(&b) || matches!(b, b'"' | b'\\')) {
        return Err("realm must be plain ASCII without quotes".into());
    }
    for url in &application.back_ends {
        if url.starts_with("https://") && application.back_end_ca_file.is_none() {
            return Err(format!("{} needs back-end-ca-file: the certificates under which it stands", printable(url)));
        }
    }
    Ok(())
}

//! Which devices may synchronise, in the order in which Exchange decides: what was said of one person's device, then block, quarantine and allow
//! rules, then what holds for everybody else.
//!
//! A device names itself, so its name proves nothing; whoever wants more binds it to the account it was first used with.

use std::{
    collections::HashMap,
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use lanyard_model::text::{hex, unhex};

use super::query::{Query, same_device};
use crate::{
    account::source::Account,
    config::file::{DeviceAction, DeviceRule},
    decide::denial::{Denial, Reason},
    error::GatewayError,
};

/// Most bindings that are kept.
const MOST: usize = 1_000_000;

/// The rules of an application.
#[derive(Debug)]
pub struct Devices {
    rules: Vec<DeviceRule>,
    otherwise: DeviceAction,
    bindings: Option<Bindings>,
}

/// Accounts that devices were first used with.
#[derive(Debug)]
struct Bindings {
    path: PathBuf,
    table: Mutex<HashMap<String, String>>,
}

/// What a request says of its device.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// The query.
    pub query: &'a Query,
    /// `User-Agent`.
    pub agent: &'a str,
    /// Method of HTTP.
    pub method: &'a http::Method,
    /// SHA-256 of the certificate that counted.
    pub certificate: Option<[u8; 32]>,
}

/// What was decided, and by what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// What.
    pub action: DeviceAction,
    /// Place of the rule, from 1; `None` when no rule fits.
    pub rule: Option<usize>,
}

impl Devices {
    /// Reads the bindings, where there are to be any.
    ///
    /// # Errors
    /// [`GatewayError::File`].
    pub fn open(rules: &[DeviceRule], otherwise: DeviceAction, bindings: Option<PathBuf>) -> Result<Self, GatewayError> {
        let bindings = bindings.map(|path| Bindings::open(&path)).transpose()?;
        Ok(Self { rules: rules.to_vec(), otherwise, bindings })
    }

    /// Decides about a device.
    #[must_use]
    pub fn decide(&self, account: Option<&Account>, asking: &Asking<'_>) -> Decision {
        let fits = |rule: &DeviceRule| {
            let device = || {
                rule.device_id.as_ref().is_none_or(|id| asking.query.device_id.as_ref().is_some_and(|own| same_device(id, own)))
            };
            let user = || rule.user.as_ref().is_none_or(|name| account.is_some_and(|account| is_called(account, name)));
            let kind = || {
                rule.device_type.as_ref().is_none_or(|kind| like(kind, asking.query.device_type.as_deref().unwrap_or_default()))
            };
            let agent = || rule.user_agent.as_ref().is_none_or(|agent| like(agent, asking.agent));
            let certificate = || {
                rule.certificate
                    .as_ref()
                    .is_none_or(|text| unhex(text).is_some_and(|octets| asking.certificate.is_some_and(|c| c[..] == octets[..])))
            };
            device() && user() && kind() && agent() && certificate()
        };
        let find = |action: DeviceAction, personal: bool| {
            let place =
                self.rules.iter().position(|rule| rule.action == action && rule.is_personal() == personal && fits(rule))?;
            Some(Decision { action, rule: Some(place + 1) })
        };
        find(DeviceAction::Block, true)
            .or_else(|| find(DeviceAction::Allow, true))
            .or_else(|| find(DeviceAction::Quarantine, true))
            .or_else(|| find(DeviceAction::Block, false))
            .or_else(|| find(DeviceAction::Quarantine, false))
            .or_else(|| find(DeviceAction::Allow, false))
            .unwrap_or(Decision { action: self.otherwise, rule: None })
    }

    /// Whether a request of a device may go on.
    ///
    /// # Errors
    /// [`Reason::DeviceRefused`], [`Reason::DeviceQuarantined`].
    pub fn admit(&self, account: Option<&Arc<Account>>, asking: &Asking<'_>) -> Result<(), Denial> {
        self.look(account, asking)?;
        match (&self.bindings, account, &asking.query.device_id) {
            (Some(bindings), Some(account), Some(device)) if !bindings.is_of(device, &account.key) => {
                Err(Denial::because(Reason::DeviceRefused, "the device was first used with another account"))
            }
            _ => Ok(()),
        }
    }

    /// Whether the rules let it, without binding it.
    ///
    /// # Errors
    /// [`Reason::DeviceRefused`], [`Reason::DeviceQuarantined`].
    pub fn look(&self, account: Option<&Arc<Account>>, asking: &Asking<'_>) -> Result<(), Denial> {
        let decision = self.decide(account.map(AsRef::as_ref), asking);
        let why = decision.rule.map_or_else(|| "no device rule fits".to_owned(), |rule| format!("device rule {rule}"));
        match decision.action {
            DeviceAction::Block => Err(Denial::because(Reason::DeviceRefused, &why)),
            DeviceAction::Quarantine if !is_harmless(asking) => Err(Denial::because(Reason::DeviceQuarantined, &why)),
            DeviceAction::Quarantine | DeviceAction::Allow => Ok(()),
        }
    }
}

/// What a device in quarantine may do: find out what it is in.
fn is_harmless(asking: &Asking<'_>) -> bool {
    asking.method == http::Method::OPTIONS || matches!(asking.query.command.as_deref(), Some("Provision" | "Settings"))
}

fn is_called(account: &Account, name: &str) -> bool {
    [Some(&account.name), account.upn.as_ref(), account.email.as_ref()]
        .into_iter()
        .flatten()
        .any(|own| own.eq_ignore_ascii_case(name))
}

/// Whether a text is this one, or begins so where the pattern ends in `*`. Case does not count.
fn like(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(begin) => text.get(..begin.len()).is_some_and(|head| head.eq_ignore_ascii_case(begin)),
        None => text.eq_ignore_ascii_case(pattern),
    }
}

/// A device however its name is written.
fn canonical(device: &str) -> String {
    let plain =
        unhex(device).and_then(|octets| String::from_utf8(octets).ok()).filter(|text| text.bytes().all(|b| b.is_ascii_graphic()));
    plain.filter(|text| !text.is_empty()).unwrap_or_else(|| device.to_owned()).to_ascii_lowercase()
}

impl Bindings {
    fn open(path: &Path) -> Result<Self, GatewayError> {
        let fault = |problem: String| GatewayError::File { path: path.display().to_string(), problem };
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(fault(error.to_string())),
        };
        let mut table = HashMap::new();
        for line in text.lines() {
            let (device, account) = line.split_once('\t').ok_or_else(|| fault("a line has not two columns".into()))?;
            let read = |text: &str| unhex(text).and_then(|octets| String::from_utf8(octets).ok());
            match (read(device), read(account)) {
                (Some(device), Some(account)) => drop(table.insert(device, account)),
                _ => return Err(fault("a column is not hexadecimal".into())),
            }
        }
        Ok(Self { path: path.to_owned(), table: Mutex::new(table) })
    }

    /// Whether a device is this account's; one that nobody used before becomes it, once that is on the disk.
    fn is_of(&self, device: &str, account: &str) -> bool {
        let device = canonical(device);
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(owner) = table.get(&device) {
            return owner == account;
        }
        if table.len() >= MOST {
            return false;
        }
        let line = format!("{}\t{}\n", hex(device.as_bytes()), hex(account.as_bytes()));
        let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path);
        let written = opened.and_then(|mut file| file.write_all(line.as_bytes()));
        if let Err(error) = written {
            tracing::error!(path = %self.path.display(), %error, "a device cannot be bound to its account");
            return false;
        }
        table.insert(device, account.to_owned());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(action: DeviceAction, change: impl FnOnce(&mut DeviceRule)) -> DeviceRule {
        let mut rule = DeviceRule { action, user: None, device_id: None, device_type: None, user_agent: None, certificate: None };
        change(&mut rule);
        rule
    }

    fn account(name: &str) -> Account {
        Account { key: name.into(), name: name.into(), upn: None, email: None, device: None, found_by: "name" }
    }

    #[test]
    fn rules_are_asked_in_the_order_of_exchange() {
        let rules = [
            rule(DeviceAction::Allow, |r| r.device_type = Some("phone*".into())),
            rule(DeviceAction::Quarantine, |r| r.user_agent = Some("New/*".into())),
            rule(DeviceAction::Block, |r| r.device_type = Some("Phone6".into())),
            rule(DeviceAction::Allow, |r| (r.user, r.device_id) = (Some("alice".into()), Some("A1".into()))),
            rule(DeviceAction::Block, |r| (r.user, r.device_id) = (Some("bob".into()), Some("B1".into()))),
        ];
        let devices = Devices::open(&rules, DeviceAction::Block, None).unwrap();
        let decide = |user: &str, id: &str, kind: &str, agent: &str| {
            let query = Query { device_id: Some(id.into()), device_type: Some(kind.into()), ..Query::default() };
            let asking = Asking { query: &query, agent, method: &http::Method::POST, certificate: None };
            devices.decide(Some(&account(user)), &asking)
        };
        let decided = |action, rule| Decision { action, rule };
        assert_eq!(decide("carol", "x", "Phone7", ""), decided(DeviceAction::Allow, Some(1)));
        assert_eq!(decide("carol", "x", "Phone7", "new/2"), decided(DeviceAction::Quarantine, Some(2)));
        assert_eq!(decide("carol", "x", "phone6", "new/2"), decided(DeviceAction::Block, Some(3)));
        assert_eq!(decide("alice", "a1", "phone6", "new/2"), decided(DeviceAction::Allow, Some(4)));
        // The same device, as a server writes it that has hexadecimal names.
        assert_eq!(decide("alice", "4131", "phone6", ""), decided(DeviceAction::Allow, Some(4)));
        assert_eq!(decide("bob", "B1", "Phone7", ""), decided(DeviceAction::Block, Some(5)));
        assert_eq!(decide("carol", "x", "Tablet", ""), decided(DeviceAction::Block, None));
    }
}

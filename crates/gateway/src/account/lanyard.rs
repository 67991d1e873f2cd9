//! Lanyard's own users: a certificate is mapped by its record, a password is checked by the server.

use std::{net::IpAddr, sync::Arc};

use lanyard_model::gateway::PasswordQuestion;

use super::{basic::Credentials, source::Account};
use crate::{
    certificate::verdict::Verified,
    config::file::Mapping,
    decide::denial::{Denial, Reason},
    state::{
        known::{Freshness, KnownUser, Owner, State},
        server::Server,
    },
};

/// Lanyard's users, as the state tells them.
#[derive(Debug)]
pub struct LanyardAccounts {
    state: Arc<State>,
    server: Arc<Server>,
}

impl LanyardAccounts {
    /// Over a state that is followed.
    #[must_use]
    pub fn new(state: Arc<State>, server: Arc<Server>) -> Self {
        Self { state, server }
    }

    /// Whose this certificate is.
    ///
    /// # Errors
    /// The denial.
    pub fn map(&self, verified: &Verified, ways: &[Mapping]) -> Result<Arc<Account>, Denial> {
        if self.state.freshness() == Freshness::Nothing {
            return Err(Denial::because(Reason::StateStale, "the server has told nothing yet"));
        }
        let known = self.state.certificate(&verified.fingerprint);
        let device = known.as_ref().and_then(|known| known.device.as_deref());
        for way in ways {
            let (found, by) = match way {
                Mapping::Record => {
                    (known.as_ref().and_then(|k| k.user.as_deref()).and_then(|name| self.state.user(name)), "record")
                }
                Mapping::Upn if verified.vouches_for_names => (self.by_name(verified.facts.upns.first())?, "upn"),
                Mapping::Email if verified.vouches_for_names => (self.by_name(verified.facts.emails.first())?, "email"),
                _ => continue,
            };
            if let Some(user) = found {
                return enter(user, device, by);
            }
        }
        let why = if known.is_some() { "its record names no user" } else { "there is no record of it" };
        Err(Denial::because(Reason::AccountUnknown, why))
    }

    fn by_name(&self, name: Option<&String>) -> Result<Option<KnownUser>, Denial> {
        let Some(name) = name else { return Ok(None) };
        match self.state.principal(name) {
            Owner::Nobody => Ok(None),
            Owner::One(user) => Ok(Some(user)),
            Owner::Several => Err(Denial::because(Reason::AccountAmbiguous, "several users have its name")),
        }
    }

    /// The account of a name with its password.
    ///
    /// # Errors
    /// The denial.
    pub async fn check(&self, credentials: &Credentials, source: IpAddr) -> Result<Arc<Account>, Denial> {
        let question =
            PasswordQuestion { user: credentials.user.clone(), password: credentials.password.expose().to_owned(), source };
        let answer = self.server.password(&question).await;
        let answer = answer.map_err(|e| Denial::because(Reason::AccountsUnavailable, &e.to_string()))?;
        let name = answer.user.ok_or(Denial::of(Reason::PasswordWrong))?;
        if self.state.user(&name).is_some_and(|user| user.disabled) {
            return Err(Denial::because(Reason::PasswordWrong, "the user is disabled"));
        }
        let user = KnownUser { name: Arc::from(name), upn: answer.upn, email: answer.email, disabled: false };
        enter(user, None, "name")
    }

    /// The account of a name alone.
    ///
    /// # Errors
    /// The denial.
    pub fn named(&self, credentials: &Credentials) -> Result<Arc<Account>, Denial> {
        let login = credentials.user.rsplit_once('\\').map_or(credentials.user.as_str(), |(_, login)| login);
        let found = match self.state.user(login) {
            Some(user) => Some(user),
            None => match self.state.principal(login) {
                Owner::One(user) => Some(user),
                Owner::Nobody | Owner::Several => None,
            },
        };
        let user = found.ok_or(Denial::of(Reason::PasswordWrong))?;
        enter(user, None, "name").map_err(|denial| Denial::because(Reason::PasswordWrong, &denial.detail))
    }

    /// Whether a password that was right is still good: its user was not disabled meanwhile.
    #[must_use]
    pub fn still(&self, account: &Account) -> bool {
        !self.state.user(&account.name).is_some_and(|user| user.disabled)
    }
}

fn enter(user: KnownUser, device: Option<&str>, by: &'static str) -> Result<Arc<Account>, Denial> {
    if user.disabled {
        return Err(Denial::because(Reason::AccountRefused, &format!("{} is disabled", user.name)));
    }
    Ok(Arc::new(Account {
        key: user.name.to_lowercase(),
        name: user.name.to_string(),
        upn: user.upn,
        email: user.email,
        device: device.map(str::to_owned),
        found_by: by,
    }))
}

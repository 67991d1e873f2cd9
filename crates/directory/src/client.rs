//! Searching, and trying a sign-in.

use std::sync::Arc;

use lanyard_model::{secret::SecretText, text::printable};
use ldap3::{LdapConnAsync, LdapConnSettings, LdapResult, Scope, SearchEntry, SearchResult};
use tokio::time::timeout;

use crate::{
    DirectoryError, Entry, Settings,
    pool::{Connection, Pool},
};

/// Result code invalidCredentials (RFC 4511, section 4.1.9); Active Directory answers it for locked accounts as well.
const INVALID_CREDENTIALS: u32 = 49;

/// A directory.
pub struct Directory {
    settings: Settings,
    pool: Pool,
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Directory").field(&self.settings.url).finish()
    }
}

/// What the directory says to a sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It lets them in.
    Yes,
    /// It does not; what it says about the reason is for the log only.
    No(String),
}

impl Directory {
    /// The way to a directory; nobody is asked yet.
    ///
    /// # Errors
    /// [`DirectoryError::Settings`] for an empty password: that is an anonymous bind, which a directory grants to everybody (RFC 4513,
    /// section 5.1.2).
    pub fn new(settings: Settings) -> Result<Self, DirectoryError> {
        if settings.bind_dn.is_empty() {
            return Err(DirectoryError::Settings("the name of the reading account is empty".into()));
        }
        if settings.password.expose().is_empty() {
            return Err(DirectoryError::Settings("the password of the reading account is empty".into()));
        }
        Ok(Self { settings, pool: Pool::default() })
    }

    /// Every entry below a base that fits. Values in the filter must have gone through [`crate::escape`]. Referrals are not followed.
    ///
    /// # Errors
    /// [`DirectoryError::Unavailable`].
    pub async fn search(&self, base: &str, filter: &str, attributes: &[&str]) -> Result<Vec<Entry>, DirectoryError> {
        match timeout(self.settings.timeout, self.look_up(base, filter, attributes)).await {
            Ok(answer) => answer.map_err(|error| DirectoryError::Unavailable(printable(&error))),
            Err(_) => Err(self.silent()),
        }
    }

    fn silent(&self) -> DirectoryError {
        DirectoryError::Unavailable(format!("no answer within {} s", self.settings.timeout.as_secs()))
    }

    async fn look_up(&self, base: &str, filter: &str, attributes: &[&str]) -> Result<Vec<Entry>, String> {
        let _turn = self.pool.turn().await?;
        if let Some(mut used) = self.pool.take() {
            let half = self.settings.timeout / 2;
            if let Ok(Ok(answer)) = timeout(half, search(&mut used.ldap, base, filter, attributes)).await {
                self.pool.keep(used);
                return Ok(answer);
            }
        }
        let mut fresh = self.connect().await?;
        let bound = fresh.ldap.simple_bind(&self.settings.bind_dn, self.settings.password.expose()).await;
        let bound = bound.and_then(LdapResult::success);
        bound.map_err(|e| format!("the account {} is not let in: {e}", self.settings.bind_dn))?;
        let answer = search(&mut fresh.ldap, base, filter, attributes).await?;
        self.pool.keep(fresh);
        Ok(answer)
    }

    /// Whether this is the password of the entry. An empty one never is: binding with it would be anonymous and succeed (RFC 4513,
    /// section 5.1.2).
    ///
    /// # Errors
    /// [`DirectoryError::Unavailable`].
    pub async fn lets_in(&self, dn: &str, password: &SecretText) -> Result<Answer, DirectoryError> {
        if password.expose().is_empty() || dn.is_empty() {
            return Ok(Answer::No("no name or no password".into()));
        }
        match timeout(self.settings.timeout, self.bind(dn, password)).await {
            Ok(answer) => answer.map_err(|error| DirectoryError::Unavailable(printable(&error))),
            Err(_) => Err(self.silent()),
        }
    }

    async fn bind(&self, dn: &str, password: &SecretText) -> Result<Answer, String> {
        // A connection of its own, which is never used again: it is let in as that person.
        let mut connection = self.connect().await?;
        let bound = connection.ldap.simple_bind(dn, password.expose()).await;
        let _ = connection.ldap.unbind().await;
        match bound.map_err(|e| e.to_string())? {
            result if result.rc == 0 => Ok(Answer::Yes),
            result if result.rc == INVALID_CREDENTIALS => Ok(Answer::No(printable(&result.text))),
            result => Err(format!("it answers a person's sign-in with code {}", result.rc)),
        }
    }

    /// A new connection, let in as nobody yet.
    async fn connect(&self) -> Result<Connection, String> {
        let mut settings = LdapConnSettings::new().set_starttls(self.settings.start_tls);
        if let Some(tls) = &self.settings.tls {
            settings = settings.set_config(Arc::clone(tls));
        }
        let (connection, ldap) = LdapConnAsync::with_settings(settings, &self.settings.url).await.map_err(|e| e.to_string())?;
        let driving = async move {
            if let Err(error) = connection.drive().await {
                tracing::debug!(%error, "a connection to the directory ended");
            }
        };
        Ok(Connection::new(ldap, tokio::spawn(driving)))
    }
}

async fn search(ldap: &mut ldap3::Ldap, base: &str, filter: &str, attributes: &[&str]) -> Result<Vec<Entry>, String> {
    let result = ldap.search(base, Scope::Subtree, filter, attributes.to_vec()).await.and_then(SearchResult::success);
    let (entries, _) = result.map_err(|e| format!("the search below {base} failed: {e}"))?;
    // Active Directory ends a search from the root of a domain with referrals, which name no entry.
    let entries = entries.into_iter().filter(|entry| !entry.is_ref() && !entry.is_intermediate());
    Ok(entries.map(SearchEntry::construct).map(Entry::of).collect())
}

//! Where accounts are kept, whatever keeps them.

use std::{net::IpAddr, sync::Arc};

use lanyard_model::time::Timestamp;

use super::{basic::Credentials, directory::DirectoryAccounts, file::FileAccounts, lanyard::LanyardAccounts};
use crate::{
    certificate::verdict::Verified,
    config::file::{AccountName, Mapping},
    decide::denial::{Denial, Reason},
};

/// An account that may enter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// What makes it this account and no other, within what keeps it: the security identifier, the distinguished name or the name.
    pub key: String,
    /// Name as the back end knows it.
    pub name: String,
    /// User principal name.
    pub upn: Option<String>,
    /// Mail address.
    pub email: Option<String>,
    /// The device that a certificate is on record for.
    pub device: Option<String>,
    /// How it was found, for the log.
    pub found_by: &'static str,
}

impl Account {
    /// One of its names, if it has that one.
    #[must_use]
    pub fn called(&self, name: AccountName) -> Option<&str> {
        match name {
            AccountName::Name => Some(&self.name),
            AccountName::Upn => self.upn.as_deref(),
            AccountName::Email => self.email.as_deref(),
        }
    }
}

/// Whoever keeps accounts.
#[derive(Debug)]
pub enum Source {
    /// A file.
    File(FileAccounts),
    /// A directory.
    Directory(Box<DirectoryAccounts>),
    /// Lanyard's server.
    Lanyard(LanyardAccounts),
}

impl Source {
    /// Whose this certificate is.
    ///
    /// # Errors
    /// The denial: nobody's, several people's, an account that may not enter, or nobody could be asked.
    pub async fn map(&self, verified: &Verified, ways: &[Mapping], now: Timestamp) -> Result<Arc<Account>, Denial> {
        if ways.contains(&Mapping::Upn) && verified.facts.upns.len() > 1 {
            return Err(Denial::because(Reason::AccountAmbiguous, "there are several user principal names in the certificate"));
        }
        match self {
            Self::File(file) => file.map(verified, ways),
            // Boxed, as everything here that is rare or large: what every request carries along is paid by each that is held for an hour.
            Self::Directory(directory) => Box::pin(directory.map(verified, ways, now)).await,
            Self::Lanyard(lanyard) => lanyard.map(verified, ways),
        }
    }

    /// The account behind a name and its password.
    ///
    /// # Errors
    /// The denial.
    pub async fn check(&self, credentials: &Credentials, source: IpAddr, now: Timestamp) -> Result<Arc<Account>, Denial> {
        if credentials.password.expose().is_empty() {
            // Directories take a name with an empty password for nobody, and let them in (RFC 4513, section 5.1.2).
            return Err(Denial::because(Reason::PasswordWrong, "the password is empty"));
        }
        match self {
            Self::File(file) => Box::pin(file.check(credentials)).await,
            Self::Directory(directory) => Box::pin(directory.check(credentials, now)).await,
            Self::Lanyard(lanyard) => Box::pin(lanyard.check(credentials, source)).await,
        }
    }

    /// Whether a password that was right a moment ago still is.
    #[must_use]
    pub fn still(&self, account: &Account) -> bool {
        match self {
            Self::Lanyard(lanyard) => lanyard.still(account),
            Self::File(_) | Self::Directory(_) => true,
        }
    }

    /// The account of a name alone, where the back end checks the password.
    ///
    /// # Errors
    /// The denial.
    pub async fn named(&self, credentials: &Credentials, now: Timestamp) -> Result<Arc<Account>, Denial> {
        match self {
            Self::File(file) => file.named(credentials),
            Self::Directory(directory) => Box::pin(directory.named(credentials, now)).await,
            Self::Lanyard(lanyard) => lanyard.named(credentials),
        }
    }
}

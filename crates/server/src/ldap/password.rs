//! Checking a person's password: the directory is asked to let them in.

use lanyard_model::{secret::SecretText, text::printable};
use tokio::time::timeout;

use super::lookup::{Ldap, seconds};
use crate::error::ServerError;

/// Result code invalidCredentials (RFC 4511, section 4.1.9); Active Directory answers it for locked accounts as well.
const INVALID_CREDENTIALS: u32 = 49;

impl Ldap {
    /// Whether this is the password of the entry. An empty one never is: binding with it would be anonymous and succeed (RFC 4513,
    /// section 5.1.2).
    ///
    /// # Errors
    /// [`ServerError::Directory`] when the directory does not answer, or not clearly.
    pub async fn lets_in(&self, dn: &str, password: &SecretText) -> Result<bool, ServerError> {
        if password.expose().is_empty() || dn.is_empty() {
            return Ok(false);
        }
        let life = seconds(self.settings.timeout.secs());
        match timeout(life, self.bind(dn, password)).await {
            Ok(answer) => answer.map_err(|error| ServerError::Directory(printable(&error))),
            Err(_) => Err(ServerError::Directory(format!("no answer within {} s", life.as_secs()))),
        }
    }

    /// A name that is nobody's. Asking for it takes as long as asking for somebody's with another password.
    #[must_use]
    pub fn nobody(&self) -> Option<String> {
        self.settings.users.as_ref().map(|place| format!("cn=lanyard-nobody,{}", place.base))
    }

    async fn bind(&self, dn: &str, password: &SecretText) -> Result<bool, String> {
        // A connection of its own, which is never used again: it is let in as that person.
        let mut connection = self.connect().await?;
        let bound = connection.ldap.simple_bind(dn, password.expose()).await;
        let _ = connection.ldap.unbind().await;
        match bound.map_err(|e| e.to_string())? {
            result if result.rc == 0 => Ok(true),
            result if result.rc == INVALID_CREDENTIALS => Ok(false),
            result => Err(format!("it answers a person's sign-in with code {}", result.rc)),
        }
    }
}

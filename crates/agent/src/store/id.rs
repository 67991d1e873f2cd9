//! Opaque names of what is in the store.

use std::{fmt, str::FromStr};

use lanyard_pki::crypto::random::random;

use crate::error::AgentError;

/// Names an identity, and before that the request for it: 16 hexadecimal digits, random, with no meaning.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalId(String);

impl LocalId {
    const LENGTH: usize = 16;

    /// A new one.
    ///
    /// # Errors
    /// [`AgentError::Own`] when there is no randomness.
    pub fn generate() -> Result<Self, AgentError> {
        let octets = random::<{ Self::LENGTH / 2 }>().map_err(AgentError::Own)?;
        Ok(Self(octets.iter().map(|octet| format!("{octet:02x}")).collect()))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LocalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for LocalId {
    type Err = AgentError;

    fn from_str(text: &str) -> Result<Self, AgentError> {
        let good = text.len() == Self::LENGTH && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if good { Ok(Self(text.to_owned())) } else { Err(AgentError::UnknownId(lanyard_model::text::printable(text))) }
    }
}

lanyard_model::serde_as_text!(LocalId);

//! The PIN of a key in the TPM.

use std::sync::Arc;

use lanyard_model::secret::SecretText;

use crate::error::AgentError;

/// Octets that a PIN may have: an authorisation value of the TPM is no longer than a SHA-256 digest.
const LENGTHS: std::ops::RangeInclusive<usize> = 4..=32;

/// A PIN that a TPM takes.
#[derive(Debug, Clone)]
pub struct Pin(SecretText);

impl Pin {
    /// Takes it over.
    ///
    /// # Errors
    /// [`AgentError::Usage`] when it has not 4 to 32 octets, or has characters that cannot be typed.
    pub fn new(text: SecretText) -> Result<Self, AgentError> {
        let fits = LENGTHS.contains(&text.expose().len()) && !text.expose().chars().any(char::is_control);
        if fits { Ok(Self(text)) } else { Err(AgentError::Usage("a PIN has 4 to 32 characters")) }
    }

    pub(super) fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// What a PIN is wanted for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinWanted {
    /// To guard a key that is about to be made.
    New,
    /// To use a key.
    Use {
        /// Whose key: the subject of its certificate or request.
        subject: String,
    },
}

/// Asks for a PIN; the call may block until a person has typed it.
pub type PinSource = Arc<dyn Fn(&PinWanted) -> Result<Pin, AgentError> + Send + Sync>;

/// Asks, if there is anybody to ask.
///
/// # Errors
/// [`AgentError::PinNeeded`]; those of the source.
pub(crate) fn ask(source: Option<&PinSource>, wanted: &PinWanted) -> Result<Pin, AgentError> {
    source.ok_or(AgentError::PinNeeded).and_then(|source| source(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(text: &str) -> Result<Pin, AgentError> {
        Pin::new(SecretText::new(text.to_owned()))
    }

    #[test]
    fn a_pin_fits_and_does_not_print() {
        for good in ["1234", "correct horse", &"x".repeat(32)] {
            let shown = format!("{:?}", pin(good).unwrap());
            assert!(!shown.contains(good), "{shown}");
        }
        for bad in ["", "123", &"x".repeat(33), "1234\n", "12\u{0}4"] {
            let error = pin(bad).unwrap_err();
            assert!(matches!(error, AgentError::Usage(_)), "{error}");
        }
    }

    #[test]
    fn where_nobody_can_be_asked_that_is_said() {
        assert!(matches!(ask(None, &PinWanted::New), Err(AgentError::PinNeeded)));
    }
}

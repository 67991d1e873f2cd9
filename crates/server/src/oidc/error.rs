//! Why nobody was signed in.

use lanyard_modules::error::ModuleError;
use lanyard_store::error::StoreError;

/// Why nobody was signed in. Text from outside is escaped.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// The provider cannot be asked.
    #[error("the OpenID Connect provider cannot be asked: {0}")]
    Unreachable(#[from] ModuleError),
    /// It could not be asked a moment ago, and nobody is asked again so soon.
    #[error("the OpenID Connect provider could not be asked a moment ago")]
    Resting,
    /// What the provider publishes or answers cannot be used.
    #[error("the OpenID Connect provider answers what cannot be used: {0}")]
    Answer(String),
    /// The provider did not sign the person in, or refuses the code.
    #[error("the OpenID Connect provider refuses: {0}")]
    Refused(String),
    /// What the browser brought back was not begun here, is too old, or was brought before.
    #[error("the sign-in was not begun here, is too old, or was brought back before")]
    State,
    /// The token does not hold.
    #[error("the token of the OpenID Connect provider does not hold: {0}")]
    Token(String),
    /// What was brought back before cannot be told.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Our own generator or key failed.
    #[error(transparent)]
    Own(#[from] lanyard_pki::error::PkiError),
}

impl OidcError {
    /// Stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) | Self::Resting => "server.oidc-unreachable",
            Self::Answer(_) => "server.oidc-answer",
            Self::Refused(_) => "server.oidc-refused",
            Self::State => "server.oidc-state",
            Self::Token(_) => "server.oidc-token",
            Self::Store(error) => error.code(),
            Self::Own(error) => error.code(),
        }
    }
}

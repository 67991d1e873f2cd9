//! The section `[oidc]` of the configuration file.

use lanyard_model::{network::Network, time::Span};
use lanyard_modules::outbound::Target;
use serde::{Deserialize, Serialize};

/// An OpenID Connect provider. Absent: people sign in here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OidcSettings {
    /// Issuer: an https URL, exactly as the provider's tokens have it.
    pub issuer: String,
    /// Name of this client at the provider.
    pub client_id: String,
    /// File with its secret; mode 0600.
    pub client_secret_file: String,
    /// Certificates (PEM) under one of which the provider stands.
    pub ca_file: String,
    /// Networks that may be reached besides public addresses.
    #[serde(default)]
    pub allow_addresses: Vec<Network>,
    /// Time for one question to the provider.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
    /// What is asked for; `openid` always is.
    #[serde(default = "default_scopes")]
    pub scopes: Vec<String>,
    /// Claim that names the user: login name, UPN or e-mail address. `email` counts only when the provider has verified it.
    #[serde(default = "default_claim")]
    pub user_claim: String,
}

const fn default_timeout() -> Span {
    Span::from_secs(5)
}

fn default_scopes() -> Vec<String> {
    ["openid", "profile"].map(str::to_owned).to_vec()
}

fn default_claim() -> String {
    "preferred_username".to_owned()
}

impl OidcSettings {
    /// Checks what can be checked without asking.
    ///
    /// # Errors
    /// Key and problem in one sentence.
    pub fn check(&self) -> Result<(), String> {
        let target = Target::parse(&self.issuer).map_err(|problem| format!("oidc.issuer: {problem}"))?;
        if !target.is_tls() || self.issuer.contains('?') {
            return Err("oidc.issuer must begin with https:// and have no query".into());
        }
        let word = |text: &str| !text.is_empty() && text.len() <= 256 && text.bytes().all(|b| b.is_ascii_graphic());
        if !word(&self.client_id) || self.client_id.contains(':') {
            return Err("oidc.client-id must be text without spaces and colons".into());
        }
        if !self.scopes.iter().all(|scope| word(scope)) || !word(&self.user_claim) {
            return Err("oidc.scopes and oidc.user-claim must be words".into());
        }
        if !(1..=15).contains(&self.timeout.secs()) {
            return Err("oidc.timeout must be 1s to 15s".into());
        }
        Ok(())
    }
}

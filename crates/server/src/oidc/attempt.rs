//! What a browser carries to the provider and back: sealed, short-lived, and bound to the browser by a cookie.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use lanyard_model::{
    secret::{SecretBytes, SecretText},
    text::hex,
    time::{Span, Timestamp},
};
use lanyard_pki::{
    crypto::{
        digest::{constant_time_eq, sha256},
        random::random,
        sealing,
    },
    error::PkiError,
};
use serde::{Deserialize, Serialize};

const CONTEXT: &[u8] = b"lanyard-oidc-attempt-v1";
/// How long somebody may take at the provider.
pub const LIFE: Span = Span::from_secs(900);

/// One attempt to sign in.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Attempt {
    /// Tells it from all others.
    pub id: String,
    /// Must come back in the token.
    pub nonce: String,
    /// PKCE: what the code is exchanged with (RFC 7636, section 4.1).
    pub verifier: String,
    /// SHA-256 of the browser's cookie.
    pub browser: String,
    /// Where the caller wants to go on afterwards.
    pub purpose: String,
    /// Until when it is good.
    pub until: Timestamp,
}

impl Attempt {
    /// A new one, and the cookie for the browser.
    ///
    /// # Errors
    /// Those of the generator.
    pub fn new(purpose: &str, now: Timestamp) -> Result<(Self, SecretText), PkiError> {
        let cookie = hex(&random::<32>()?);
        let attempt = Self {
            id: hex(&random::<16>()?),
            nonce: hex(&random::<16>()?),
            verifier: URL_SAFE_NO_PAD.encode(random::<32>()?),
            browser: hex(&sha256(cookie.as_bytes())),
            purpose: purpose.to_owned(),
            until: now + LIFE,
        };
        Ok((attempt, SecretText::new(cookie)))
    }

    /// `code_challenge` of method S256 (RFC 7636, section 4.2).
    #[must_use]
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(sha256(self.verifier.as_bytes()))
    }

    /// As `state`.
    ///
    /// # Errors
    /// Those of sealing.
    pub fn seal(&self, key: &SecretBytes) -> Result<String, PkiError> {
        let plain = serde_json::to_vec(self).map_err(|e| PkiError::Text(e.to_string()))?;
        Ok(URL_SAFE_NO_PAD.encode(sealing::seal(key, CONTEXT, &SecretBytes::new(plain))?))
    }

    /// From a `state` that this browser brings back in time.
    #[must_use]
    pub fn open(key: &SecretBytes, state: &str, cookie: Option<&str>, now: Timestamp) -> Option<Self> {
        let sealed = URL_SAFE_NO_PAD.decode(state).ok()?;
        let plain = sealing::open(key, CONTEXT, &sealed).ok()?;
        let attempt: Self = serde_json::from_slice(plain.expose()).ok()?;
        let browser = hex(&sha256(cookie?.as_bytes()));
        let good = constant_time_eq(browser.as_bytes(), attempt.browser.as_bytes()) && now < attempt.until;
        good.then_some(attempt)
    }
}

//! Access tokens by client credentials (RFC 6749, section 4.4), kept until shortly before their end.

use std::time::{Duration, Instant};

use http::Method;
use lanyard_model::{secret::SecretText, text::printable};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::{
    error::ModuleError,
    outbound::{Call, Outbound, Target},
};

/// How long before its end a token is no longer used.
const MARGIN: Duration = Duration::from_secs(60);
/// Longest time a token is kept, whatever it says of itself.
const MAX_LIFE: Duration = Duration::from_secs(3600);

/// The token for one resource.
pub struct Token {
    endpoint: Target,
    client_id: String,
    client_secret: SecretText,
    scope: String,
    current: Mutex<Option<(SecretText, Instant)>>,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    token_type: String,
    #[serde(default)]
    expires_in: u64,
}

impl Token {
    /// For a resource such as `https://graph.microsoft.com`.
    pub fn new(endpoint: Target, client_id: &str, client_secret: SecretText, resource: &str) -> Self {
        let scope = format!("{}/.default", resource.trim_end_matches('/'));
        Self { endpoint, client_id: client_id.to_owned(), client_secret, scope, current: Mutex::new(None) }
    }

    /// A token that is still good.
    pub async fn get(&self, outbound: &Outbound) -> Result<SecretText, ModuleError> {
        // Held while one is fetched, so that many requests fetch one.
        let mut current = self.current.lock().await;
        if let Some((token, until)) = current.as_ref()
            && Instant::now() < *until
        {
            return Ok(token.clone());
        }
        *current = None;
        let (token, life) = self.fetch(outbound).await?;
        *current = Some((token.clone(), Instant::now() + life));
        Ok(token)
    }

    /// Forgets the token, because somebody did not accept it.
    pub async fn forget(&self) {
        *self.current.lock().await = None;
    }

    async fn fetch(&self, outbound: &Outbound) -> Result<(SecretText, Duration), ModuleError> {
        let odd = |problem: String| ModuleError::Answer { host: printable(self.endpoint.host()), problem };
        let body = form(&[
            ("grant_type", "client_credentials"),
            ("client_id", &self.client_id),
            ("client_secret", self.client_secret.expose()),
            ("scope", &self.scope),
        ]);
        let fields =
            [("content-type", "application/x-www-form-urlencoded".to_owned()), ("accept", "application/json".to_owned())];
        let call = Call { method: Method::POST, target: &self.endpoint, fields: &fields, body: body.into_bytes() };
        let answer = outbound.call(call).await?;
        if answer.status != 200 {
            return Err(odd(format!("no token was given: status {}", answer.status)));
        }
        let granted: Granted = serde_json::from_slice(&answer.body).map_err(|_| odd("it holds no token".to_owned()))?;
        let sound = !granted.access_token.is_empty() && granted.access_token.bytes().all(|b| b.is_ascii_graphic());
        if !sound || !granted.token_type.eq_ignore_ascii_case("bearer") {
            return Err(odd("it holds no bearer token".to_owned()));
        }
        let life = Duration::from_secs(granted.expires_in).min(MAX_LIFE).saturating_sub(MARGIN);
        Ok((SecretText::new(granted.access_token), life))
    }
}

/// application/x-www-form-urlencoded.
fn form(pairs: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
                text.push(char::from(byte));
            } else {
                text.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    text
}

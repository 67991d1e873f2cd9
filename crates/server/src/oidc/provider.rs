//! What a provider publishes about itself (OpenID Connect Discovery 1.0) and its keys (RFC 7517).

use jsonwebtoken::jwk::JwkSet;
use lanyard_model::{
    text::printable,
    time::{Span, Timestamp},
};
use lanyard_modules::outbound::{Call, Outbound, Target};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::sync::Mutex;

use super::error::OidcError;

/// How long what was read is believed.
const KEPT: Span = Span::from_secs(3600);
/// How soon the keys are read anew for a key that is not among them.
const AGAIN: Span = Span::from_secs(60);
/// How long nobody is asked after a failure: the page is open to everybody.
const REST: Span = Span::from_secs(5);
/// Most keys of a provider.
const MOST_KEYS: usize = 64;

/// Where a provider's services are.
#[derive(Debug, Clone, Deserialize)]
pub struct Metadata {
    issuer: String,
    /// Where browsers are sent.
    pub authorization_endpoint: String,
    /// Where codes are exchanged.
    pub token_endpoint: String,
    jwks_uri: String,
    /// How clients prove themselves; absent: by Basic.
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

#[derive(Clone)]
struct Kept {
    metadata: Metadata,
    keys: JwkSet,
    metadata_at: Timestamp,
    keys_at: Timestamp,
}

/// A provider, with what was read of it.
pub struct Provider {
    issuer: String,
    /// The way there.
    pub outbound: Outbound,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: Option<Kept>,
    failed_at: Option<Timestamp>,
}

impl Provider {
    /// Nobody is asked yet.
    #[must_use]
    pub fn new(issuer: String, outbound: Outbound) -> Self {
        Self { issuer, outbound, state: Mutex::default() }
    }

    /// The issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Its services.
    ///
    /// # Errors
    /// [`OidcError::Unreachable`], [`OidcError::Answer`], [`OidcError::Resting`].
    pub async fn metadata(&self, now: Timestamp) -> Result<Metadata, OidcError> {
        let mut state = self.state.lock().await;
        Ok(self.current(&mut state, now).await?.metadata)
    }

    /// Its keys, read anew when none has this name, at most once a minute.
    ///
    /// # Errors
    /// As [`Self::metadata`].
    pub async fn keys(&self, wanted: Option<&str>, now: Timestamp) -> Result<JwkSet, OidcError> {
        let mut state = self.state.lock().await;
        let mut kept = self.current(&mut state, now).await?;
        let missing = wanted.is_some_and(|wanted| kept.keys.find(wanted).is_none());
        if missing && now >= kept.keys_at + AGAIN {
            // Also when it fails: a token must not make us ask again and again.
            kept.keys_at = now;
            state.kept = Some(kept.clone());
            kept.keys = self.read_keys(&kept.metadata).await?;
            state.kept = Some(kept.clone());
        }
        Ok(kept.keys)
    }

    /// What is known, read anew when it is old. The lock is held meanwhile, so that many people make one question.
    async fn current(&self, state: &mut State, now: Timestamp) -> Result<Kept, OidcError> {
        if let Some(kept) = state.kept.as_ref().filter(|kept| now >= kept.metadata_at && now < kept.metadata_at + KEPT) {
            return Ok(kept.clone());
        }
        if state.failed_at.is_some_and(|failed| now >= failed && now < failed + REST) {
            return Err(OidcError::Resting);
        }
        match self.read(now).await {
            Ok(kept) => {
                *state = State { kept: Some(kept.clone()), failed_at: None };
                Ok(kept)
            }
            Err(error) => {
                *state = State { kept: None, failed_at: Some(now) };
                Err(error)
            }
        }
    }

    async fn read(&self, now: Timestamp) -> Result<Kept, OidcError> {
        let url = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let metadata: Metadata = self.get(&url).await?;
        // Whoever answers in another one's name must not be believed (OpenID Connect Discovery 1.0, section 4.3).
        if metadata.issuer != self.issuer {
            return Err(OidcError::Answer(format!("it is the issuer {}", printable(&metadata.issuer))));
        }
        for url in [&metadata.authorization_endpoint, &metadata.token_endpoint, &metadata.jwks_uri] {
            let target = Target::parse(url).map_err(OidcError::Answer)?;
            if !target.is_tls() {
                return Err(OidcError::Answer(format!("{} is not https", printable(url))));
            }
        }
        let keys = self.read_keys(&metadata).await?;
        Ok(Kept { metadata, keys, metadata_at: now, keys_at: now })
    }

    async fn read_keys(&self, metadata: &Metadata) -> Result<JwkSet, OidcError> {
        let keys: JwkSet = self.get(&metadata.jwks_uri).await?;
        if keys.keys.len() > MOST_KEYS {
            return Err(OidcError::Answer(format!("it has more than {MOST_KEYS} keys")));
        }
        Ok(keys)
    }

    async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, OidcError> {
        let target = Target::parse(url).map_err(OidcError::Answer)?;
        let fields = [("accept", "application/json".to_owned())];
        let call = Call { method: http::Method::GET, target: &target, fields: &fields, body: Vec::new() };
        let answer = self.outbound.call(call).await?;
        if answer.status != 200 {
            return Err(OidcError::Answer(format!("{} answers {}", printable(url), answer.status)));
        }
        serde_json::from_slice(&answer.body).map_err(|e| OidcError::Answer(format!("{}: {e}", printable(url))))
    }
}

//! The two halves of a sign-in.

use std::{collections::HashMap, path::Path, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use lanyard_model::{
    secret::{SecretBytes, SecretText},
    text::printable,
    time::Timestamp,
};
use lanyard_modules::outbound::{Call, Outbound, Target};
use lanyard_store::ports::Store;
use serde::Deserialize;
use serde_json::Value;

use super::{
    attempt::Attempt,
    error::OidcError,
    id_token::{self, Expected},
    provider::{Metadata, Provider},
    settings::OidcSettings,
};
use crate::{
    error::ServerError,
    installation::{read_file, read_secret},
};

/// Longest code and error that are read.
const MAX_TEXT: usize = 4096;

/// The provider people sign in at.
pub struct Oidc {
    settings: OidcSettings,
    secret: SecretText,
    provider: Provider,
}

/// A browser to be sent away.
pub struct Begun {
    /// Where to.
    pub location: String,
    /// A cookie that it has to bring back.
    pub cookie: SecretText,
}

/// Somebody who has signed in at the provider; whether they are somebody here is for the caller to find out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// What the claim says: a login name, UPN or e-mail address.
    pub user: String,
    /// As it was given to [`Oidc::begin`].
    pub purpose: String,
}

#[derive(Deserialize)]
struct Granted {
    id_token: Option<String>,
}

impl Oidc {
    /// Of a configuration. File names are relative to the data directory; nobody is asked yet.
    ///
    /// # Errors
    /// [`ServerError::File`], [`ServerError::Mode`], [`ServerError::Invalid`].
    pub fn new(settings: &OidcSettings, dir: &Path) -> Result<Self, ServerError> {
        let secret = read_secret(&dir.join(&settings.client_secret_file))?;
        let secret = SecretText::new(secret.expose().trim_end_matches(['\r', '\n']).to_owned());
        if secret.expose().is_empty() {
            return Err(ServerError::Invalid(format!("the secret in {} is empty", settings.client_secret_file)));
        }
        let certificates = read_file(&dir.join(&settings.ca_file))?;
        let timeout = Duration::from_secs(settings.timeout.secs().unsigned_abs());
        let outbound = Outbound::new(Some(&certificates), settings.allow_addresses.clone(), timeout);
        let outbound = outbound.map_err(|problem| ServerError::Invalid(format!("oidc.ca-file: {problem}")))?;
        let provider = Provider::new(settings.issuer.clone(), outbound);
        Ok(Self { settings: settings.clone(), secret, provider })
    }

    /// Begins a sign-in that comes back to `redirect_uri`.
    ///
    /// # Errors
    /// [`OidcError::Unreachable`], [`OidcError::Answer`].
    pub async fn begin(
        &self,
        key: &SecretBytes,
        redirect_uri: &str,
        purpose: &str,
        login_hint: &str,
        now: Timestamp,
    ) -> Result<Begun, OidcError> {
        let metadata = self.provider.metadata(now).await?;
        let (attempt, cookie) = Attempt::new(purpose, now)?;
        let mut scopes: Vec<&str> = vec!["openid"];
        scopes.extend(self.settings.scopes.iter().map(String::as_str).filter(|scope| *scope != "openid"));
        let mut pairs = vec![
            ("response_type", "code".to_owned()),
            ("client_id", self.settings.client_id.clone()),
            ("redirect_uri", redirect_uri.to_owned()),
            ("scope", scopes.join(" ")),
            ("state", attempt.seal(key)?),
            ("nonce", attempt.nonce.clone()),
            ("code_challenge", attempt.challenge()),
            ("code_challenge_method", "S256".to_owned()),
        ];
        if !login_hint.is_empty() {
            pairs.push(("login_hint", login_hint.to_owned()));
        }
        let endpoint = metadata.authorization_endpoint;
        let separator = if endpoint.contains('?') { '&' } else { '?' };
        Ok(Begun { location: format!("{endpoint}{separator}{}", form(&pairs)), cookie })
    }

    /// Ends a sign-in with what the browser brought back: the query of the redirection, and its cookie. The store knows what was brought back
    /// before, on whichever node.
    ///
    /// # Errors
    /// Every one of [`OidcError`]; nobody is signed in by any of them.
    pub async fn finish(
        &self,
        store: &dyn Store,
        key: &SecretBytes,
        redirect_uri: &str,
        query: &HashMap<String, String>,
        cookie: Option<&str>,
        now: Timestamp,
    ) -> Result<SignedIn, OidcError> {
        let text = |name: &str| query.get(name).map(String::as_str).filter(|text| text.len() <= MAX_TEXT);
        let state = text("state").ok_or(OidcError::State)?;
        let attempt = Attempt::open(key, state, cookie, now).ok_or(OidcError::State)?;
        if !store.use_once(&format!("oidc:{}", attempt.id), attempt.until).await? {
            return Err(OidcError::State);
        }
        if let Some(error) = text("error") {
            return Err(OidcError::Refused(printable(error)));
        }
        // Where the provider says who it is, it must be the one that was asked (RFC 9207).
        if text("iss").is_some_and(|issuer| issuer != self.provider.issuer()) {
            return Err(OidcError::Refused("another provider answers".to_owned()));
        }
        let code = text("code").ok_or_else(|| OidcError::Refused("it gives no code".to_owned()))?;
        let metadata = self.provider.metadata(now).await?;
        let token = self.exchange(&metadata, code, &attempt, redirect_uri).await?;
        let header = id_token::header(&token)?;
        let keys = self.provider.keys(header.kid.as_deref(), now).await?;
        let expected =
            Expected { issuer: self.provider.issuer(), client_id: &self.settings.client_id, nonce: &attempt.nonce, now };
        let claims = id_token::verify(&token, &keys, &expected)?;
        let claim = &self.settings.user_claim;
        let user = claims.get(claim).and_then(Value::as_str).filter(|user| !user.is_empty() && user.len() <= 256);
        let user = user.ok_or_else(|| OidcError::Token(format!("it has no claim {claim}")))?;
        if claim == "email" && claims.get("email_verified") != Some(&Value::Bool(true)) {
            return Err(OidcError::Token("the provider has not verified the e-mail address".to_owned()));
        }
        Ok(SignedIn { user: user.to_owned(), purpose: attempt.purpose })
    }

    /// Exchanges a code for the token (RFC 6749, section 4.1.3).
    async fn exchange(
        &self,
        metadata: &Metadata,
        code: &str,
        attempt: &Attempt,
        redirect_uri: &str,
    ) -> Result<String, OidcError> {
        let target = Target::parse(&metadata.token_endpoint).map_err(OidcError::Answer)?;
        let mut pairs = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.to_owned()),
            ("redirect_uri", redirect_uri.to_owned()),
            ("code_verifier", attempt.verifier.clone()),
        ];
        let mut fields =
            vec![("content-type", "application/x-www-form-urlencoded".to_owned()), ("accept", "application/json".to_owned())];
        let (id, secret) = (&self.settings.client_id, self.secret.expose());
        let methods = metadata.token_endpoint_auth_methods_supported.as_ref();
        if methods.is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic")) {
            // Both are encoded before they are joined (RFC 6749, section 2.3.1).
            let joined = format!("{}:{}", escape(id), escape(secret));
            fields.push(("authorization", format!("Basic {}", STANDARD.encode(joined))));
        } else {
            pairs.extend([("client_id", id.clone()), ("client_secret", secret.to_owned())]);
        }
        let body = form(&pairs).into_bytes();
        let call = Call { method: http::Method::POST, target: &target, fields: &fields, body };
        let answer = self.provider.outbound.call(call).await?;
        if answer.status != 200 {
            return Err(OidcError::Refused(format!("no token is given for the code: status {}", answer.status)));
        }
        let granted: Granted =
            serde_json::from_slice(&answer.body).map_err(|_| OidcError::Answer("it gives no token".to_owned()))?;
        granted.id_token.ok_or_else(|| OidcError::Answer("it gives no token".to_owned()))
    }
}

/// `application/x-www-form-urlencoded`.
fn form(pairs: &[(&str, String)]) -> String {
    let written: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    written.join("&")
}

fn escape(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

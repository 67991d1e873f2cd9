//! Who is signed in: a sealed cookie of a quarter of an hour, so that whoever asks for a key has signed in a moment ago.

use axum::{
    http::{HeaderMap, HeaderValue, header::COOKIE},
    response::Response,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use lanyard_model::{
    directory::User,
    id::UserName,
    secret::SecretBytes,
    text::hex,
    time::{Span, Timestamp},
};
use lanyard_pki::crypto::{
    digest::{constant_time_eq, hmac_sha256},
    random::random,
    sealing,
};
use serde::{Deserialize, Serialize};

use crate::{
    error::ServerError,
    flow::subjects::{self, Known},
    state::Server,
};

const CONTEXT: &[u8] = b"lanyard-portal-session-v1";
/// The prefix keeps other hosts and plain HTTP from setting it.
const COOKIE_NAME: &str = "__Host-lanyard-portal";
/// How long a session lasts, whatever happens in it.
pub const LIFE: Span = Span::from_secs(900);

/// What the cookie says.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Said {
    user: UserName,
    until: Timestamp,
    nonce: String,
}

/// Somebody who is signed in.
pub struct Session {
    /// Who, as known at this moment.
    pub user: Known<User>,
    until: Timestamp,
    nonce: String,
}

impl Session {
    /// The name.
    #[must_use]
    pub const fn name(&self) -> &UserName {
        &self.user.record.name
    }

    /// What each form of this session carries.
    #[must_use]
    pub fn token(&self, server: &Server) -> String {
        hex(&hmac_sha256(server.portal_secret.expose(), &[b"form", self.nonce.as_bytes()]))
    }

    /// Whether a form carries it.
    #[must_use]
    pub fn sent(&self, server: &Server, token: &str) -> bool {
        constant_time_eq(self.token(server).as_bytes(), token.as_bytes())
    }

    /// Ends it, on every node.
    ///
    /// # Errors
    /// Storage errors.
    pub async fn end(&self, server: &Server) -> Result<(), ServerError> {
        server.store.use_once(&ended(&self.nonce), self.until).await?;
        Ok(())
    }
}

fn ended(nonce: &str) -> String {
    format!("portal-session:{nonce}")
}

/// Puts a new session into an answer.
///
/// # Errors
/// [`ServerError::Pki`].
pub fn begin(server: &Server, user: &UserName, mut response: Response) -> Result<Response, ServerError> {
    let said = Said { user: user.clone(), until: server.now() + LIFE, nonce: hex(&random::<16>()?) };
    let plain = serde_json::to_vec(&said).map_err(|e| ServerError::Conflict(e.to_string()))?;
    let sealed = sealing::seal(&server.portal_secret, CONTEXT, &SecretBytes::new(plain))?;
    // Lax: a link in a mail opens the portal signed in; forms prove more than the cookie.
    set(&mut response, &format!("{}; Max-Age={}", URL_SAFE_NO_PAD.encode(sealed), LIFE.secs()));
    Ok(response)
}

/// Takes the cookie back.
pub fn forget(response: &mut Response) {
    set(response, "; Max-Age=0");
}

fn set(response: &mut Response, value: &str) {
    let text = format!("{COOKIE_NAME}={value}; Path=/; Secure; HttpOnly; SameSite=Lax");
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().append(axum::http::header::SET_COOKIE, value);
    }
}

/// Who sends a request: nobody, unless the cookie is ours, in time, not signed out, and of somebody who still may sign in.
///
/// # Errors
/// Storage errors; [`ServerError::Directory`].
pub async fn current(server: &Server, headers: &HeaderMap) -> Result<Option<Session>, ServerError> {
    let Some(said) = cookie(headers, COOKIE_NAME).and_then(|text| read(server, text)) else { return Ok(None) };
    if server.store.load_count(&ended(&said.nonce)).await?.is_some() {
        return Ok(None);
    }
    let user = subjects::user(server, &said.user).await?.filter(|user| !user.record.disabled);
    Ok(user.map(|user| Session { user, until: said.until, nonce: said.nonce }))
}

fn read(server: &Server, text: &str) -> Option<Said> {
    let plain = sealing::open(&server.portal_secret, CONTEXT, &URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    serde_json::from_slice::<Said>(plain.expose()).ok().filter(|said| server.now() < said.until)
}

/// A cookie of a request.
pub fn cookie<'h>(headers: &'h HeaderMap, wanted: &str) -> Option<&'h str> {
    let all = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut ours = all.flat_map(|value| value.split(';')).filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == wanted).then_some(value)
    });
    ours.next()
}

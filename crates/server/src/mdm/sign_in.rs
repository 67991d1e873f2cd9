//! Tokens of the sign-in page: sealed, short-lived, good for one enrolment.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use lanyard_model::{
    id::UserName,
    secret::{SecretBytes, SecretText},
    text::hex,
    time::{Span, Timestamp},
};
use lanyard_pki::crypto::{random::random, sealing};
use lanyard_store::ports::Store;
use serde::{Deserialize, Serialize};

use crate::error::ServerError;

const CONTEXT: &[u8] = b"lanyard-sign-in-v1";
/// How long a token is good: enough to go on from the page to the end of an enrolment.
pub const LIFE: Span = Span::from_secs(600);

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedIn {
    /// Who signed in.
    pub user: UserName,
    /// Until when it is good.
    pub until: Timestamp,
    /// Tells it from all others.
    pub nonce: String,
}

/// A token for somebody who has signed in.
///
/// # Errors
/// [`ServerError::Pki`].
pub fn token(key: &SecretBytes, user: &UserName, now: Timestamp) -> Result<SecretText, ServerError> {
    let said = SignedIn { user: user.clone(), until: now + LIFE, nonce: hex(&random::<16>()?) };
    let plain = serde_json::to_vec(&said).map_err(|e| ServerError::Conflict(e.to_string()))?;
    let sealed = sealing::seal(key, CONTEXT, &SecretBytes::new(plain))?;
    Ok(SecretText::new(URL_SAFE_NO_PAD.encode(sealed)))
}

/// Uses a token up; `false` if it was used before, on whichever node.
///
/// # Errors
/// Storage errors.
pub async fn use_up(store: &dyn Store, token: &SignedIn) -> Result<bool, ServerError> {
    Ok(store.use_once(&format!("sign-in:{}", token.nonce), token.until).await?)
}

/// What a token says, if it is ours and still good. Whether it was used is for [`use_up`].
#[must_use]
pub fn read(key: &SecretBytes, token: &SecretBytes, now: Timestamp) -> Option<SignedIn> {
    let sealed = URL_SAFE_NO_PAD.decode(token.expose()).ok()?;
    let plain = sealing::open(key, CONTEXT, &sealed).ok()?;
    serde_json::from_slice::<SignedIn>(plain.expose()).ok().filter(|said| now < said.until)
}

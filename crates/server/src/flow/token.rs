//! API tokens: made, recognised, revoked.
//!
//! A token is `LT1.<id>.<secret>`: the id finds the record, the record holds a keyed hash of the whole.

use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    id::{TokenId, UserName},
    secret::SecretText,
    text::{hex, printable},
    time::Span,
    token::{Scope, TokenRecord},
};
use lanyard_pki::crypto::{
    digest::{constant_time_eq, hmac_sha256},
    random::random,
};

use crate::{error::ServerError, state::Server};

const PREFIX: &str = "LT1";
/// Longest text that is looked at.
const MAX_INPUT: usize = 200;
/// Longest life of a token.
const MAX_LIFE: Span = Span::from_days(3653);

/// What is to be made.
pub struct Wish {
    /// What it is for.
    pub description: String,
    /// Whose it is.
    pub user: Option<UserName>,
    /// What it permits.
    pub scope: Scope,
    /// How long it is good.
    pub ttl: Span,
    /// Most calls a minute.
    pub calls_per_minute: u32,
}

/// Makes a token; its text is shown this once.
///
/// # Errors
/// [`ServerError::Invalid`], [`ServerError::NotFound`] for a profile or template there is not; storage errors.
pub async fn create(server: &Server, wish: Wish, by: &str) -> Result<(SecretText, TokenRecord), ServerError> {
    let Wish { description, user, scope, ttl, calls_per_minute } = wish;
    if ttl.secs() < 60 || ttl > MAX_LIFE {
        return Err(ServerError::Invalid(format!("ttl: {ttl} is out of bounds; choose from 1m to 3653d")));
    }
    if calls_per_minute == 0 {
        return Err(ServerError::Invalid("rate: a token needs at least one call a minute".into()));
    }
    check(server, &scope)?;
    let id: TokenId =
        hex(&random::<8>()?).parse().map_err(|e: lanyard_model::id::IdError| ServerError::Invalid(e.to_string()))?;
    let text = SecretText::new(format!("{PREFIX}.{id}.{}", hex(&random::<32>()?)));
    let now = server.now();
    let record = TokenRecord {
        keyed_hash: keyed_hash(server, &text),
        id,
        description: printable(&description),
        user,
        scope,
        calls_per_minute,
        created_by: by.to_owned(),
        created_at: now,
        expires_at: now + ttl,
        revoked_at: None,
    };
    let audit = AuditEvent {
        object: Some(format!("token {}", record.id)),
        detail: Some(format!("{}: {}, until {}", record.description, record.scope, record.expires_at)),
        ..server.event(AuditKind::TokenCreated, by)
    };
    server.store.save_token(record.clone(), audit).await?;
    Ok((text, record))
}

/// A scope names things that exist, and some of each.
fn check(server: &Server, scope: &Scope) -> Result<(), ServerError> {
    let Scope::Mint { profiles, templates } = scope else { return Ok(()) };
    if profiles.is_empty() || templates.is_empty() {
        return Err(ServerError::Invalid("a token for making challenges names at least one profile and one template".into()));
    }
    let policy = server.policy();
    if let Some(name) = profiles.iter().find(|p| policy.profiles.find(p).is_none()) {
        return Err(ServerError::NotFound { what: "profile", name: name.to_string() });
    }
    match templates.iter().find(|t| policy.templates.find(t).is_none()) {
        Some(name) => Err(ServerError::NotFound { what: "template", name: name.to_string() }),
        None => Ok(()),
    }
}

fn keyed_hash(server: &Server, text: &SecretText) -> [u8; 32] {
    hmac_sha256(server.token_secret.expose(), &[text.expose().as_bytes()])
}

/// Whose token a text is.
pub enum Recognised {
    /// Nobody's.
    Unknown,
    /// One that ended or was revoked.
    Ended(TokenRecord),
    /// One that is good now.
    Good(TokenRecord),
}

/// Recognises a token.
///
/// # Errors
/// Storage errors.
pub async fn recognise(server: &Server, text: &SecretText) -> Result<Recognised, ServerError> {
    let id = (text.expose().len() <= MAX_INPUT).then(|| text.expose().split('.').nth(1)?.parse::<TokenId>().ok()).flatten();
    let Some(id) = id else { return Ok(Recognised::Unknown) };
    let Some(record) = server.store.load_token(&id).await? else { return Ok(Recognised::Unknown) };
    if !constant_time_eq(&keyed_hash(server, text), &record.keyed_hash) {
        return Ok(Recognised::Unknown);
    }
    let ended = record.revoked_at.is_some() || server.now() >= record.expires_at;
    Ok(if ended { Recognised::Ended(record) } else { Recognised::Good(record) })
}

/// Revokes a token; `false` if it was revoked before.
///
/// # Errors
/// [`ServerError::NotFound`], storage errors.
pub async fn revoke(server: &Server, id: &TokenId, by: &str) -> Result<bool, ServerError> {
    let found = server.store.load_token(id).await?;
    let record = found.ok_or_else(|| ServerError::NotFound { what: "token", name: id.to_string() })?;
    if record.revoked_at.is_some() {
        return Ok(false);
    }
    let audit = AuditEvent {
        object: Some(format!("token {id}")),
        detail: Some(record.description.clone()),
        ..server.event(AuditKind::TokenRevoked, by)
    };
    server.store.save_token(TokenRecord { revoked_at: Some(server.now()), ..record }, audit).await?;
    Ok(true)
}

//! Passwords of local users: Argon2id (RFC 9106) in the PHC string form.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use lanyard_model::{audit::AuditKind, directory::User, id::UserName, secret::SecretText};
use lanyard_pki::crypto::{digest::constant_time_eq, random::random};

use crate::{error::ServerError, state::Server};

/// Cost: 32 MiB, three passes, one lane; about 50 ms.
const MEMORY: u32 = 32 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;
/// Most octets of a password.
const MOST: usize = 512;
/// Least characters of a new password.
const LEAST: usize = 8;

/// Hashes a new password, on the blocking pool.
///
/// # Errors
/// [`ServerError::Invalid`] when it is too short or too long.
pub async fn hash(password: SecretText) -> Result<String, ServerError> {
    if password.expose().chars().count() < LEAST || password.expose().len() > MOST {
        return Err(ServerError::Invalid(format!("a password has at least {LEAST} characters and at most {MOST} octets")));
    }
    let salt = random::<16>()?;
    let made =
        tokio::task::spawn_blocking(move || derive(&password, &salt, (MEMORY, PASSES, LANES)).map(|key| (salt, key))).await;
    let (salt, key) = made.map_err(|_| ServerError::Conflict("hashing was interrupted".into()))??;
    let (salt, key) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(key));
    Ok(format!("$argon2id$v=19$m={MEMORY},t={PASSES},p={LANES}${salt}${key}"))
}

/// Adds a user whose password is cheap to check, and as cheap to guess: for measuring what is not the check.
///
/// # Errors
/// [`ServerError::Invalid`] for an impossible name; storage errors.
pub async fn add_user_for_measuring(server: &Server, name: &str, password: &str) -> Result<(), ServerError> {
    let name: UserName = name.parse().map_err(|e: lanyard_model::id::IdError| ServerError::Invalid(e.to_string()))?;
    let (salt, cost) = (random::<16>()?, (8, 1, 1));
    let key = derive(&SecretText::new(password.to_owned()), &salt, cost)?;
    let hash = format!("$argon2id$v=19$m=8,t=1,p=1${}${}", STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(key));
    let event = || server.event(AuditKind::DirectoryChanged, "measuring");
    server.store.save_user(User::named(name.clone()), event()).await?;
    Ok(server.store.save_password(&name, hash, server.now(), event()).await?)
}

/// Whether a password is that of a stored hash; without a hash it takes as long to say no. On the blocking pool.
///
/// # Errors
/// [`ServerError::Conflict`] when the stored hash cannot be read.
pub async fn verify(password: SecretText, stored: Option<String>) -> Result<bool, ServerError> {
    if password.expose().is_empty() || password.expose().len() > MOST {
        return Ok(false);
    }
    let parsed = match &stored {
        Some(stored) => Some(parse(stored).ok_or_else(|| ServerError::Conflict("a stored password cannot be read".into()))?),
        None => None,
    };
    let verified = tokio::task::spawn_blocking(move || {
        let known = parsed.is_some();
        let (cost, salt, expected) = parsed.unwrap_or_else(|| ((MEMORY, PASSES, LANES), vec![0; 16], vec![0; 32]));
        derive(&password, &salt, cost).map(|key| constant_time_eq(&key, &expected) && known)
    });
    verified.await.map_err(|_| ServerError::Conflict("checking a password was interrupted".into()))?
}

type Parsed = ((u32, u32, u32), Vec<u8>, Vec<u8>);

fn parse(stored: &str) -> Option<Parsed> {
    let parts: Vec<&str> = stored.split('$').collect();
    let ["", "argon2id", "v=19", cost, salt, key] = parts.as_slice() else { return None };
    let mut numbers = cost.split(',').zip(["m=", "t=", "p="]).map(|(text, name)| text.strip_prefix(name)?.parse::<u32>().ok());
    let cost = (numbers.next()??, numbers.next()??, numbers.next()??);
    let key = STANDARD_NO_PAD.decode(key).ok().filter(|key| key.len() == 32)?;
    Some((cost, STANDARD_NO_PAD.decode(salt).ok()?, key))
}

fn derive(password: &SecretText, salt: &[u8], (memory, passes, lanes): (u32, u32, u32)) -> Result<[u8; 32], ServerError> {
    let fault = |e: argon2::Error| ServerError::Conflict(format!("a password cannot be hashed: {e}"));
    let params = Params::new(memory, passes, lanes, Some(32)).map_err(fault)?;
    let mut key = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.expose().as_bytes(), salt, &mut key)
        .map_err(fault)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_recognised_and_nothing_else_is() {
        let text = |text: &str| SecretText::new(text.to_owned());
        let stored = hash(text("correct horse")).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=32768,t=3,p=1$"), "{stored}");
        assert!(verify(text("correct horse"), Some(stored.clone())).await.unwrap());
        assert!(!verify(text("correct horsf"), Some(stored.clone())).await.unwrap());
        assert!(!verify(text(""), Some(stored)).await.unwrap());
        assert!(!verify(text("correct horse"), None).await.unwrap());
        assert!(hash(text("short")).await.is_err());
        assert!(verify(text("x"), Some("$argon2i$".into())).await.is_err());
    }
}

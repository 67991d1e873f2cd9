//! Archived keys: kept before the certificate is issued, delivered to their owner with each new one, and recovered by two people.
//!
//! A key is sealed under a recovery key of its own, which is derived from the installation's sealed master secret, and opens only for the
//! user and the public key it was kept for.

use lanyard_model::{
    archive::{ArchivedKey, Recovery},
    audit::{AuditEvent, AuditKind},
    id::{RequestId, UserName},
    secret::{SecretBytes, SecretText},
    text::{hex, printable},
    time::Span,
};
use lanyard_pki::{
    certificate::Certificate,
    crypto::{digest::hmac_sha256, sealing},
    pkcs12::Protection,
};

use super::{approve::Person, pfx::write};
use crate::{error::ServerError, state::Server};

/// How long a recovery may wait to be approved and carried out.
const RECOVERY_LIFE: Span = Span::from_days(7);
/// Most earlier keys in one file, the newest: readers take 64 bags, and each key comes with its certificate.
const MOST_KEYS: usize = 28;
/// Certificates of a user that are looked through.
const MOST_CERTIFICATES: u32 = 10_000;

/// What recovery gives out.
pub struct Recovered {
    /// PKCS#12 with every key.
    pub file: Vec<u8>,
    /// How many.
    pub keys: usize,
    /// What opens it.
    pub passphrase: SecretText,
}

fn recovery_key(server: &Server, digest: &[u8; 32]) -> SecretBytes {
    SecretBytes::new(hmac_sha256(server.archive_secret.expose(), &[b"key", digest]).to_vec())
}

fn context(user: &UserName, digest: &[u8; 32]) -> Vec<u8> {
    format!("lanyard-archived-key-v1:{user}:{}", hex(digest)).into_bytes()
}

/// Keeps a key. This comes before its certificate: one whose key was lost would make mail that nobody can read.
///
/// # Errors
/// [`ServerError::Pki`], storage errors.
pub async fn keep(
    server: &Server,
    user: &UserName,
    request: RequestId,
    (key, digest): (&SecretBytes, [u8; 32]),
    by: &str,
) -> Result<(), ServerError> {
    let sealed = sealing::seal(&recovery_key(server, &digest), &context(user, &digest), key)?;
    let archived = ArchivedKey { key_digest: digest, user: user.clone(), request, created_at: server.now(), sealed };
    let audit = AuditEvent {
        object: Some(format!("user {user}")),
        detail: Some(format!("key {}", hex(&digest))),
        ..server.request_event(AuditKind::KeyArchived, by, request)
    };
    Ok(server.store.save_archived_key(archived, audit).await?)
}

/// The keys of a user with their certificates, newest first, without that of `except`.
///
/// # Errors
/// Storage errors; [`ServerError::Pki`] when a record was altered.
pub async fn keys_of(
    server: &Server,
    user: &UserName,
    except: Option<[u8; 32]>,
) -> Result<Vec<(SecretBytes, Certificate)>, ServerError> {
    let archived = server.store.archived_keys_of(user).await?;
    if archived.is_empty() {
        return Ok(Vec::new());
    }
    let certificates = server.store.certificates_of_user(user, MOST_CERTIFICATES).await?;
    let mut found = Vec::new();
    for one in archived.iter().rev().filter(|one| Some(one.key_digest) != except) {
        let der = certificates.iter().find(|c| c.key_digest == one.key_digest).and_then(|c| c.der.as_deref());
        // A key whose certificate was never signed reads nothing.
        let Some(der) = der.filter(|_| found.len() < MOST_KEYS) else { continue };
        let key = sealing::open(&recovery_key(server, &one.key_digest), &context(user, &one.key_digest), &one.sealed)?;
        found.push((key, Certificate::decode(der)?));
    }
    Ok(found)
}

/// Somebody wants the keys of a user. Nothing is given out before another person agrees.
///
/// # Errors
/// [`ServerError::NotFound`] when there are none; [`ServerError::Invalid`] without a reason.
pub async fn ask(server: &Server, user: UserName, reason: &str, by: &Person) -> Result<Recovery, ServerError> {
    let reason = printable(reason.trim());
    if reason.is_empty() || reason.len() > 1000 {
        return Err(ServerError::Invalid("reason: say in a sentence why the keys are needed".into()));
    }
    if server.store.archived_keys_of(&user).await?.is_empty() {
        return Err(ServerError::NotFound { what: "archived key of user", name: user.to_string() });
    }
    let now = server.now();
    let recovery = Recovery {
        id: RequestId::generate(now),
        user,
        reason,
        asked_by: by.identity.clone(),
        asked_at: now,
        until: now + RECOVERY_LIFE,
        approved_by: None,
        given_out_at: None,
    };
    let audit = event(server, AuditKind::RecoveryAsked, &recovery, by);
    if !server.store.save_recovery(recovery.clone(), None, audit).await? {
        return Err(ServerError::Conflict("the recovery is on record already".into()));
    }
    Ok(recovery)
}

fn event(server: &Server, kind: AuditKind, recovery: &Recovery, by: &Person) -> AuditEvent {
    AuditEvent {
        object: Some(format!("user {}", recovery.user)),
        detail: Some(recovery.reason.clone()),
        ..server.request_event(kind, &by.actor, recovery.id)
    }
}

async fn open(server: &Server, id: RequestId) -> Result<(Recovery, u64), ServerError> {
    let found = server.store.load_recovery(id).await?;
    let (recovery, revision) = found.ok_or_else(|| ServerError::NotFound { what: "recovery", name: id.to_string() })?;
    if recovery.given_out_at.is_some() {
        return Err(ServerError::Conflict(format!("the keys of recovery {id} were given out; they are once")));
    }
    if recovery.until <= server.now() {
        return Err(ServerError::Conflict(format!("recovery {id} waited too long; ask again")));
    }
    Ok((recovery, revision))
}

fn meanwhile() -> ServerError {
    ServerError::Conflict("somebody changed the recovery meanwhile; look at it again".into())
}

/// Another person agrees.
///
/// # Errors
/// [`ServerError::Forbidden`] for whoever asked; [`ServerError::NotFound`], [`ServerError::Conflict`].
pub async fn approve(server: &Server, id: RequestId, by: &Person) -> Result<Recovery, ServerError> {
    let (mut recovery, revision) = open(server, id).await?;
    if recovery.asked_by == by.identity {
        return Err(ServerError::Forbidden("whoever asked for keys cannot agree to it; another person has to"));
    }
    if recovery.approved_by.is_some() {
        return Err(ServerError::Conflict(format!("recovery {id} is approved already")));
    }
    recovery.approved_by = Some(by.identity.clone());
    let audit = event(server, AuditKind::RecoveryApproved, &recovery, by);
    match server.store.save_recovery(recovery.clone(), Some(revision), audit).await? {
        true => Ok(recovery),
        false => Err(meanwhile()),
    }
}

/// Gives the keys out to whoever asked, once.
///
/// # Errors
/// [`ServerError::Forbidden`] before another person agreed, and for anybody else; [`ServerError::NotFound`], [`ServerError::Conflict`].
pub async fn carry_out(server: &Server, id: RequestId, protection: Protection, by: &Person) -> Result<Recovered, ServerError> {
    let (mut recovery, revision) = open(server, id).await?;
    if recovery.asked_by != by.identity {
        return Err(ServerError::Forbidden("the keys go to whoever asked for them"));
    }
    // Both are looked at again: the record alone says who the two are.
    if recovery.approved_by.as_ref().is_none_or(|other| *other == recovery.asked_by) {
        return Err(ServerError::Forbidden("another person has to agree first"));
    }
    let keys = keys_of(server, &recovery.user, None).await?;
    if keys.is_empty() {
        return Err(ServerError::NotFound { what: "archived key of user", name: recovery.user.to_string() });
    }
    let count = keys.len();
    recovery.given_out_at = Some(server.now());
    let audit = event(server, AuditKind::KeysRecovered, &recovery, by);
    if !server.store.save_recovery(recovery, Some(revision), audit).await? {
        return Err(meanwhile());
    }
    let (files, passphrase) = write(server, keys, vec![protection]).await?;
    Ok(Recovered { file: files.concat(), keys: count, passphrase })
}

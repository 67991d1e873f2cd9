//! Making a challenge.

use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    challenge::Binding,
    id::{DeviceId, UserName},
    secret::SecretText,
    time::Timestamp,
};
use lanyard_modules::contract::Wanted;
use lanyard_pki::crypto::random::random;
use lanyard_ra::challenge::{ChallengeOrder, mint};

use super::{ask, subjects};
use crate::{error::ServerError, state::Server};

/// A new challenge: the text is shown once and never stored.
pub struct NewChallenge {
    /// The challenge.
    pub text: SecretText,
    /// Public id.
    pub id: String,
    /// When it ends.
    pub expires_at: Timestamp,
    /// What it binds.
    pub binding: Binding,
}

/// Makes a challenge. User and device are looked up by name; unknown ones are refused.
///
/// # Errors
/// [`ServerError::NotFound`], [`ServerError::Policy`], [`ServerError::Module`].
pub async fn create(
    server: &Server,
    order: ChallengeOrder,
    user: Option<UserName>,
    device: Option<DeviceId>,
    by: &str,
) -> Result<NewChallenge, ServerError> {
    let order = with_records(server, order, user, device).await?;
    create_for(server, order, by).await
}

/// Makes a challenge of an order that has its records.
///
/// # Errors
/// [`ServerError::Policy`], [`ServerError::Module`].
pub async fn create_for(server: &Server, order: ChallengeOrder, by: &str) -> Result<NewChallenge, ServerError> {
    let made = make(server, order, by, None).await?;
    made.ok_or_else(|| ServerError::Conflict("a challenge without limits found no place".into()))
}

/// Makes a challenge of a profile's page, of which so many may be unused at a time, on all nodes together; `None` if they are.
///
/// # Errors
/// [`ServerError::NotFound`], [`ServerError::Policy`], [`ServerError::Module`].
pub async fn create_for_page(
    server: &Server,
    order: ChallengeOrder,
    (user, device): (Option<UserName>, Option<DeviceId>),
    most: u32,
    by: &str,
) -> Result<Option<NewChallenge>, ServerError> {
    if server.store.count_page_challenges(&order.profile, server.now()).await? >= u64::from(most) {
        return Ok(None);
    }
    let order = with_records(server, order, user, device).await?;
    make(server, order, by, Some(most)).await
}

async fn make(server: &Server, order: ChallengeOrder, by: &str, most: Option<u32>) -> Result<Option<NewChallenge>, ServerError> {
    let minted = mint(&order, &server.policy(), &server.challenge_keys, random()?, server.now())?;
    let binding: Binding = serde_json::from_slice(&minted.record.binding)
        .map_err(|e| ServerError::Conflict(format!("the challenge's binding cannot be read back: {e}")))?;
    let wanted = Wanted {
        profile: binding.profile.clone(),
        template: binding.template.clone(),
        subject: binding.subject.clone(),
        san: binding.san.clone(),
        user: binding.user.clone(),
        device: binding.device.clone(),
        by: by.to_owned(),
        at: server.now(),
    };
    ask::about_challenge(server, &wanted).await?;
    let id = minted.record.id.to_string();
    let expires_at = minted.record.expires_at;
    let audit = AuditEvent {
        object: Some(format!("challenge {id}")),
        detail: Some(format!("template {}, subject {}, until {expires_at}", binding.template, binding.subject)),
        ..server.event(AuditKind::ChallengeCreated, by)
    };
    match most {
        None => server.store.save_challenge(minted.record, audit).await?,
        Some(most) => {
            if !server.store.save_page_challenge(minted.record, &binding.profile, most, audit).await? {
                return Ok(None);
            }
        }
    }
    server.telemetry.count("lanyard_challenges_created_total", &[]);
    Ok(Some(NewChallenge { text: minted.text, id, expires_at, binding }))
}

/// Adds the records of user and device to an order, and the profile's groups they are in.
///
/// # Errors
/// [`ServerError::NotFound`] when one is not on record.
pub async fn with_records(
    server: &Server,
    mut order: ChallengeOrder,
    user: Option<UserName>,
    device: Option<DeviceId>,
) -> Result<ChallengeOrder, ServerError> {
    let device = match device {
        Some(id) => {
            let found = subjects::device(server, &id).await?;
            Some(found.ok_or_else(|| ServerError::NotFound { what: "device", name: id.to_string() })?)
        }
        None => None,
    };
    let user = match user {
        Some(name) => {
            let found = subjects::user(server, &name).await?;
            Some(found.ok_or_else(|| ServerError::NotFound { what: "user", name: name.to_string() })?)
        }
        None => None,
    };
    order.groups = subjects::groups(server, &order.profile, user.as_ref(), device.as_ref()).await?;
    order.device = device.map(|known| known.record);
    order.user = user.map(|known| known.record);
    Ok(order)
}

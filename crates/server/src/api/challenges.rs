//! Challenges.

use std::sync::Arc;

use axum::{Json, extract::State, http::Extensions};
use lanyard_model::id::{DeviceId, UserName};
use lanyard_pki::name;
use lanyard_ra::challenge::ChallengeOrder;

use super::{
    access::{self, Caller, Refusal},
    problem::ApiResult,
    router::{actor, person},
    types::{Challenge, Order},
};
use crate::{error::ServerError, flow::challenge, state::Server};

/// `POST /challenges`.
pub async fn create(State(server): State<Arc<Server>>, extensions: Extensions, Json(order): Json<Order>) -> ApiResult<Challenge> {
    let (mut parsed, user, device) = parse(&order)?;
    parsed.ordered_by = Some(person(&extensions).identity);
    if let Some(caller) = extensions.get::<Caller>()
        && !caller.0.scope.may_mint(&parsed.profile, &parsed.template)
    {
        let what = format!("a challenge of template {} at profile {}", parsed.template, parsed.profile);
        return Err(match access::refuse(&server, caller, &what).await {
            Refusal::Failed(error) => error,
            _ => ServerError::Forbidden("the API token does not permit challenges of this template at this profile"),
        });
    }
    let profile = parsed.profile.clone();
    let made = challenge::create(&server, parsed, user, device, &actor(&extensions)).await?;
    Ok(Json(Challenge {
        challenge: made.text.expose().to_owned(),
        id: made.id,
        expires_at: made.expires_at.to_string(),
        profile: made.binding.profile.to_string(),
        template: made.binding.template.to_string(),
        subject: made.binding.subject.to_string(),
        san: made.binding.san.iter().map(ToString::to_string).collect(),
        key: made.binding.key.to_string(),
        scep_url: format!("{}/scep/{profile}", server.config.url),
    }))
}

/// Reads the text of a field.
///
/// # Errors
/// [`ServerError::Invalid`] naming the field.
pub fn field<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, ServerError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|e: T::Err| ServerError::Invalid(format!("{name}: {e}")))
}

/// Reads the texts of an order. A subject without names means no names; neither means both from the records.
///
/// # Errors
/// [`ServerError::Invalid`] naming the field.
pub fn parse(order: &Order) -> Result<(ChallengeOrder, Option<UserName>, Option<DeviceId>), ServerError> {
    let optional = |name: &str, text: &Option<String>| text.as_deref().map(|t| field::<UserName>(name, t)).transpose();
    let explicit = order.subject.is_some() || !order.san.is_empty();
    let parsed = ChallengeOrder {
        template: field("template", &order.template)?,
        profile: field("profile", order.profile.as_deref().unwrap_or("default"))?,
        subject: order
            .subject
            .as_deref()
            .map(name::parse)
            .transpose()
            .map_err(|e| ServerError::Invalid(format!("subject: {e}")))?,
        san: explicit.then(|| order.san.iter().map(|t| field("san", t)).collect::<Result<Vec<_>, _>>()).transpose()?,
        key: order.key.as_deref().map(|t| field("key", t)).transpose()?,
        ttl: order.ttl.as_deref().map(|t| field("ttl", t)).transpose()?,
        user: None,
        device: None,
        groups: Vec::new(),
        ordered_by: None,
    };
    let device = order.device.as_deref().map(|t| field("device", t)).transpose()?;
    Ok((parsed, optional("user", &order.user)?, device))
}

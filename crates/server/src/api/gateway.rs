//! What gateways ask: the state to follow, and whether a password is right.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    body::Body,
    extract::{Query, State},
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use lanyard_model::{
    gateway::{PasswordAnswer, PasswordQuestion, StateLine},
    secret::SecretText,
};
use serde::Deserialize;

use super::problem::ApiResult;
use crate::{
    error::{ServerError, chain},
    flow::{
        device_refusal::ServiceError,
        device_sign_in::by_password,
        gateway_state::{Progress, changes, place, snapshot},
    },
    state::Server,
};

/// Longest wait for a change, in seconds: shorter than what a stop of the server waits for.
const MOST_WAIT: u64 = 5;

/// Where to go on.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Place {
    after: Option<u64>,
    wait: u64,
}

/// `GET /gateway/state`: everything, or what changed after a place, waiting for it up to `wait` seconds. Lines of JSON.
///
/// # Errors
/// Storage errors.
pub async fn state(State(server): State<Arc<Server>>, Query(asked): Query<Place>) -> Result<Response, ServerError> {
    if let Some(after) = asked.after {
        let wait = Duration::from_secs(asked.wait.min(MOST_WAIT));
        if let Some(lines) = changes(&server, after, wait).await? {
            return Ok(([(CONTENT_TYPE, "application/x-ndjson")], text(&lines)).into_response());
        }
    }
    // The place is taken first: what happens meanwhile is told once more.
    let sequence = place(&server).await?;
    let pages = stream::unfold(Some(Progress::People), move |progress| {
        let server = Arc::clone(&server);
        async move {
            let progress = match progress? {
                Progress::Done => return None,
                progress => progress,
            };
            match snapshot(&server, progress, sequence).await {
                Ok((lines, next)) => Some((Ok(text(&lines)), Some(next))),
                Err(error) => {
                    tracing::error!(error = %chain(&error), "a gateway's snapshot broke off");
                    Some((Err(std::io::Error::other("broken off")), None))
                }
            }
        }
    });
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(pages)).into_response())
}

fn text(lines: &[StateLine]) -> Bytes {
    let mut out = Vec::new();
    for line in lines {
        // These types have nothing that could not be written.
        if serde_json::to_writer(&mut out, line).is_ok() {
            out.push(b'\n');
        }
    }
    out.into()
}

/// `POST /gateway/password`: whose password this is. Wrong ones are counted, as they are at every other door.
///
/// # Errors
/// What the directory or the storage answers.
pub async fn password(State(server): State<Arc<Server>>, Json(asked): Json<PasswordQuestion>) -> ApiResult<PasswordAnswer> {
    let password = SecretText::new(asked.password);
    let nobody = PasswordAnswer { user: None, upn: None, email: None };
    match by_password(&server, &asked.user, &password, Some(asked.source)).await {
        Ok(known) => {
            let user = known.record;
            Ok(Json(PasswordAnswer { user: Some(user.name.to_string()), upn: user.upn, email: user.email }))
        }
        Err(ServiceError::Server(error)) => Err(error),
        Err(_) => Ok(Json(nobody)),
    }
}

//! Invitations, and certificates sent by mail.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::Extensions,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use lanyard_model::{
    id::{DeviceId, UserName},
    invitation::InvitationRecord,
    time::Timestamp,
};
use lanyard_ra::order::ChallengeOrder;

use super::{
    challenges::field,
    delivery_types::{Export, Exported, Invitation, Invite, Invited, SendCertificate, Sent},
    problem::ApiResult,
    router::actor,
};
use crate::{
    error::ServerError,
    flow::{
        export::{self, Platform},
        invite, send,
    },
    state::Server,
};

/// `POST /invitations`.
pub async fn create(State(server): State<Arc<Server>>, extensions: Extensions, Json(wanted): Json<Invite>) -> ApiResult<Invited> {
    let by = actor(&extensions);
    let user: UserName = field("user", &wanted.user)?;
    let device = wanted.device.as_deref().map(|text| field::<DeviceId>("device", text)).transpose()?;
    let profile = wanted.profile.as_deref().unwrap_or("default");
    let order = ChallengeOrder::of_records(field("template", &wanted.template)?, field("profile", profile)?);
    let life = wanted.ttl.as_deref().map(|text| field("ttl", text)).transpose()?;
    if wanted.mail {
        send::possible(&server, &user).await?;
    }
    let (invitation, link) = invite::to_identity(&server, user, order, device, (life, wanted.sign_in), &by).await?;
    let (id, until) = (invitation.id().to_owned(), invitation.until.to_string());
    if !wanted.mail {
        return Ok(Json(Invited { id, user: wanted.user, until, link: Some(link), sent_to: None }));
    }
    let sent = send::invitation(&server, &invitation, &link, &by).await?;
    Ok(Json(Invited { id, user: wanted.user, until, link: None, sent_to: Some(sent.to) }))
}

/// Most that are listed.
const MOST: u32 = 1000;

fn describe(record: InvitationRecord, now: Timestamp) -> Invitation {
    let state = record.state(now).to_owned();
    Invitation {
        id: record.id.to_string(),
        user: record.user.to_string(),
        what: record.what,
        state,
        sign_in: record.sign_in,
        at: record.at.to_string(),
        until: record.until.to_string(),
        by: record.by,
        ended_at: record.ended.as_ref().map(|ended| ended.at.to_string()),
        withdrawn_by: record.ended.and_then(|ended| ended.withdrawn_by),
    }
}

/// `GET /invitations`.
pub async fn list(State(server): State<Arc<Server>>) -> ApiResult<Vec<Invitation>> {
    let (found, now) = (server.store.list_invitations(MOST).await?, server.now());
    Ok(Json(found.into_iter().map(|record| describe(record, now)).collect()))
}

/// `POST /invitations/{id}/withdraw`.
pub async fn withdraw(
    State(server): State<Arc<Server>>,
    Path(id): Path<String>,
    extensions: Extensions,
) -> ApiResult<Invitation> {
    let record = invite::withdraw(&server, field("id", &id)?, &actor(&extensions)).await?;
    Ok(Json(describe(record, server.now())))
}

/// `POST /certificates/{serial}/send`.
pub async fn send_certificate(
    State(server): State<Arc<Server>>,
    Path(serial): Path<String>,
    extensions: Extensions,
    Json(wanted): Json<SendCertificate>,
) -> ApiResult<Sent> {
    let serial = field("serial", &serial)?;
    let sent = send::certificate(&server, &serial, wanted.form, (wanted.to, wanted.link), &actor(&extensions)).await?;
    Ok(Json(Sent { to: sent.to, as_link: sent.as_link }))
}

/// `POST /fleet-policies/{name}/export`.
pub async fn export(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    extensions: Extensions,
    Json(wanted): Json<Export>,
) -> ApiResult<Exported> {
    let platform = match wanted.platform.as_str() {
        "apple" => Platform::Apple,
        "linux" => Platform::Linux,
        "android" => Platform::Android,
        _ => return Err(ServerError::Invalid("platform: apple, linux or android".into())),
    };
    let user = wanted.user.as_deref().map(|text| field("user", text)).transpose()?;
    let device = wanted.device.as_deref().map(|text| field("device", text)).transpose()?;
    let made = export::export(&server, &field("name", &name)?, platform, (user, device), &actor(&extensions)).await?;
    Ok(Json(Exported { file: STANDARD.encode(made) }))
}

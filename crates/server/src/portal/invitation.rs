//! Where the link of a mail leads: looking uses nothing up, the button does.

use std::sync::Arc;

use axum::{
    extract::{Path, Request, State},
    http::{
        HeaderMap, StatusCode,
        header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use lanyard_pki::pkcs12::Protection;
use lanyard_ra::order::ChallengeOrder;

use super::{
    form::{Fields, MAX_FILE_FORM},
    guard, identity, session,
    views::Invitation as View,
};
use crate::{
    error::ServerError,
    flow::{
        invite::{Gift, Invitation},
        pfx::{self, Made, Orderer},
        revoke,
    },
    state::Server,
};

fn gone() -> Response {
    let text = "It was used before, or it is too old. Ask whoever sent it for another one. If it was not you who used it, tell your help desk.";
    guard::notice(StatusCode::GONE, "This link is not good any more", text)
}

/// The invitation behind a link, if whoever opens it may.
async fn opened(server: &Server, text: &str, headers: &HeaderMap) -> Result<Invitation, Response> {
    let failed = |error: ServerError| guard::failed(&error, server.now());
    let invitation = Invitation::open(server, text).await.map_err(failed)?.ok_or_else(gone)?;
    if invitation.sign_in {
        let session = session::current(server, headers).await.map_err(failed)?;
        if session.is_none_or(|session| *session.name() != invitation.user) {
            let text = "Sign in to the portal first, as the person it was sent to, and then open the link again.";
            return Err(guard::notice(StatusCode::FORBIDDEN, "This link is for somebody who is signed in", text));
        }
    }
    Ok(invitation)
}

/// `GET /portal/invitation/{text}`.
pub async fn page(State(server): State<Arc<Server>>, Path(text): Path<String>, headers: HeaderMap) -> Response {
    let invitation = match opened(&server, &text, &headers).await {
        Ok(invitation) => invitation,
        Err(response) => return response,
    };
    let policy = server.policy();
    let (what, key) = match &invitation.gift {
        Gift::Identity { template, .. } => {
            let found = policy.templates.find(template);
            (found.map_or_else(|| template.to_string(), |template| template.description.clone()), true)
        }
        Gift::Certificate { serial, .. } => (format!("Certificate {serial}"), false),
    };
    let view = View {
        organization: &server.config.organization,
        user: invitation.user.to_string(),
        what,
        key,
        until: invitation.until.to_string(),
        action: format!("/portal/invitation/{text}"),
    };
    guard::page(StatusCode::OK, &view)
}

/// `POST /portal/invitation/{text}`: uses the link up and gives out what it is good for.
pub async fn fetch(State(server): State<Arc<Server>>, Path(text): Path<String>, headers: HeaderMap) -> Response {
    let invitation = match opened(&server, &text, &headers).await {
        Ok(invitation) => invitation,
        Err(response) => return response,
    };
    match invitation.use_up(&server).await {
        Ok(true) => {}
        Ok(false) => return gone(),
        Err(error) => return guard::failed(&error, server.now()),
    }
    let given = match invitation.gift.clone() {
        Gift::Identity { template, profile, device } => {
            let order = ChallengeOrder::of_records(template, profile);
            let forms = [Protection::Modern, Protection::Old];
            let orderer = Orderer::Administrator(format!("invitation:{}", invitation.by));
            let made = pfx::make(&server, order, (Some(invitation.user.clone()), device), &forms, &orderer).await;
            match made {
                Ok(Made::File(made)) => identity::bearer_view(&server, &invitation.user, *made),
                Ok(Made::Refused(id)) => {
                    let text = format!("The rules do not allow it. Your help desk can look up why under this number: {id}");
                    return guard::notice(StatusCode::FORBIDDEN, "That is not possible", &text);
                }
                Err(error) => Err(error),
            }
        }
        Gift::Certificate { serial, form } => {
            let found = revoke::find(&server, &serial).await;
            return match found.map(|record| record.der.clone().map(|der| form.file(&server, &record, &der))) {
                Ok(Some(file)) => {
                    let shown = format!("attachment; filename=\"{}\"", file.name);
                    ([(CONTENT_TYPE, file.media_type), (CONTENT_DISPOSITION, &shown)], file.octets).into_response()
                }
                Ok(None) => StatusCode::NOT_FOUND.into_response(),
                Err(error) => guard::failed(&error, server.now()),
            };
        }
    };
    match given {
        Ok(view) => guard::page(StatusCode::OK, &view),
        Err(error) => guard::failed(&error, server.now()),
    }
}

/// `POST /portal/invitation-file`: the file of a page that [`fetch`] showed.
pub async fn file(State(server): State<Arc<Server>>, request: Request) -> Response {
    let Some(fields) = Fields::of_large_body(&server, request, MAX_FILE_FORM).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let carried = identity::open(&server, fields.get("file")).filter(identity::Carried::is_for_bearer);
    match carried.and_then(|carried| STANDARD.decode(carried.file).ok()) {
        Some(octets) => identity::attachment("application/x-pkcs12", "identity.p12", octets),
        None => gone(),
    }
}

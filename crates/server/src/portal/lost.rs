//! Reporting something lost: asked once more, then revoked at once.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use lanyard_model::certificate::CertificateStatus;

use super::{form::Fields, guard, session, views::Lost as View};
use crate::{
    flow::belongings::{self, Lost},
    state::Server,
};

fn read(fields: &Fields) -> Option<Lost> {
    match (fields.get("device"), fields.get("certificate")) {
        ("", serial) => serial.parse().ok().map(Lost::Certificate),
        (device, _) => device.parse().ok().map(Lost::Device),
    }
}

/// `GET /portal/lost?device=…` or `?certificate=…`.
pub async fn ask(State(server): State<Arc<Server>>, request: Request) -> Response {
    let session = match session::current(&server, request.headers()).await {
        Ok(Some(session)) => session,
        Ok(None) => return guard::to("/portal"),
        Err(error) => return guard::failed(&error, server.now()),
    };
    let Some(lost) = Fields::of_query(&request).as_ref().and_then(read) else { return StatusCode::BAD_REQUEST.into_response() };
    let own = match belongings::of(&server, session.name()).await {
        Ok(own) => own,
        Err(error) => return guard::failed(&error, server.now()),
    };
    let now = server.now();
    let found = match &lost {
        Lost::Device(id) => own.devices.iter().find(|device| device.id == *id).map(|device| {
            let of_it = own.certificates.iter().filter(|c| c.device.as_ref() == Some(id));
            let valid = of_it.filter(|c| c.status(now) == CertificateStatus::Valid).count();
            (device.name.clone().unwrap_or_else(|| id.to_string()), "device", id.to_string(), valid)
        }),
        Lost::Certificate(serial) => {
            let found = own.certificates.iter().find(|certificate| certificate.serial == *serial);
            found.map(|certificate| (certificate.subject.to_string(), "certificate", serial.to_string(), 1))
        }
    };
    let Some((what, field, value, certificates)) = found else {
        return guard::notice(StatusCode::NOT_FOUND, "That is not there", "There is no such thing, or it is not yours.");
    };
    let device = matches!(lost, Lost::Device(_));
    guard::page(StatusCode::OK, &View { what, field, value, token: session.token(&server), device, certificates })
}

/// `POST /portal/lost`.
pub async fn report(State(server): State<Arc<Server>>, request: Request) -> Response {
    let session = match session::current(&server, request.headers()).await {
        Ok(Some(session)) => session,
        Ok(None) => return guard::to("/portal"),
        Err(error) => return guard::failed(&error, server.now()),
    };
    let Some(fields) = Fields::of_body(&server, request).await else { return StatusCode::BAD_REQUEST.into_response() };
    if !session.sent(&server, fields.get("token")) {
        return guard::notice(
            StatusCode::FORBIDDEN,
            "This form is too old",
            "Nothing was done. Go back to the portal and try again.",
        );
    }
    let Some(lost) = read(&fields) else { return StatusCode::BAD_REQUEST.into_response() };
    match belongings::report_lost(&server, session.name(), &lost).await {
        Ok(count) => {
            let text = format!(
                "{count} certificate(s) were revoked and are worth nothing from now on. Your help desk can unblock a device that is found again."
            );
            guard::notice(StatusCode::OK, "Reported as lost", &text)
        }
        Err(error) => guard::failed(&error, server.now()),
    }
}

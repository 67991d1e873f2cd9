//! Management sessions over HTTP (OMA DM 1.2, section 1 of the binding to HTTP): one message in, one message out.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{
        HeaderValue, Method, StatusCode,
        header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
};
use lanyard_mdm::syncml::CONTENT_TYPE as SYNCML;

use super::{
    body::{BodyError, read_body},
    listen::ClientCertificate,
};
use crate::{
    error::chain,
    flow::management::{Reply, message},
    state::Server,
};

/// Largest message, in octets.
const MAX_MESSAGE: usize = 1024 * 1024;

/// `POST /ManagementServer/MDM.svc`, of clients that have shown their certificate.
pub async fn service(State(server): State<Arc<Server>>, request: Request) -> Response {
    // Answered to the end even if the client goes away: what was stored is then known to it as a repetition.
    let answered = tokio::spawn(async move { answer(&server, request).await }).await;
    answered.unwrap_or_else(|ended| match ended.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping"),
    })
}

async fn answer(server: &Server, request: Request) -> Response {
    let Some(ClientCertificate(certificate)) = request.extensions().get::<ClientCertificate>().cloned() else {
        return plain(StatusCode::FORBIDDEN, "a client certificate is needed");
    };
    if request.method() != Method::POST {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "POST is understood");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    if !is_syncml(&request) {
        return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "SyncML in XML is understood");
    }
    let octets = match read_body(request.into_body(), MAX_MESSAGE, &server.config.limits).await {
        Ok(octets) => octets,
        Err(error) => return unread(server, error),
    };
    let began = std::time::Instant::now();
    let reply = message(server, &certificate, &octets).await;
    server.telemetry.observe("lanyard_mdm_message_seconds", began.elapsed());
    match reply {
        Ok(Reply::Answer(text)) => {
            let mut response = text.into_response();
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(SYNCML));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Ok(Reply::Malformed(error)) => {
            tracing::info!(code = error.code(), %error, "a management message cannot be read");
            plain(StatusCode::BAD_REQUEST, "the message cannot be read")
        }
        Ok(Reply::Refused(_)) => plain(StatusCode::FORBIDDEN, "not admitted"),
        Ok(Reply::Busy) => {
            let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, "try again");
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            response
        }
        Err(error) => {
            tracing::error!(code = error.code(), error = %chain(&error), "a management message failed on our side");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "the server failed; try again later")
        }
    }
}

/// Whether the content type is SyncML in XML, whatever its parameters. WBXML is a type of its own.
fn is_syncml(request: &Request) -> bool {
    let given = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = given.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case(SYNCML)
}

/// A message that was not read to its end: what is left of it is not waited for.
fn unread(server: &Server, error: BodyError) -> Response {
    let (cause, status, why) = match error {
        BodyError::TooLarge => ("too-large", StatusCode::PAYLOAD_TOO_LARGE, "the message is too large"),
        BodyError::TooSlow => ("slow-body", StatusCode::REQUEST_TIMEOUT, "the message came too slowly"),
        BodyError::Broken => ("broken-body", StatusCode::BAD_REQUEST, "the message broke off"),
    };
    server.telemetry.count("lanyard_http_refused_total", &[("cause", cause.to_owned())]);
    let mut response = plain(status, why);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn plain(status: StatusCode, why: &'static str) -> Response {
    (status, [(CONTENT_TYPE, "text/plain")], why).into_response()
}

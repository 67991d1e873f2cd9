//! SCEP over HTTP (RFC 8894, section 4).

use std::{sync::Arc, time::Instant};

use axum::{
    body::Body,
    extract::{Path, Request, State},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, USER_AGENT},
    },
    response::{IntoResponse, Response},
};
use lanyard_enroll::scep::{
    capabilities::Capabilities,
    error::ScepError,
    query::{MAX_MESSAGE, Operation, decode},
    reply::ca_certificates,
};
use lanyard_model::{profile::Profile, request::RequestContext, text::printable};
use lanyard_pki::certificate::Certificate;

use super::{
    body::{BodyError, read_body},
    listen::Peer,
};
use crate::{
    error::{ServerError, chain},
    flow::scep::{authority_name, pki_operation},
    state::Server,
};

const PKI_MESSAGE: &str = "application/x-pki-message";
/// Carries the id of the request, so that the device's log can be joined with the server's.
pub const REQUEST_ID: &str = "lanyard-request-id";

/// `/scep/<profile>` and `/scep/<profile>/pkiclient.exe`.
pub async fn by_profile(State(server): State<Arc<Server>>, Path(profile): Path<String>, request: Request) -> Response {
    to_the_end(server, profile, request).await
}

/// `/certsrv/mscep/mscep.dll` and `/certsrv/mscep/mscep.dll/pkiclient.exe`.
pub async fn ndes(State(server): State<Arc<Server>>, request: Request) -> Response {
    let profile = server.config.ndes_profile.to_string();
    to_the_end(server, profile, request).await
}

/// Answers in a task of its own, so that a client that goes away does not leave its request half done: what an outside service was
/// told must then also happen.
async fn to_the_end(server: Arc<Server>, profile: String, request: Request) -> Response {
    let answered = tokio::spawn(async move { answer(&server, &profile, request).await }).await;
    answered.unwrap_or_else(|ended| match ended.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => plain(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping"),
    })
}

async fn answer(server: &Server, profile: &str, request: Request) -> Response {
    let policy = server.policy();
    let Some(profile) = profile.parse().ok().and_then(|name| policy.profiles.find(&name)) else {
        return plain(StatusCode::NOT_FOUND, "there is no such profile");
    };
    let post = match *request.method() {
        Method::POST => true,
        Method::GET => false,
        _ => {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "GET and POST are understood");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
            return response;
        }
    };
    match decode(request.uri().query().unwrap_or_default(), post) {
        Ok(Operation::GetCaCaps) => {
            let capabilities = Capabilities::offered(profile.legacy_algorithms, false).encode();
            ([(CONTENT_TYPE, "text/plain")], capabilities).into_response()
        }
        Ok(Operation::GetCaCert) => ca_certificate(server, profile).unwrap_or_else(|error| internal(&error)),
        Ok(Operation::GetNextCaCert) => plain(StatusCode::NOT_FOUND, "there is no next CA certificate"),
        Ok(Operation::PkiOperation(message)) => operation(server, profile, message, request).await,
        Err(ScepError::TooLarge { .. }) => plain(StatusCode::PAYLOAD_TOO_LARGE, "the message is too large"),
        Err(_) => plain(StatusCode::BAD_REQUEST, "the query is not understood"),
    }
}

fn ca_certificate(server: &Server, profile: &Profile) -> Result<Response, ServerError> {
    let authority = authority_name()?;
    let ring = server.keyring.get();
    let registration = ring.registrations(&authority).first().cloned();
    let registration =
        registration.ok_or_else(|| ServerError::NotFound { what: "registration certificate of", name: authority.to_string() })?;
    let mut certificates = vec![registration.certificate.der()];
    let chain = ring.chain(&authority);
    // QUIRK(scepclient 2.1.0): encrypts to every certificate offered, and crashes on one whose key is not RSA.
    let usable = |c: &Certificate| !profile.rsa_certificates_only || c.public_key().is_ok_and(|key| key.kind.is_rsa());
    let offered = chain.iter().filter(|c| (profile.include_root || !c.is_self_issued()) && usable(c));
    certificates.extend(offered.map(|c| c.der()));
    let (media_type, body) = ca_certificates(&certificates);
    Ok(([(CONTENT_TYPE, media_type)], body).into_response())
}

async fn operation(server: &Server, profile: &Profile, message: Option<Vec<u8>>, request: Request) -> Response {
    let began = Instant::now();
    let context = context(&request);
    let message = match message {
        Some(message) => message,
        None => match read_body(request.into_body(), MAX_MESSAGE, &server.config.limits).await {
            Ok(body) => body,
            Err(BodyError::TooLarge) => {
                return refused(server, "too-large", StatusCode::PAYLOAD_TOO_LARGE, "the message is too large");
            }
            Err(BodyError::TooSlow) => {
                return refused(server, "slow-body", StatusCode::REQUEST_TIMEOUT, "the message came too slowly");
            }
            Err(BodyError::Broken) => return refused(server, "broken-body", StatusCode::BAD_REQUEST, "the message broke off"),
        },
    };
    let answer = match pki_operation(server, profile, &message, context).await {
        Ok(answer) => answer,
        Err(error) => {
            server.telemetry.count("lanyard_requests_total", &labels(profile, "failed"));
            return internal(&error);
        }
    };
    server.telemetry.count("lanyard_requests_total", &labels(profile, answer.outcome));
    server.telemetry.observe("lanyard_request_seconds", began.elapsed());
    let mut response = match answer.reply {
        Some(reply) => ([(CONTENT_TYPE, PKI_MESSAGE)], reply).into_response(),
        None => plain(StatusCode::BAD_REQUEST, "the message is not a SCEP pkiMessage"),
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(&answer.request.to_string()) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

fn labels(profile: &Profile, outcome: &'static str) -> [(&'static str, String); 3] {
    [("protocol", "scep".into()), ("profile", profile.name.to_string()), ("outcome", outcome.into())]
}

fn context(request: &Request<Body>) -> RequestContext {
    RequestContext {
        peer: request.extensions().get::<Peer>().map(ToString::to_string),
        user_agent: text(request.headers(), USER_AGENT),
        method: Some(request.method().to_string()),
        ..RequestContext::default()
    }
}

fn text(headers: &HeaderMap, name: axum::http::HeaderName) -> Option<String> {
    let value = String::from_utf8_lossy(headers.get(name)?.as_bytes()).chars().take(200).collect::<String>();
    Some(printable(&value))
}

fn refused(server: &Server, cause: &'static str, status: StatusCode, why: &'static str) -> Response {
    server.telemetry.count("lanyard_http_refused_total", &[("cause", cause.to_owned())]);
    plain(status, why)
}

fn plain(status: StatusCode, why: &'static str) -> Response {
    (status, [(CONTENT_TYPE, "text/plain")], why).into_response()
}

fn internal(error: &ServerError) -> Response {
    tracing::error!(code = error.code(), error = %chain(error), "a request failed on our side");
    plain(StatusCode::INTERNAL_SERVER_ERROR, "the server failed; try again later")
}

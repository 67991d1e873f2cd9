//! SCEP over HTTP (RFC 8894, section 4).

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::{Path, Request, State},
    http::{
        HeaderValue, Method, StatusCode,
        header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
};
use lanyard_enroll::scep::{
    capabilities::Capabilities,
    error::ScepError,
    query::{MAX_MESSAGE, Operation, decode},
};
use lanyard_model::{profile::Profile, request::RequestContext};

use super::{
    body::{BodyError, read_body},
    client_address::client_address,
    scep_certificates,
    scep_evidence::HttpEvidence,
    throttle::{self, Admission},
};
use crate::{
    error::{ServerError, chain},
    flow::scep::pki_operation,
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
    let query = match decode(request.uri().query().unwrap_or_default(), post) {
        Ok(query) => query,
        Err(ScepError::TooLarge { .. }) => return plain(StatusCode::PAYLOAD_TOO_LARGE, "the message is too large"),
        Err(_) => return plain(StatusCode::BAD_REQUEST, "the query is not understood"),
    };
    let evidence = HttpEvidence::of(&request, &query);
    match query.operation {
        Operation::GetCaCaps => {
            let next = server.keyring.get().announced_successor().is_some();
            let capabilities = Capabilities::offered(profile.legacy_algorithms, next).encode();
            ([(CONTENT_TYPE, "text/plain")], capabilities).into_response()
        }
        Operation::GetCaCert => scep_certificates::current(server, profile, &evidence).unwrap_or_else(|error| internal(&error)),
        Operation::GetNextCaCert => match scep_certificates::next(server, profile) {
            Ok(Some(response)) => response,
            Ok(None) => plain(StatusCode::NOT_FOUND, "there is no next CA certificate"),
            Err(error) => internal(&error),
        },
        Operation::PkiOperation(message) => {
            let address = client_address(&request, &server.config.proxies);
            let context = evidence.context(&request, address);
            let message = match message {
                Some(message) => message,
                None => match body(server, request).await {
                    Ok(message) => message,
                    Err(refused) => return refused,
                },
            };
            operation(server, profile, &message, context, address).await
        }
    }
}

async fn operation(
    server: &Server,
    profile: &Profile,
    message: &[u8],
    context: RequestContext,
    address: Option<IpAddr>,
) -> Response {
    let began = Instant::now();
    let _turn = match address {
        None => None,
        Some(address) => match server.throttle.admit(address, &profile.name).await {
            Admission::Now(turn) => turn,
            Admission::Later(wait) => {
                server.telemetry.count("lanyard_http_refused_total", &[("cause", "throttled".to_owned())]);
                return too_many(wait);
            }
        },
    };
    let answer = match pki_operation(server, profile, message, context).await {
        Ok(answer) => answer,
        Err(error) => {
            server.telemetry.count("lanyard_requests_total", &labels(profile, "failed"));
            return internal(&error);
        }
    };
    server.telemetry.count("lanyard_requests_total", &labels(profile, answer.outcome));
    server.telemetry.observe("lanyard_request_seconds", began.elapsed());
    let guessed = answer.reason.as_deref().is_some_and(throttle::is_guess);
    let wait = address.filter(|_| guessed).and_then(|address| server.throttle.wrong(address, &profile.name));
    let mut response = match (wait, answer.reply) {
        (Some(wait), _) => {
            server.telemetry.count("lanyard_http_refused_total", &[("cause", "throttled".to_owned())]);
            too_many(wait)
        }
        (None, Some(reply)) => ([(CONTENT_TYPE, PKI_MESSAGE)], reply).into_response(),
        (None, None) => plain(StatusCode::BAD_REQUEST, "the message is not a SCEP pkiMessage"),
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(&answer.request.to_string()) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

async fn body(server: &Server, request: Request) -> Result<Vec<u8>, Response> {
    read_body(request.into_body(), MAX_MESSAGE, &server.config.limits).await.map_err(|error| match error {
        BodyError::TooLarge => refused(server, "too-large", StatusCode::PAYLOAD_TOO_LARGE, "the message is too large"),
        BodyError::TooSlow => refused(server, "slow-body", StatusCode::REQUEST_TIMEOUT, "the message came too slowly"),
        BodyError::Broken => refused(server, "broken-body", StatusCode::BAD_REQUEST, "the message broke off"),
    })
}

/// 429 with a time to come back, in whole seconds.
fn too_many(wait: Duration) -> Response {
    let mut response = plain(StatusCode::TOO_MANY_REQUESTS, "too many wrong challenges; try again later");
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)));
    response
}

fn labels(profile: &Profile, outcome: &'static str) -> [(&'static str, String); 3] {
    [("protocol", "scep".into()), ("profile", profile.name.to_string()), ("outcome", outcome.into())]
}

/// Refuses a message that was not read to its end: what is left of it is not waited for.
fn refused(server: &Server, cause: &'static str, status: StatusCode, why: &'static str) -> Response {
    server.telemetry.count("lanyard_http_refused_total", &[("cause", cause.to_owned())]);
    let mut response = plain(status, why);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn plain(status: StatusCode, why: &'static str) -> Response {
    (status, [(CONTENT_TYPE, "text/plain")], why).into_response()
}

fn internal(error: &ServerError) -> Response {
    tracing::error!(code = error.code(), error = %chain(error), "a request failed on our side");
    plain(StatusCode::INTERNAL_SERVER_ERROR, "the server failed; try again later")
}

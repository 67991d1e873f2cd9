//! The enrolment services of Windows (MS-MDE2, MS-XCEP, MS-WSTEP): SOAP in, SOAP or a fault out, as one message with its length.
//!
//! The same addresses are served twice: on the HTTPS listener for whoever has no certificate yet, and on the listener for managed devices
//! for renewals. Every device there must still be one when it asks.

use std::{net::IpAddr, sync::Arc, time::Instant};

use axum::{
    extract::{Request, State},
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT},
    },
    response::{IntoResponse, Response},
};
use lanyard_mdm::{
    discovery::Discover,
    policy::GetPolicies,
    soap::{self, Action, Activity, HTTP_STATUS_OF_FAULTS, Lifetime, ResponseHeader},
    wstep::{CertificateRequest, RequestSecurityToken, RequestSecurityTokenResponse},
    xml::Element,
};
use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    id::RequestId,
    request::RequestContext,
    text::printable,
    time::Span,
};

use super::{
    body::{BodyError, read_body},
    client_address::client_address,
    listen::ClientCertificate,
    scep::REQUEST_ID,
};
use crate::{
    flow::{
        device_discovery, device_enrollment, device_identity,
        device_refusal::{Result, ServiceError},
        device_renewal, device_sign_in,
    },
    mdm::Mdm,
    state::Server,
};

/// Largest message, in octets: a renewal encoded twice is about 20,000.
const MAX_MESSAGE: usize = 256 * 1024;
/// How far the time stamp of an answer reaches to both sides.
const STAMP: Span = Span::from_secs(300);

/// `GET /EnrollmentServer/Discovery.svc`: the probe, which only asks whether somebody is there.
pub async fn probe(State(server): State<Arc<Server>>) -> Response {
    if server.mdm.is_none() {
        return StatusCode::NOT_FOUND.into_response();
    }
    (StatusCode::OK, [(CONTENT_TYPE, "text/html"), (CACHE_CONTROL, "no-cache")]).into_response()
}

/// `POST /EnrollmentServer/Discovery.svc`.
pub async fn discovery(State(server): State<Arc<Server>>, request: Request) -> Response {
    service(server, request, Action::Discover).await
}

/// `POST /EnrollmentServer/Policy.svc`.
pub async fn policy(State(server): State<Arc<Server>>, request: Request) -> Response {
    service(server, request, Action::GetPolicies).await
}

/// `POST /EnrollmentServer/Enrollment.svc`.
pub async fn enrollment(State(server): State<Arc<Server>>, request: Request) -> Response {
    service(server, request, Action::RequestSecurityToken).await
}

/// Who sent a message, and what is known about it.
struct Sender {
    id: RequestId,
    source: Option<IpAddr>,
    tls: Option<Vec<u8>>,
    about: RequestContext,
}

/// Answers in a task of its own, so that a client that goes away does not leave its request half done.
async fn service(server: Arc<Server>, request: Request, action: Action) -> Response {
    let answered = tokio::spawn(async move { answer(&server, request, action).await }).await;
    answered.unwrap_or_else(|ended| match ended.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    })
}

async fn answer(server: &Server, request: Request, action: Action) -> Response {
    let Some(mdm) = &server.mdm else { return StatusCode::NOT_FOUND.into_response() };
    let began = Instant::now();
    let sender = sender(server, &request, action);
    let octets = match read_body(request.into_body(), MAX_MESSAGE, &server.config.limits).await {
        Ok(octets) => octets,
        Err(BodyError::TooLarge) => return cut_off(StatusCode::PAYLOAD_TOO_LARGE),
        Err(BodyError::TooSlow) => return cut_off(StatusCode::REQUEST_TIMEOUT),
        Err(BodyError::Broken) => return cut_off(StatusCode::BAD_REQUEST),
    };
    let _at_work = server.store.callers().enter();
    let (message_id, answered) = match soap::Request::decode(&octets, action) {
        Ok(message) => {
            let body = asked(server, mdm, &sender, &message).await;
            (Some(message.header.message_id), body)
        }
        Err(rejected) => (rejected.message_id, Err(ServiceError::Message(rejected.error))),
    };
    let header = header(server, action, message_id.as_deref(), sender.id);
    let outcome = if answered.is_ok() { "answered" } else { "refused" };
    let written = match answered {
        Ok(body) => header.encode(body).map(|text| (StatusCode::OK, text)),
        Err(error) => {
            tell(server, &sender, action, &error).await;
            let status = StatusCode::from_u16(HTTP_STATUS_OF_FAULTS).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            error.fault(&sender.id.to_string()).encode_with(&header).map(|text| (status, text))
        }
    };
    let labels = [("service", word(action).to_owned()), ("outcome", outcome.to_owned())];
    server.telemetry.count("lanyard_enrollment_messages_total", &labels);
    server.telemetry.observe("lanyard_enrollment_seconds", began.elapsed());
    match written {
        Ok((status, text)) => message(status, text, sender.id),
        Err(error) => {
            tracing::error!(code = error.code(), %error, "an answer cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn sender(server: &Server, request: &Request, action: Action) -> Sender {
    let source = client_address(request, &server.config.proxies);
    let agent = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok()).map(printable);
    let about = RequestContext {
        peer: source.map(|address| address.to_string()),
        address: source,
        user_agent: agent,
        method: Some("POST".into()),
        message_type: Some(word(action).into()),
        ..RequestContext::default()
    };
    let tls = request.extensions().get::<ClientCertificate>().map(|certificate| certificate.0.clone());
    Sender { id: RequestId::generate(server.now()), source, tls, about }
}

/// What a message asks for, done.
async fn asked(server: &Server, mdm: &Mdm, sender: &Sender, message: &soap::Request) -> Result<Element> {
    let action = message.header.action;
    // Renewals say more precisely what is wrong, and are judged by the certificate that signed.
    if let Some(der) = sender.tls.as_ref().filter(|_| action != Action::RequestSecurityToken) {
        device_identity::proven(server, der).await?;
    }
    let at_devices = sender.tls.is_some();
    let body = message.body()?;
    match action {
        Action::Discover => Ok(device_discovery::discover(mdm, &Discover::decode(body)?, at_devices)?.encode()),
        Action::GetPolicies => {
            GetPolicies::decode(body)?;
            Ok(device_discovery::policies(server, mdm, at_devices)?.encode())
        }
        _ => request_security_token(server, mdm, sender, message, RequestSecurityToken::decode(body)?).await,
    }
}

async fn request_security_token(
    server: &Server,
    mdm: &Mdm,
    sender: &Sender,
    message: &soap::Request,
    token: RequestSecurityToken,
) -> Result<Element> {
    let document = match &token.request {
        CertificateRequest::Issue(pkcs10) => {
            let signed_in = device_sign_in::sender(server, mdm, message, sender.source).await?;
            let wish = device_enrollment::Wish { id: sender.id, pkcs10, context: &token.context, about: &sender.about };
            device_enrollment::enroll(server, mdm, signed_in, &wish).await?
        }
        CertificateRequest::Renew { pkcs7, .. } => {
            let renewal = device_renewal::Renewal {
                id: sender.id,
                request: message,
                pkcs7,
                context: &token.context,
                about: &sender.about,
                tls: sender.tls.as_deref(),
                source: sender.source,
            };
            device_renewal::renew(server, mdm, &renewal).await?
        }
    };
    Ok(RequestSecurityTokenResponse::new(&document.encode()?).encode())
}

/// The refusal, once, with everything that the device is not told.
async fn tell(server: &Server, sender: &Sender, action: Action, error: &ServiceError) {
    let (code, detail) = (error.code(), error.detail());
    let (request, service) = (sender.id, word(action));
    if let ServiceError::Server(_) = error {
        tracing::error!(%request, service, code, %detail, "an enrolment service failed");
    } else {
        tracing::warn!(%request, service, code, %detail, peer = sender.about.peer, "refused");
    }
    let audit = AuditEvent {
        reason: Some(code.to_owned()),
        detail: Some(detail),
        ..server.request_event(AuditKind::DeviceRefused, "mdm", request)
    };
    if let Err(error) = server.store.append_audit(audit).await {
        tracing::error!(%error, "a refusal cannot be audited");
    }
}

fn header(server: &Server, action: Action, message_id: Option<&str>, id: RequestId) -> ResponseHeader {
    let mut header = ResponseHeader::answering(action, message_id);
    header.activity = Some(Activity { correlation: id.to_string(), id: id.to_string() });
    if action == Action::RequestSecurityToken {
        let now = server.now();
        header.timestamp = Some(Lifetime { created: now - STAMP, expires: now + STAMP });
    }
    header
}

const fn word(action: Action) -> &'static str {
    match action {
        Action::Discover | Action::DiscoverResponse => "Discover",
        Action::GetPolicies | Action::GetPoliciesResponse => "GetPolicies",
        Action::RequestSecurityToken | Action::RequestSecurityTokenResponseCollection => "RequestSecurityToken",
    }
}

/// One whole message: Windows takes no other.
fn message(status: StatusCode, text: String, id: RequestId) -> Response {
    let length = HeaderValue::from(text.len());
    let mut response = (status, [(CONTENT_TYPE, soap::CONTENT_TYPE), (CACHE_CONTROL, "no-store")], text).into_response();
    response.headers_mut().insert(CONTENT_LENGTH, length);
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// Refuses a message that was not read to its end: what is left of it is not waited for.
fn cut_off(status: StatusCode) -> Response {
    (status, [(CONNECTION, "close")]).into_response()
}

//! Signing in and out: with a password here or in the directory, or at the OpenID Connect provider where one is configured.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{
        HeaderValue, StatusCode,
        header::{LOCATION, SET_COOKIE},
    },
    response::{IntoResponse, Response},
};
use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    id::{RequestId, UserName},
    secret::SecretText,
    text::printable,
};

use super::{form::Fields, guard, session, views::SignIn};
use crate::{
    edge::client_address::client_address,
    flow::{
        device_refusal::ServiceError,
        device_sign_in::{by_password, of_provider},
    },
    oidc::{Oidc, attempt},
    state::Server,
};

/// Where the provider sends people back to.
pub const CALLBACK_PATH: &str = "/portal/callback";
/// Binds a sign-in at the provider to the browser that began it.
const ATTEMPT_COOKIE: &str = "__Host-lanyard-portal-attempt";
/// What tells attempts of the portal from those of devices.
const PURPOSE: &str = "portal";

/// `GET /portal/sign-in`.
pub async fn page(State(server): State<Arc<Server>>) -> Response {
    view(&server, StatusCode::OK, "", "")
}

/// The form, or the button that leads to the provider.
pub fn view(server: &Server, status: StatusCode, user: &str, said: &str) -> Response {
    let organization = &server.config.organization;
    guard::page(status, &SignIn { organization, user, said, elsewhere: server.oidc.is_some() })
}

/// `POST /portal/sign-in`.
pub async fn submit(State(server): State<Arc<Server>>, request: Request) -> Response {
    // Where a provider is configured, nobody signs in here.
    if let Some(oidc) = &server.oidc {
        return away(&server, oidc).await;
    }
    let source = client_address(&request, &server.config.proxies);
    let Some(mut fields) = Fields::of_body(&server, request).await else { return StatusCode::BAD_REQUEST.into_response() };
    let password = SecretText::new(fields.take("password"));
    let name = fields.get("user");
    match by_password(&server, name, &password, source).await {
        Ok(user) => signed_in(&server, &user.record.name, "with a password").await,
        Err(error) => {
            let (status, said) = refused(&server, &error).await;
            view(&server, status, name, &said)
        }
    }
}

async fn away(server: &Server, oidc: &Oidc) -> Response {
    let begun = match redirect_uri(server) {
        Some(back) => oidc.begin(&server.portal_secret, &back, PURPOSE, "", server.now()).await,
        None => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
    };
    let begun = match begun {
        Ok(begun) => begun,
        Err(error) => return refused_elsewhere(server, error.code(), &error.to_string(), StatusCode::BAD_GATEWAY).await,
    };
    let life = attempt::LIFE.secs();
    let cookie = format!("{ATTEMPT_COOKIE}={}; Max-Age={life}; Path=/; Secure; HttpOnly; SameSite=Lax", begun.cookie.expose());
    let (Ok(location), Ok(cookie)) = (HeaderValue::from_str(&begun.location), HeaderValue::from_str(&cookie)) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = StatusCode::SEE_OTHER.into_response();
    response.headers_mut().insert(LOCATION, location);
    response.headers_mut().insert(SET_COOKIE, cookie);
    response
}

/// `GET /portal/away`: to the provider. A link and not a form, because a form may lead to this host only.
pub async fn leave(State(server): State<Arc<Server>>) -> Response {
    match &server.oidc {
        Some(oidc) => away(&server, oidc).await,
        None => guard::to("/portal"),
    }
}

/// `GET /portal/callback`.
pub async fn callback(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (Some(oidc), Some(back)) = (&server.oidc, redirect_uri(&server)) else { return StatusCode::NOT_FOUND.into_response() };
    let Some(fields) = Fields::of_query(&request) else { return StatusCode::BAD_REQUEST.into_response() };
    let cookie = session::cookie(request.headers(), ATTEMPT_COOKIE);
    let finished = oidc.finish(server.store.as_ref(), &server.portal_secret, &back, fields.all(), cookie, server.now()).await;
    let finished = match finished {
        Ok(finished) if finished.purpose == PURPOSE => finished,
        Ok(_) => return StatusCode::BAD_REQUEST.into_response(),
        Err(error) => return refused_elsewhere(&server, error.code(), &error.to_string(), StatusCode::FORBIDDEN).await,
    };
    match of_provider(&server, &finished.user).await {
        Ok(user) => signed_in(&server, &user.record.name, "at the provider").await,
        Err(error) => refused_elsewhere(&server, error.code(), &error.detail(), StatusCode::FORBIDDEN).await,
    }
}

fn redirect_uri(server: &Server) -> Option<String> {
    Some(format!("{}{CALLBACK_PATH}", server.portal.as_ref()?.url().ok()?))
}

async fn signed_in(server: &Server, user: &UserName, how: &str) -> Response {
    let audit = AuditEvent { detail: Some(how.to_owned()), ..server.event(AuditKind::SignedIn, format!("portal:{user}")) };
    if let Err(error) = server.store.append_audit(audit).await {
        return guard::failed(&error.into(), server.now());
    }
    session::begin(server, user, guard::to("/portal")).unwrap_or_else(|error| guard::failed(&error, server.now()))
}

/// Audits a refusal, and what is said of it.
async fn refused(server: &Server, error: &ServiceError) -> (StatusCode, String) {
    let id = RequestId::generate(server.now());
    audit_refusal(server, id, error.code(), &error.detail()).await;
    match error.code() {
        "mdm.attempts" => (StatusCode::TOO_MANY_REQUESTS, "There were too many wrong passwords. Wait ten minutes.".to_owned()),
        _ => (StatusCode::FORBIDDEN, format!("User name or password is wrong, or this account may not sign in. ({id})")),
    }
}

async fn refused_elsewhere(server: &Server, code: &'static str, detail: &str, status: StatusCode) -> Response {
    let id = RequestId::generate(server.now());
    audit_refusal(server, id, code, detail).await;
    guard::notice(status, "You are not signed in", &format!("The sign-in did not succeed. Its number is {id}."))
}

async fn audit_refusal(server: &Server, id: RequestId, code: &'static str, detail: &str) {
    let detail = printable(detail);
    tracing::warn!(request = %id, code, %detail, "sign-in refused");
    let event = server.request_event(AuditKind::SignInRefused, "portal", id);
    let audit = AuditEvent { reason: Some(code.to_owned()), detail: Some(detail), ..event };
    if let Err(error) = server.store.append_audit(audit).await {
        tracing::error!(%error, "a refusal cannot be audited");
    }
}

/// `POST /portal/sign-out`.
pub async fn sign_out(State(server): State<Arc<Server>>, request: Request) -> Response {
    let mut response = guard::to("/portal");
    match session::current(&server, request.headers()).await {
        Ok(Some(session)) => {
            let sent = Fields::of_body(&server, request).await.is_some_and(|fields| session.sent(&server, fields.get("token")));
            if !sent {
                return guard::notice(StatusCode::FORBIDDEN, "This form is too old", "Go back to the portal and try again.");
            }
            if let Err(error) = session.end(&server).await {
                return guard::failed(&error, server.now());
            }
        }
        Ok(None) => {}
        Err(error) => return guard::failed(&error, server.now()),
    }
    session::forget(&mut response);
    response
}

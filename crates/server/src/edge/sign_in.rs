//! The sign-in page of federated enrolment: a plain form in the device's web view that ends in a token posted to the device.
//!
//! No script but the one that posts the token, allowed by its hash. A form from elsewhere is refused by origin and by a sealed stamp.

use std::sync::Arc;

use axum::{
    extract::{Query, Request, State},
    http::{
        HeaderValue, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
            X_FRAME_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use lanyard_mdm::discovery::sign_in::{final_page, is_acceptable_appru};
use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    id::{RequestId, UserName},
    secret::SecretText,
    time::{Span, Timestamp},
};
use lanyard_pki::crypto::digest::{constant_time_eq, hmac_sha256, sha256};
use serde::Deserialize;

use super::{body::read_body, client_address::client_address, sign_in_elsewhere};
use crate::{
    flow::{device_refusal::ServiceError, device_sign_in::by_password},
    mdm::{Mdm, addresses::AUTHENTICATION_PATH, settings::Authentication, sign_in},
    state::Server,
};

const MAX_FORM: usize = 8 * 1024;
/// How long a form may lie open.
const FORM_LIFE: Span = Span::from_secs(1800);
/// The script of the last page, see [`final_page`].
const SCRIPT: &str = "document.forms[0].submit()";

/// What the device gives to the page.
#[derive(Deserialize, Default)]
#[serde(default)]
pub struct Opening {
    appru: String,
    login_hint: String,
}

/// What the person sends.
#[derive(Deserialize)]
struct Form {
    appru: String,
    stamp: String,
    user: String,
    password: String,
}

/// `GET /EnrollmentServer/Authentication`.
pub async fn page(State(server): State<Arc<Server>>, Query(opening): Query<Opening>) -> Response {
    let Some(_) = offered(&server) else { return StatusCode::NOT_FOUND.into_response() };
    if !is_acceptable_appru(&opening.appru) {
        return html(StatusCode::BAD_REQUEST, &notice("This page is opened by a device that enrols."), "'none'");
    }
    if let (Some(oidc), Some(mdm)) = (&server.oidc, &server.mdm) {
        return sign_in_elsewhere::begin(&server, oidc, mdm, &opening.appru, &opening.login_hint).await;
    }
    html(StatusCode::OK, &form(&server, &opening.appru, &opening.login_hint, ""), "'self'")
}

/// `POST /EnrollmentServer/Authentication`.
pub async fn submit(State(server): State<Arc<Server>>, request: Request) -> Response {
    // Where a provider is configured, nobody signs in here.
    let Some(mdm) = offered(&server).filter(|_| server.oidc.is_none()) else { return StatusCode::NOT_FOUND.into_response() };
    let source = client_address(&request, &server.config.proxies);
    if !is_from_our_page(mdm, &request) {
        return html(StatusCode::FORBIDDEN, &notice("This form came from another page."), "'none'");
    }
    let Ok(octets) = read_body(request.into_body(), MAX_FORM, &server.config.limits).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let Some(form_sent) = decode(&octets) else { return StatusCode::BAD_REQUEST.into_response() };
    if !is_acceptable_appru(&form_sent.appru) || !is_ours(&server, &form_sent.stamp, &form_sent.appru) {
        return html(StatusCode::FORBIDDEN, &notice("This form is too old. Go back and try again."), "'none'");
    }
    let password = SecretText::new(form_sent.password);
    let signed_in = by_password(&server, &form_sent.user, &password, source).await;
    let user = match signed_in {
        Ok(user) => user.record.name,
        Err(error) => return again(&server, &form_sent.appru, &form_sent.user, &error).await,
    };
    last_page(&server, &form_sent.appru, &user)
}

/// The page that posts a user's token to the device.
pub(super) fn last_page(server: &Server, appru: &str, user: &UserName) -> Response {
    let token = sign_in::token(&server.fleet_secret, user, server.now());
    let written = token.map_err(|e| e.to_string()).and_then(|t| final_page(appru, &t).map_err(|e| e.to_string()));
    match written {
        // QUIRK(Windows web view): the address of the device's own scheme must be allowed as a form's target.
        Ok(page) => html(StatusCode::OK, page.expose(), "ms-app:"),
        Err(error) => {
            tracing::error!(%error, "the last page of a sign-in cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

pub(super) fn offered(server: &Server) -> Option<&Mdm> {
    server.mdm.as_ref().filter(|mdm| mdm.settings.authentication.contains(&Authentication::Federated))
}

/// A browser tells where a form was; where it does not, the stamp alone decides.
fn is_from_our_page(mdm: &Mdm, request: &Request) -> bool {
    let Some(origin) = request.headers().get(ORIGIN) else { return true };
    let ours = mdm.addresses().ok().map(|addresses| addresses.first.as_bytes());
    ours.is_some_and(|ours| origin.as_bytes().eq_ignore_ascii_case(ours))
}

async fn again(server: &Server, appru: &str, user: &str, error: &ServiceError) -> Response {
    let id = RequestId::generate(server.now());
    let (code, detail) = (error.code(), error.detail());
    tracing::warn!(request = %id, code, %detail, "sign-in refused");
    let audit = AuditEvent {
        reason: Some(code.to_owned()),
        detail: Some(detail),
        ..server.request_event(AuditKind::DeviceRefused, "mdm", id)
    };
    if let Err(error) = server.store.append_audit(audit).await {
        tracing::error!(%error, "a refusal cannot be audited");
    }
    let said = error.fault(&id.to_string()).reason;
    html(StatusCode::OK, &form(server, appru, user, &said), "'self'")
}

fn form(server: &Server, appru: &str, user: &str, said: &str) -> String {
    let stamp = stamp(server, appru, server.now() + FORM_LIFE);
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Sign in</title></head><body><h1>{}</h1>\
         <p role=\"alert\">{}</p><form method=\"post\" action=\"{AUTHENTICATION_PATH}\">\
         <input type=\"hidden\" name=\"appru\" value=\"{}\"><input type=\"hidden\" name=\"stamp\" value=\"{stamp}\">\
         <p><label>User <input name=\"user\" autocomplete=\"username\" required value=\"{}\"></label></p>\
         <p><label>Password <input name=\"password\" type=\"password\" autocomplete=\"current-password\" required></label></p>\
         <p><button>Sign in</button></p></form></body></html>",
        escape(&server.config.organization),
        escape(said),
        escape(appru),
        escape(user)
    )
}

pub(super) fn notice(text: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Sign in</title></head><body><p>{text}</p></body></html>"
    )
}

/// `<until>.<MAC>`, bound to the address that the token will go to.
fn stamp(server: &Server, appru: &str, until: Timestamp) -> String {
    let mac = hmac_sha256(server.fleet_secret.expose(), &[b"sign-in form", &until.0.to_be_bytes(), appru.as_bytes()]);
    format!("{}.{}", until.0, lanyard_model::text::hex(&mac))
}

fn is_ours(server: &Server, given: &str, appru: &str) -> bool {
    let until = given.split_once('.').and_then(|(until, _)| until.parse().ok()).map(Timestamp);
    until.is_some_and(|until| server.now() < until && constant_time_eq(given.as_bytes(), stamp(server, appru, until).as_bytes()))
}

fn decode(octets: &[u8]) -> Option<Form> {
    let mut fields = std::collections::HashMap::new();
    for pair in std::str::from_utf8(octets).ok()?.split('&') {
        let (name, value) = pair.split_once('=')?;
        if fields.insert(name, unescape(value)?).is_some() {
            return None;
        }
    }
    let mut take = |name| fields.remove(name);
    Some(Form { appru: take("appru")?, stamp: take("stamp")?, user: take("user")?, password: take("password")? })
}

/// `application/x-www-form-urlencoded`.
pub(crate) fn unescape(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(octets).ok()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

pub(super) fn html(status: StatusCode, page: &str, forms: &str) -> Response {
    let script = STANDARD.encode(sha256(SCRIPT.as_bytes()));
    let policy = format!(
        "default-src 'none'; script-src 'unsafe-hashes' 'sha256-{script}'; form-action {forms}; frame-ancestors 'none'; base-uri 'none'"
    );
    let mut response = (status, page.to_owned()).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

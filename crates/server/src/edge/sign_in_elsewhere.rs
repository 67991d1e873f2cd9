//! Federated enrolment with an OpenID Connect provider: the device's web view is sent there, and comes back with a code.

use std::{collections::HashMap, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, COOKIE, LOCATION, REFERRER_POLICY, SET_COOKIE},
    },
    response::{IntoResponse, Response},
};
use lanyard_mdm::discovery::sign_in::is_acceptable_appru;
use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    id::RequestId,
    text::printable,
};

use super::sign_in::{html, last_page, notice, offered, unescape};
use crate::{
    flow::device_sign_in::of_provider,
    mdm::{Mdm, addresses::CALLBACK_PATH},
    oidc::{Oidc, attempt},
    state::Server,
};

/// Binds a sign-in to the browser that began it. The prefix keeps other hosts and plain HTTP from setting it.
const COOKIE_NAME: &str = "__Host-lanyard-sign-in";
/// Longest query that is read.
const MAX_QUERY: usize = 16 * 1024;

/// Sends a device's web view to the provider.
pub(super) async fn begin(server: &Server, oidc: &Oidc, mdm: &Mdm, appru: &str, login_hint: &str) -> Response {
    let begun = match redirect_uri(mdm) {
        Some(back) => oidc.begin(&server.fleet_secret, &back, appru, login_hint, server.now()).await,
        None => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
    };
    let begun = match begun {
        Ok(begun) => begun,
        Err(error) => return refused(server, error.code(), error.to_string(), StatusCode::BAD_GATEWAY).await,
    };
    let life = attempt::LIFE.secs();
    // Lax: the provider sends the browser back from another site.
    let cookie = format!("{COOKIE_NAME}={}; Max-Age={life}; Path=/; Secure; HttpOnly; SameSite=Lax", begun.cookie.expose());
    let (Ok(location), Ok(cookie)) = (HeaderValue::from_str(&begun.location), HeaderValue::from_str(&cookie)) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = StatusCode::FOUND.into_response();
    let headers = response.headers_mut();
    headers.insert(LOCATION, location);
    headers.insert(SET_COOKIE, cookie);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// `GET /EnrollmentServer/Authentication/callback`.
pub async fn callback(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (Some(mdm), Some(oidc)) = (offered(&server), &server.oidc) else { return StatusCode::NOT_FOUND.into_response() };
    let Some(back) = redirect_uri(mdm) else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let Some(query) = request.uri().query().filter(|query| query.len() <= MAX_QUERY).and_then(fields) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let signed_in = oidc.finish(server.store.as_ref(), &server.fleet_secret, &back, &query, cookie(&request), server.now()).await;
    let signed_in = match signed_in {
        Ok(signed_in) => signed_in,
        Err(error) => return refused(&server, error.code(), error.to_string(), StatusCode::FORBIDDEN).await,
    };
    match of_provider(&server, &signed_in.user).await {
        Ok(user) if is_acceptable_appru(&signed_in.purpose) => last_page(&server, &signed_in.purpose, &user.record.name),
        Ok(_) => StatusCode::BAD_REQUEST.into_response(),
        Err(error) => refused(&server, error.code(), error.detail(), StatusCode::FORBIDDEN).await,
    }
}

fn redirect_uri(mdm: &Mdm) -> Option<String> {
    Some(format!("{}{CALLBACK_PATH}", mdm.addresses().ok()?.first))
}

/// The fields of a query; nothing when one comes twice.
fn fields(query: &str) -> Option<HashMap<String, String>> {
    let mut fields = HashMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if fields.insert(unescape(name)?, unescape(value)?).is_some() {
            return None;
        }
    }
    Some(fields)
}

fn cookie(request: &Request) -> Option<&str> {
    let all = request.headers().get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut ours = all.flat_map(|value| value.split(';')).filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == COOKIE_NAME).then_some(value)
    });
    ours.next()
}

/// Says no more than that it did not work; the audit log has the rest.
async fn refused(server: &Server, code: &'static str, detail: String, status: StatusCode) -> Response {
    let id = RequestId::generate(server.now());
    tracing::warn!(request = %id, code, %detail, "sign-in refused");
    let audit = AuditEvent {
        reason: Some(code.to_owned()),
        detail: Some(printable(&detail)),
        ..server.request_event(AuditKind::DeviceRefused, "mdm", id)
    };
    if let Err(error) = server.store.append_audit(audit).await {
        tracing::error!(%error, "a refusal cannot be audited");
    }
    html(status, &notice(&format!("The sign-in did not succeed. Its number is {id}.")), "'none'")
}

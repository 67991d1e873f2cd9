//! Who may call the administrator's interface over the network, and what: a bearer token over TLS, recognised by its keyed hash, within
//! its rate and its scope. What no line here allows is refused.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{AUTHORIZATION, CACHE_CONTROL, WWW_AUTHENTICATE},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    id::TokenId,
    secret::SecretText,
    token::{Scope, TokenRecord},
};

use super::throttle::Throttle;
use crate::{
    config::Proxies,
    edge::client_address::client_address,
    error::ServerError,
    flow::token::{Recognised, recognise},
    state::Server,
};

/// Most wrong tokens a minute from one address.
const MOST_FAILURES: u32 = 10;

/// Counts of calls and of failures.
#[derive(Debug, Default)]
pub struct Access {
    failures: Throttle<IpAddr>,
    calls: Throttle<TokenId>,
}

/// Who was let in.
#[derive(Debug, Clone)]
pub struct Caller(pub TokenRecord);

impl Caller {
    /// As audited.
    #[must_use]
    pub fn actor(&self) -> String {
        format!("token:{}", self.0.id)
    }

    /// As a person: the user whose token it is, or the token where nothing more is known.
    #[must_use]
    pub fn identity(&self) -> String {
        self.0.user.as_ref().map_or_else(|| self.actor(), |user| format!("user:{user}"))
    }
}

/// Lets in who brings a good token for what the address and method say.
pub async fn guard(State(server): State<Arc<Server>>, mut request: Request, next: Next) -> Response {
    let presented = bearer(request.headers());
    let peer = address(&request, &server.config.proxies);
    let caller = match admit(&server, presented, peer).await {
        Ok(caller) => caller,
        Err(refusal) => return refusal.into_response(),
    };
    if !permits(&caller.0.scope, request.method(), request.uri().path()) {
        let what = format!("{} {}", request.method(), request.uri().path());
        return refuse(&server, &caller, &what).await.into_response();
    }
    request.extensions_mut().insert(caller);
    let mut response = next.run(request).await;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Why somebody is not let in. Peers learn as much as the status says.
#[derive(Debug)]
pub enum Refusal {
    /// No token, or none that is good.
    Unknown,
    /// A good token for something else.
    Forbidden,
    /// Too often.
    TooOften,
    /// Ours.
    Failed(ServerError),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let error = match self {
            Self::Unknown => ServerError::Access("no API token that is good was presented"),
            Self::Forbidden => ServerError::Forbidden("the API token does not permit this"),
            Self::TooOften => ServerError::TooOften,
            Self::Failed(error) => error,
        };
        let mut response = error.into_response();
        if response.status() == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Recognises a token within the rates of address and token.
///
/// # Errors
/// [`Refusal`].
pub async fn admit(server: &Server, presented: Option<SecretText>, peer: Option<IpAddr>) -> Result<Caller, Refusal> {
    // Without an address nobody could be slowed down.
    let peer = peer.ok_or(Refusal::Unknown)?;
    if !server.access.failures.has_room(&peer, MOST_FAILURES) {
        server.telemetry.count("lanyard_http_refused_total", &[("cause", "wrong-tokens".into())]);
        return Err(Refusal::TooOften);
    }
    let failed = || {
        server.access.failures.count(peer, MOST_FAILURES);
        tracing::warn!(%peer, "a call without a good API token");
        Refusal::Unknown
    };
    let Some(text) = presented else { return Err(failed()) };
    let token = match recognise(server, &text).await.map_err(Refusal::Failed)? {
        Recognised::Good(token) => token,
        Recognised::Unknown => return Err(failed()),
        Recognised::Ended(token) => {
            let refusal = failed();
            audit(server, &Caller(token), "the token has ended or was revoked").await.map_err(Refusal::Failed)?;
            return Err(refusal);
        }
    };
    if !server.access.calls.count(token.id.clone(), token.calls_per_minute) {
        server.telemetry.count("lanyard_http_refused_total", &[("cause", "token-rate".into())]);
        return Err(Refusal::TooOften);
    }
    Ok(Caller(token))
}

/// Audits that a token was used for something it does not permit.
pub async fn refuse(server: &Server, caller: &Caller, what: &str) -> Refusal {
    match audit(server, caller, what).await {
        Ok(()) => Refusal::Forbidden,
        Err(error) => Refusal::Failed(error),
    }
}

async fn audit(server: &Server, caller: &Caller, what: &str) -> Result<(), ServerError> {
    let event = AuditEvent {
        object: Some(format!("token {}", caller.0.id)),
        detail: Some(lanyard_model::text::printable(&what.chars().take(200).collect::<String>())),
        ..server.event(AuditKind::AccessRefused, caller.actor())
    };
    Ok(server.store.append_audit(event).await?)
}

/// The token in `Authorization: Bearer …`.
fn bearer(headers: &HeaderMap) -> Option<SecretText> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| SecretText::new(token.trim().to_owned()))
}

/// The address whose failures are counted: of IPv6 the network, since whoever has one address there has 2^64.
#[must_use]
pub fn address(request: &Request, proxies: &Proxies) -> Option<IpAddr> {
    Some(match client_address(request, proxies)? {
        IpAddr::V6(one) => IpAddr::V6(Ipv6Addr::from_bits(one.to_bits() >> 64 << 64)),
        one @ IpAddr::V4(_) => one,
    })
}

/// Whether a scope permits a call, by method and path below `/api/v1`. Which challenges may be made is for the handler to say.
fn permits(scope: &Scope, method: &Method, path: &str) -> bool {
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
    let requests = path == "/requests" || path.starts_with("/requests/");
    match scope {
        Scope::Administrator => true,
        Scope::Approver => requests && matches!(*method, Method::GET | Method::POST),
        Scope::Gateway => match path {
            "/gateway/state" => *method == Method::GET,
            "/gateway/password" => *method == Method::POST,
            _ => false,
        },
        Scope::Mint { .. } => path == "/challenges" && *method == Method::POST,
    }
}

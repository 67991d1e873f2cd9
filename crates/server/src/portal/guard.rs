//! What every answer of the portal carries, and what every form must prove.

use askama::Template;
use axum::{
    extract::Request,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, LOCATION, ORIGIN, REFERRER_POLICY,
            X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
        },
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use lanyard_model::{id::RequestId, time::Timestamp};

use super::views::Notice;
use crate::error::ServerError;

/// Nothing is loaded but the one style sheet; forms go nowhere else; no page of others shows ours.
const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// Refuses forms that were not sent from a page of ours, and adds the fields to the answer.
pub async fn guard(request: Request, next: Next) -> Response {
    let mut response = if matches!(*request.method(), Method::GET | Method::HEAD) || is_from_our_page(request.headers()) {
        next.run(request).await
    } else {
        notice(
            StatusCode::FORBIDDEN,
            "This form came from another page",
            "Nothing was done. Open the portal and try again there.",
        )
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // Forms need an origin; addresses with a token in them must not travel.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Every browser that is still maintained sends `Origin` with a form, and the host it asked; a page elsewhere can forge neither. What sends
/// neither is no browser, and gets nothing either.
fn is_from_our_page(headers: &HeaderMap) -> bool {
    let field = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let elsewhere = field(&FETCH_SITE).is_some_and(|site| site != "same-origin");
    let (Some(origin), Some(host)) = (field(&ORIGIN), field(&HOST)) else { return false };
    !elsewhere && origin.strip_prefix("https://").is_some_and(|named| named.eq_ignore_ascii_case(host))
}

/// A page.
pub fn page(status: StatusCode, view: &impl Template) -> Response {
    match view.render() {
        Ok(text) => (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// A page that says one thing.
pub fn notice(status: StatusCode, title: &str, text: &str) -> Response {
    page(status, &Notice { title, text })
}

/// On to another page, by GET.
pub fn to(address: &'static str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, address)]).into_response()
}

/// Says what a person can know of an error: their own mistakes in words, ours as a number for the log.
pub fn failed(error: &ServerError, now: Timestamp) -> Response {
    match error {
        ServerError::Policy(lanyard_ra::error::RaError::OrderRefused { reason, .. }) => {
            tracing::warn!(%error, "a person's order was refused");
            notice(StatusCode::FORBIDDEN, "That is not possible", reason.sentence())
        }
        ServerError::NotFound { what, .. } => {
            notice(StatusCode::NOT_FOUND, "That is not there", &format!("There is no such {what}, or it is not yours."))
        }
        ServerError::TooOften => {
            notice(StatusCode::TOO_MANY_REQUESTS, "Too often", "You asked for many things in a short time. Wait ten minutes.")
        }
        error => {
            let id = RequestId::generate(now);
            tracing::error!(%id, error = crate::error::chain(error), "the portal failed");
            let text = format!("This is our fault. Tell your help desk this number: {id}");
            notice(StatusCode::INTERNAL_SERVER_ERROR, "That did not work", &text)
        }
    }
}

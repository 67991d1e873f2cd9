//! The gateway's own answers.

use http::{HeaderValue, Response, StatusCode, header};

use crate::{
    decide::denial::{Denial, Reason},
    proxy::body::ResponseBody,
};

/// When to come back after an outage, in seconds.
const LATER: HeaderValue = HeaderValue::from_static("30");

/// What a denial looks like to the client. The question for a password is asked only with 401.
#[must_use]
pub fn denied(denial: &Denial, challenge: Option<&HeaderValue>) -> Response<ResponseBody> {
    let text = format!("{} {}\n", denial.number(), denial.reason.sentence());
    let mut response = Response::new(ResponseBody::own(text));
    *response.status_mut() = StatusCode::from_u16(denial.reason.status()).unwrap_or(StatusCode::FORBIDDEN);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match (denial.reason.status(), challenge) {
        (401, Some(challenge)) => {
            headers.insert(header::WWW_AUTHENTICATE, challenge.clone());
        }
        (503, _) => {
            headers.insert(header::RETRY_AFTER, LATER);
        }
        _ => {}
    }
    if matches!(denial.reason, Reason::Malformed | Reason::BodyTooLarge | Reason::BodyTooSlow) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

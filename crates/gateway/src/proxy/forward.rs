//! One request that may go on: rebuilt, sent, and its answer rebuilt.

use std::net::IpAddr;

use http::{HeaderName, Request, Response, StatusCode, Uri, Version, header, uri::PathAndQuery};
use hyper::body::{Body, Incoming};

use super::{
    application::{Application, Delegation},
    body::{RequestBody, ResponseBody},
    headers, identity,
};
use crate::{
    config::file::Mode,
    decide::{
        admit::Admission,
        denial::{Denial, Reason},
    },
};

/// Where ActiveSync tells a device to go instead ([MS-ASHTTP] section 2.2.3.1.2).
const X_MS_LOCATION: HeaderName = HeaderName::from_static("x-ms-location");

/// Sends a request on.
///
/// # Errors
/// The denial for the client.
pub async fn forward(
    request: Request<Incoming>,
    application: &Application,
    admission: &Admission,
    source: IpAddr,
) -> Result<Response<ResponseBody>, Denial> {
    let malformed = |why: &str| Denial::because(Reason::Malformed, why);
    let (mut parts, body) = request.into_parts();
    if body.size_hint().lower() > application.max_body {
        return Err(Denial::of(Reason::BodyTooLarge));
    }
    let published = published(&parts.headers, &parts.uri);
    let keep_authorization = match application.mode {
        Mode::None => !is_bound_to_connection(&parts.headers),
        _ => matches!(application.delegation, Delegation::Basic) && admission.credentials,
    };
    if !headers::clean_request(&mut parts.headers, &application.reserved, keep_authorization) {
        return Err(malformed("the field Connection cannot be read"));
    }
    if parts.version == Version::HTTP_2 {
        join_cookies(&mut parts.headers);
    }
    if let Some((host, port)) = &published {
        let authority = match port {
            Some(port) => format!("{host}:{port}"),
            None => host.clone(),
        };
        parts.headers.insert(header::HOST, authority.parse().map_err(|_| malformed("the host cannot be read"))?);
    }
    identity::add(&mut parts.headers, application, admission, source)?;
    let target = application.target(parts.uri.path(), parts.uri.query()).ok_or_else(|| malformed("the path cannot be mapped"))?;
    let target: PathAndQuery = target.parse().map_err(|_| malformed("the path cannot be mapped"))?;
    let mut on = Request::new(RequestBody::none());
    *on.method_mut() = parts.method;
    *on.uri_mut() = Uri::from(target);
    *on.headers_mut() = parts.headers;
    let (body, progress) = RequestBody::new(body, application.max_body, application.idle_timeout);
    *on.body_mut() = body;
    let (response, lease) = application.back_ends.send(on, progress, application.keep_host, application.answer_timeout).await?;
    if response.status() == StatusCode::UNAUTHORIZED && is_final(application, admission) {
        // The client has done all it can; a phone would ask its owner for a password that nobody wants.
        let detail = format!("{} answers 401", lease.back_end().origin);
        return Err(Denial::because(Reason::BackEndRefused, &detail));
    }
    Ok(answer(response, lease, application, published.as_ref()))
}

/// Whether a password of the client could change nothing at the back end.
fn is_final(application: &Application, admission: &Admission) -> bool {
    match (&application.delegation, application.mode) {
        (_, Mode::None) | (Delegation::Basic, _) => false,
        (Delegation::Header(..) | Delegation::Password(_), _) => true,
        (Delegation::None, _) => admission.certificate.is_some(),
    }
}

fn answer(
    response: Response<Incoming>,
    lease: super::upstream::Lease,
    application: &Application,
    published: Option<&(String, Option<String>)>,
) -> Response<ResponseBody> {
    let (mut parts, body) = response.into_parts();
    headers::clean_response(&mut parts.headers);
    if let Some((host, port)) = published {
        for name in [header::LOCATION, header::CONTENT_LOCATION, X_MS_LOCATION] {
            if let Some(value) = parts.headers.get(&name)
                && let Some(other) = application.outside(value, host, port.as_deref(), &lease.back_end().origin)
            {
                parts.headers.insert(name, other);
            }
        }
    }
    let body = ResponseBody::back_end(body, lease, application.idle_timeout);
    let mut out = Response::new(body);
    *out.status_mut() = parts.status;
    *out.headers_mut() = parts.headers;
    if let Some(phrase) = parts.extensions.remove::<hyper::ext::ReasonPhrase>() {
        // 449, 451, 456 and 457 mean something to ActiveSync devices by their phrase too.
        out.extensions_mut().insert(phrase);
    }
    out
}

/// Whether somebody signs in for a connection instead of for a request. Connections to back ends are shared, so such a sign-in would let others in.
fn is_bound_to_connection(headers: &http::HeaderMap) -> bool {
    headers.get_all(header::AUTHORIZATION).iter().any(|value| {
        let scheme = value.as_bytes().split(|b| *b == b' ').next().unwrap_or_default();
        scheme.eq_ignore_ascii_case(b"negotiate") || scheme.eq_ignore_ascii_case(b"ntlm")
    })
}

/// Host and port that the client asked for.
fn published(headers: &http::HeaderMap, uri: &Uri) -> Option<(String, Option<String>)> {
    let authority = match uri.authority() {
        Some(authority) => authority.as_str(),
        None => headers.get(header::HOST)?.to_str().ok()?,
    };
    let authority = authority.rsplit_once('@').map_or(authority, |(_, rest)| rest);
    Some(match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            (host.to_owned(), Some(port.to_owned()))
        }
        _ => (authority.to_owned(), None),
    })
}

/// HTTP/2 lets clients split cookies (RFC 9113, section 8.2.3); HTTP/1 wants them in one.
fn join_cookies(headers: &mut http::HeaderMap) {
    let mut cookies = headers.get_all(header::COOKIE).iter();
    if cookies.next().is_some() && cookies.next().is_some() {
        let joined = headers.get_all(header::COOKIE).iter().map(http::HeaderValue::as_bytes).collect::<Vec<_>>().join(&b"; "[..]);
        if let Ok(value) = http::HeaderValue::from_bytes(&joined) {
            headers.insert(header::COOKIE, value);
        }
    }
}

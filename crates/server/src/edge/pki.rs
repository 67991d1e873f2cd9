//! CA certificates and CRLs over HTTP (RFC 5280, sections 4.2.1.13 and 4.2.2.1).

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LAST_MODIFIED},
    },
    response::{IntoResponse, Response},
};
use lanyard_model::{id::AuthorityName, time::Timestamp};
use lanyard_pki::{cms::sign::certificates_only, pem};

use crate::{error::chain, state::Server};

/// `/ca/<name>.cer|.pem|.p7b`: the certificate of an authority; `.p7b` with its chain.
pub async fn certificate(State(server): State<Arc<Server>>, Path(file): Path<String>) -> Response {
    let Some((name, form)) = file.rsplit_once('.') else { return StatusCode::NOT_FOUND.into_response() };
    let ring = server.keyring.get();
    let Some(authority) = name.parse::<AuthorityName>().ok().and_then(|name| ring.authority(&name).ok().cloned()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let der = authority.certificate().der();
    let (media_type, body) = match form {
        "cer" | "crt" | "der" => ("application/pkix-cert", der.to_vec()),
        "pem" => ("application/x-pem-file", pem::encode(pem::CERTIFICATE, der).into_bytes()),
        "p7b" | "p7c" => {
            let chain: Vec<&[u8]> = ring.chain(authority.name()).into_iter().map(|c| c.der()).collect();
            ("application/x-pkcs7-certificates", certificates_only(&chain))
        }
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    ([(CONTENT_TYPE, media_type), (CACHE_CONTROL, "public, max-age=3600")], body).into_response()
}

/// `/crl/<name>.crl`: the newest CRL of an authority.
pub async fn crl(State(server): State<Arc<Server>>, Path(file): Path<String>, headers: HeaderMap) -> Response {
    let name = file.strip_suffix(".crl").and_then(|name| name.parse::<AuthorityName>().ok());
    let Some(name) = name else { return StatusCode::NOT_FOUND.into_response() };
    let crl = match server.store.load_crl(&name).await {
        Ok(Some(crl)) => crl,
        Ok(None) => return StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            tracing::error!(code = error.code(), error = %chain(&error), "a CRL cannot be read");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let now = server.now();
    if now > crl.next_update {
        tracing::error!(authority = %name, next_update = %crl.next_update, "the CRL served has ended");
    }
    let tag = format!("\"{name}-{}\"", crl.number);
    let seconds = crl.next_update.since(now).secs().min(3600);
    let unchanged = headers.get(IF_NONE_MATCH).is_some_and(|v| v.as_bytes() == tag.as_bytes());
    let mut response = if unchanged {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, "application/pkix-crl")], crl.der).into_response()
    };
    let fields =
        [(ETAG, tag), (LAST_MODIFIED, http_date(crl.this_update)), (CACHE_CONTROL, format!("public, max-age={seconds}"))];
    for (field, value) in fields {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(field, value);
        }
    }
    response
}

/// IMF-fixdate (RFC 9110, section 5.6.7).
fn http_date(at: Timestamp) -> String {
    let seconds = u64::try_from(at.secs()).unwrap_or_default();
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds))
}

//! The page from which tools read a fresh challenge as they would from NDES (ndes-policy, sections 1.1 and 4): off unless a profile
//! has an `[ndes-page]`, over HTTPS only, for whoever brings an API token, and bound like every other challenge.

use std::sync::Arc;

use axum::{
    extract::{Query, Request, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use lanyard_model::{id::ProfileName, module::NdesPage, secret::SecretText, text::printable};
use lanyard_ra::challenge::text::as_hex;

use crate::{
    api::{
        access::{Caller, Refusal, address, admit, refuse},
        challenges::parse,
        types::Order,
    },
    error::ServerError,
    flow::challenge,
    state::Server,
};

/// The page over plain HTTP: there is none, since it would tell the challenge to everybody on the way.
pub async fn without_tls() -> Response {
    (StatusCode::FORBIDDEN, [(CONTENT_TYPE, "text/plain")], "this page is served over HTTPS only").into_response()
}

/// `/certsrv/mscep_admin/`: a fresh challenge for what the query names.
pub async fn page(State(server): State<Arc<Server>>, Query(query): Query<Vec<(String, String)>>, request: Request) -> Response {
    let (profile, page, order) = match wanted(&server, &query) {
        Ok(wanted) => wanted,
        Err(error) => return error.into_response(),
    };
    let peer = address(&request, &server.config.proxies);
    let caller = match admit(&server, basic(request.headers()), peer).await {
        Ok(caller) => caller,
        Err(refusal) => return ask_again(refusal),
    };
    if !caller.0.scope.may_mint(&profile, &page.template) {
        let what = format!("the NDES page of profile {profile}");
        return match refuse(&server, &caller, &what).await {
            Refusal::Failed(error) => error.into_response(),
            _ => html(SORRY),
        };
    }
    match fresh(&server, &page, &order, &caller).await {
        Ok(Some(challenge)) => html(&text(&server, &challenge, &page)),
        Ok(None) => html(FULL),
        Err(error) => error.into_response(),
    }
}

/// The profile's page and what the query orders; 404 where there is no page.
fn wanted(server: &Server, query: &[(String, String)]) -> Result<(ProfileName, NdesPage, Order), ServerError> {
    let mut order = Order::default();
    let mut profile = server.config.ndes_profile.to_string();
    for (name, value) in query {
        let value = value.clone();
        match name.as_str() {
            "profile" => profile = value,
            "subject" => order.subject = Some(value),
            "san" => order.san.push(value),
            "user" => order.user = Some(value),
            "device" => order.device = Some(value),
            "key" => order.key = Some(value),
            other => return Err(ServerError::Invalid(format!("the query has an unknown name '{}'", printable(other)))),
        }
    }
    let policy = server.policy();
    let found = profile.parse().ok().and_then(|name| policy.profiles.find(&name));
    let missing = || ServerError::NotFound { what: "NDES page of profile", name: printable(&profile) };
    let found = found.ok_or_else(missing)?;
    let page = found.ndes_page.clone().ok_or_else(missing)?;
    order.template = page.template.to_string();
    order.profile = Some(found.name.to_string());
    order.ttl = Some(page.password_validity.to_string());
    Ok((found.name.clone(), page, order))
}

/// Makes a challenge unless as many as the page allows are still unused, on all nodes together.
async fn fresh(server: &Server, page: &NdesPage, order: &Order, caller: &Caller) -> Result<Option<SecretText>, ServerError> {
    let (mut parsed, user, device) = parse(order)?;
    parsed.ordered_by = Some(caller.identity());
    let made = challenge::create_for_page(server, parsed, (user, device), page.password_max, &caller.actor()).await?;
    let Some(made) = made else { return Ok(None) };
    as_hex(&made.text).map(Some).ok_or_else(|| ServerError::Conflict("a challenge cannot be written in hexadecimal".into()))
}

/// The token in the password of `Authorization: Basic …`; the name counts for nothing.
fn basic(headers: &HeaderMap) -> Option<SecretText> {
    let (scheme, encoded) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (_, password) = decoded.split_once(':')?;
    Some(SecretText::new(password.to_owned()))
}

fn ask_again(refusal: Refusal) -> Response {
    let mut response = refusal.into_response();
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"SCEP\", charset=\"UTF-8\""));
    }
    response
}

// What tools look for, word for word (ndes-policy, section 1.1).
const FULL: &str = "The password cache is full.";
const SORRY: &str = "You do not have sufficient permission to enroll with SCEP.";

fn text(server: &Server, challenge: &SecretText, page: &NdesPage) -> String {
    let ring = server.keyring.get();
    let thumbprint = ring.authority(ring.issuing()).map(|a| a.certificate().fingerprint());
    let thumbprint = thumbprint.map(|digest| lanyard_model::text::hex(&digest).to_uppercase()).unwrap_or_default();
    format!(
        "The thumbprint (SHA-256) of the CA certificate is: <B> {thumbprint} </B> <P> The enrollment challenge password is: \
         <B> {} </B> <P> It can be used once and expires within {}.",
        challenge.expose(),
        page.password_validity
    )
}

/// UTF-16, little endian, with a byte order mark.
fn html(said: &str) -> Response {
    let page = format!("\u{feff}<HTML><Head><Title>SCEP</Title></Head><Body><P> {said} </P></Body></HTML>");
    let octets: Vec<u8> = page.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let fields = [(CONTENT_TYPE, "text/html; charset=utf-16le"), (CACHE_CONTROL, "no-store")];
    (StatusCode::OK, fields, octets).into_response()
}

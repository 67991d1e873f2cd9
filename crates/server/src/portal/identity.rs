//! Asking for an identity: a file with a key that the server makes, or a challenge with which the device makes its own.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{
        StatusCode,
        header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use lanyard_model::{
    id::{DeviceId, UserName},
    secret::SecretBytes,
    time::{Span, Timestamp},
};
use lanyard_pki::{
    crypto::{digest::sha256, sealing},
    pkcs12::Protection,
};
use lanyard_ra::{decide::may_order, order::ChallengeOrder};
use lanyard_store::ports::Raise;
use serde::{Deserialize, Serialize};

use super::{
    form::{Fields, MAX_FILE_FORM},
    guard,
    home::day,
    session::{self, Session},
    views,
};
use crate::{
    api::types::digest,
    delivery::apple::MEDIA_TYPE,
    error::ServerError,
    flow::{
        challenge as challenges,
        export::one_identity,
        pfx::{self, Made, MadeHere, Orderer},
    },
    state::Server,
};

const CONTEXT: &[u8] = b"lanyard-portal-file-v1";
/// How long the page's buttons give out the file.
const FILE_LIFE: Span = Span::from_secs(900);
/// Orders of one person in [`WINDOW`].
const MOST_ORDERS: i64 = 20;
const WINDOW: Span = Span::from_secs(600);

/// A file on its way through the browser: sealed, so that no server has to keep it.
#[derive(Serialize, Deserialize)]
pub(super) struct Carried {
    user: UserName,
    until: Timestamp,
    /// Whether the page was opened by a link, without a session.
    bearer: bool,
    pub(super) file: String,
}

impl Carried {
    pub(super) const fn is_for_bearer(&self) -> bool {
        self.bearer
    }
}

/// What a form orders.
struct Wanted {
    order: ChallengeOrder,
    device: Option<DeviceId>,
}

/// The session and fields of a form that was sent from a page of this session.
pub(super) async fn form(server: &Server, request: Request, most: usize) -> Result<(Session, Fields), Response> {
    let session = match session::current(server, request.headers()).await {
        Ok(Some(session)) => session,
        Ok(None) => return Err(guard::to("/portal")),
        Err(error) => return Err(guard::failed(&error, server.now())),
    };
    let fields = Fields::of_large_body(server, request, most).await;
    let fields = fields.ok_or_else(|| StatusCode::BAD_REQUEST.into_response())?;
    if session.sent(server, fields.get("token")) {
        return Ok((session, fields));
    }
    Err(guard::notice(StatusCode::FORBIDDEN, "This form is too old", "Nothing was done. Go back to the portal and try again."))
}

fn wanted(fields: &Fields) -> Option<Wanted> {
    let (template, profile) = (fields.get("template").parse().ok()?, fields.get("profile").parse().ok()?);
    let device = match fields.get("device") {
        "" => None,
        id => Some(id.parse().ok()?),
    };
    Some(Wanted { order: ChallengeOrder::of_records(template, profile), device })
}

/// Counts an order, so that nobody keeps the server busy with making keys.
async fn count(server: &Server, user: &UserName) -> Result<(), ServerError> {
    let (name, now) = (format!("portal-orders:{user}"), server.now());
    let by = WINDOW.secs() * 1000 / MOST_ORDERS;
    let empty_at = server.store.load_count(&name).await?.unwrap_or(now).max(now);
    if empty_at.0.saturating_add(by) > (now + WINDOW).0 {
        return Err(ServerError::TooOften);
    }
    Ok(server.store.raise_counts(now, vec![Raise { name, by, most: 2 * WINDOW.secs() * 1000 }]).await?)
}

/// `POST /portal/identity`: makes a key and shows the passphrase, this once.
pub async fn make(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (session, fields) = match form(&server, request, MAX_FILE_FORM).await {
        Ok(sent) => sent,
        Err(response) => return response,
    };
    let Some(Wanted { order, device }) = wanted(&fields) else { return StatusCode::BAD_REQUEST.into_response() };
    let user = session.name().clone();
    if let Err(error) = count(&server, &user).await {
        return guard::failed(&error, server.now());
    }
    let forms = [Protection::Modern, Protection::Old];
    let renews = match fields.get("renews") {
        "" => None,
        serial => match serial.parse() {
            Ok(serial) => Some(serial),
            Err(_) => return StatusCode::BAD_REQUEST.into_response(),
        },
    };
    let orderer = Orderer::Person { name: user.clone(), renews };
    let made = pfx::make(&server, order, (Some(user.clone()), device), &forms, &orderer).await;
    match made {
        Ok(Made::File(made)) => match file_view(&server, &user, *made, Some(session.token(&server))) {
            Ok(view) => guard::page(StatusCode::OK, &view),
            Err(error) => guard::failed(&error, server.now()),
        },
        Ok(Made::Refused(id)) => {
            let text = format!("The rules do not allow it. Your help desk can look up why under this number: {id}");
            guard::notice(StatusCode::FORBIDDEN, "That is not possible", &text)
        }
        Err(error) => guard::failed(&error, server.now()),
    }
}

/// The page for somebody who came by a link.
pub(super) fn bearer_view(server: &Server, user: &UserName, made: MadeHere) -> Result<views::File, ServerError> {
    file_view(server, user, made, None)
}

/// The page with the passphrase and the buttons that fetch the file.
fn file_view(server: &Server, user: &UserName, made: MadeHere, token: Option<String>) -> Result<views::File, ServerError> {
    let mut sealed =
        made.files.iter().map(|file| seal(server, user, file, token.is_none())).collect::<Result<Vec<_>, _>>()?.into_iter();
    let (modern, old) = (sealed.next().unwrap_or_default(), sealed.next().unwrap_or_default());
    let certificate = &made.certificate;
    Ok(views::File {
        subject: certificate.subject().map(|subject| subject.to_string()).unwrap_or_default(),
        until: certificate.validity().map(|(_, until)| day(until)).unwrap_or_default(),
        fingerprint: digest(&sha256(certificate.der())),
        passphrase: made.passphrase.expose().to_owned(),
        action: if token.is_some() { "/portal/file" } else { "/portal/invitation-file" },
        token: token.unwrap_or_default(),
        modern,
        old,
        history: made.history,
    })
}

fn seal(server: &Server, user: &UserName, file: &[u8], bearer: bool) -> Result<String, ServerError> {
    let carried = Carried { user: user.clone(), until: server.now() + FILE_LIFE, bearer, file: STANDARD.encode(file) };
    let plain = serde_json::to_vec(&carried).map_err(|e| ServerError::Conflict(e.to_string()))?;
    Ok(STANDARD.encode(sealing::seal(&server.portal_secret, CONTEXT, &SecretBytes::new(plain))?))
}

/// What a page carries, if it is ours and in time.
pub(super) fn open(server: &Server, text: &str) -> Option<Carried> {
    let plain = sealing::open(&server.portal_secret, CONTEXT, &STANDARD.decode(text).ok()?).ok()?;
    serde_json::from_slice::<Carried>(plain.expose()).ok().filter(|carried| server.now() < carried.until)
}

/// `POST /portal/file`: the file of a page that [`make`] showed.
pub async fn file(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (session, fields) = match form(&server, request, MAX_FILE_FORM).await {
        Ok(sent) => sent,
        Err(response) => return response,
    };
    let carried = open(&server, fields.get("file")).filter(|carried| !carried.bearer && carried.user == *session.name());
    match carried.and_then(|carried| STANDARD.decode(carried.file).ok()) {
        Some(octets) => attachment("application/x-pkcs12", "identity.p12", octets),
        None => {
            guard::notice(StatusCode::FORBIDDEN, "This file is gone", "Ask for a new identity; the old one can be reported lost.")
        }
    }
}

/// A file to be kept or installed.
pub(super) fn attachment(media_type: &'static str, name: &str, octets: Vec<u8>) -> Response {
    let shown = format!("attachment; filename=\"{name}\"");
    ([(CONTENT_TYPE, media_type), (CONTENT_DISPOSITION, &shown)], octets).into_response()
}

/// `POST /portal/challenge`: a challenge for the device itself, shown this once, or bound into a profile for Apple's devices.
pub async fn challenge(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (session, fields) = match form(&server, request, MAX_FILE_FORM).await {
        Ok(sent) => sent,
        Err(response) => return response,
    };
    let Some(Wanted { order, device }) = wanted(&fields) else { return StatusCode::BAD_REQUEST.into_response() };
    match mint(&server, session.name(), order, device).await {
        Ok(view) => guard::page(StatusCode::OK, &view),
        Err(error) => guard::failed(&error, server.now()),
    }
}

async fn fresh(
    server: &Server,
    user: &UserName,
    order: ChallengeOrder,
    device: Option<DeviceId>,
) -> Result<challenges::NewChallenge, ServerError> {
    count(server, user).await?;
    let mut order = challenges::with_records(server, order, Some(user.clone()), device).await?;
    may_order(&order, user, &server.policy())?;
    // Nobody approves an own order, whatever else they are.
    order.ordered_by = Some(format!("user:{user}"));
    challenges::create_for(server, order, &format!("portal:{user}")).await
}

async fn mint(
    server: &Server,
    user: &UserName,
    order: ChallengeOrder,
    device: Option<DeviceId>,
) -> Result<views::Challenge, ServerError> {
    let made = fresh(server, user, order, device).await?;
    let binding = &made.binding;
    Ok(views::Challenge {
        subject: binding.subject.to_string(),
        names: binding.san.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        key: binding.key.to_string(),
        url: format!("{}/scep/{}", server.config.url, binding.profile),
        challenge: made.text.expose().to_owned(),
        until: made.expires_at.to_string(),
    })
}

/// `POST /portal/apple`: a profile with which an iPhone, iPad or Mac makes its key and fetches the certificate; its challenge is made now.
pub async fn apple(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (session, fields) = match form(&server, request, MAX_FILE_FORM).await {
        Ok(sent) => sent,
        Err(response) => return response,
    };
    let Some(Wanted { order, device }) = wanted(&fields) else { return StatusCode::BAD_REQUEST.into_response() };
    let made = match fresh(&server, session.name(), order, device).await {
        Ok(made) => one_identity(&server, made),
        Err(error) => Err(error),
    };
    match made {
        Ok(profile) => attachment(MEDIA_TYPE, "identity.mobileconfig", profile),
        Err(error) => guard::failed(&error, server.now()),
    }
}

//! "My devices and certificates".

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use lanyard_model::{
    certificate::{CertificateRecord, CertificateStatus},
    time::Timestamp,
};
use lanyard_pki::crypto::digest::sha256;

use super::{
    guard,
    session::{self, Session},
    sign_in,
    views::{CertificateRow, DeviceRow, Home, OfferRow},
};
use crate::{
    api::types::digest,
    error::ServerError,
    flow::belongings::{self, Offer},
    state::Server,
};

/// `GET /portal`.
pub async fn page(State(server): State<Arc<Server>>, request: Request) -> Response {
    let shown = match session::current(&server, request.headers()).await {
        Ok(Some(session)) => view(&server, &session).await,
        Ok(None) => return sign_in::view(&server, StatusCode::OK, "", ""),
        Err(error) => Err(error),
    };
    match shown {
        Ok(view) => guard::page(StatusCode::OK, &view),
        Err(error) => guard::failed(&error, server.now()),
    }
}

async fn view<'s>(server: &'s Server, session: &Session) -> Result<Home<'s>, ServerError> {
    let own = belongings::of(server, session.name()).await?;
    let offers = belongings::offers(server, &session.user).await?;
    let now = server.now();
    let devices = own.devices.iter().map(|device| {
        let of_it = |c: &&CertificateRecord| c.device.as_ref() == Some(&device.id) && c.status(now) == CertificateStatus::Valid;
        DeviceRow {
            id: device.id.to_string(),
            name: device.name.clone().unwrap_or_else(|| device.id.to_string()),
            blocked: device.blocked,
            certificates: own.certificates.iter().filter(of_it).count(),
        }
    });
    let record = &session.user.record;
    Ok(Home {
        organization: &server.config.organization,
        person: record.display_name.clone().unwrap_or_else(|| record.name.to_string()),
        token: session.token(server),
        devices: devices.collect(),
        certificates: own.certificates.iter().map(|certificate| row(server, certificate, &offers, now)).collect(),
        offers: offers.into_iter().map(offer).collect(),
    })
}

fn offer(offer: Offer) -> OfferRow {
    let Offer { profile, template, description, file, scep } = offer;
    OfferRow { profile: profile.to_string(), template: template.to_string(), description, file, scep }
}

fn row(server: &Server, certificate: &CertificateRecord, offers: &[Offer], now: Timestamp) -> CertificateRow {
    let policy = server.policy();
    let named = certificate.template.as_ref().map(|(name, _)| name);
    let template = named.and_then(|name| policy.templates.find(name));
    // One that has a successor is renewed by renewing that: there is one living successor.
    let again = offers.iter().find(|offer| offer.file && Some(&offer.template) == named && certificate.successor.is_none());
    let status = certificate.status(now);
    CertificateRow {
        serial: certificate.serial.to_string(),
        what: template.map(|t| t.description.clone()).or(named.map(ToString::to_string)).unwrap_or_default(),
        subject: certificate.subject.to_string(),
        names: certificate.san.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        device: certificate.device.as_ref().map(ToString::to_string),
        until: day(certificate.not_after),
        status: status.to_string(),
        valid: status == CertificateStatus::Valid,
        fingerprint: certificate.der.as_deref().map(|der| digest(&sha256(der))).unwrap_or_default(),
        renew: again.map(|offer| (offer.profile.to_string(), offer.template.to_string())),
    }
}

/// The day of a moment, as people read it.
pub fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

//! Certificates.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Query, State},
    http::Extensions,
};
use lanyard_model::{
    certificate::{CertificateRecord, CertificateStatus, RevocationReason},
    serial::SerialNumber,
    time::Timestamp,
};
use lanyard_pki::{crypto::digest::sha256, pem};
use lanyard_store::ports::{CertificateFilter, CertificateSearch};
use serde::Deserialize;

use super::{
    challenges::parse,
    problem::ApiResult,
    router::actor,
    types::{Certificate, CertificatesFound, Order, Request, Revoke, Revoked, digest},
};
use crate::{
    error::ServerError,
    flow::{administrate, revoke as flow},
    state::Server,
};

/// What to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[derive(Default)]
pub struct Filter {
    status: Option<String>,
    service: bool,
    offset: u64,
    limit: u32,
}

/// What to look for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[derive(Default)]
pub struct Search {
    text: String,
    status: Option<String>,
    service: bool,
    before: Option<u64>,
    limit: u32,
}

/// `GET /certificates`.
pub async fn list(State(server): State<Arc<Server>>, Query(filter): Query<Filter>) -> ApiResult<Vec<Certificate>> {
    let now = server.now();
    let filter = CertificateFilter {
        status: status(filter.status.as_deref())?.map(|s| (s, now)),
        include_service: filter.service,
        offset: filter.offset,
        limit: filter.limit,
    };
    let found = server.store.list_certificates(filter).await?;
    Ok(Json(found.iter().map(|c| describe(c, now)).collect()))
}

/// `GET /certificates/search`: the newest that contain a text, as far as one call looks; `more` says where to go on.
pub async fn search(State(server): State<Arc<Server>>, Query(search): Query<Search>) -> ApiResult<CertificatesFound> {
    let now = server.now();
    let search = CertificateSearch {
        text: search.text,
        status: status(search.status.as_deref())?.map(|s| (s, now)),
        include_service: search.service,
        before: search.before,
        limit: search.limit,
    };
    let found = server.store.search_certificates(search).await?;
    let certificates = found.certificates.iter().map(|c| describe(c, now)).collect();
    Ok(Json(CertificatesFound { certificates, more: found.more }))
}

fn status(text: Option<&str>) -> Result<Option<CertificateStatus>, ServerError> {
    Ok(match text {
        None => None,
        Some("valid") => Some(CertificateStatus::Valid),
        Some("expired") => Some(CertificateStatus::Expired),
        Some("revoked") => Some(CertificateStatus::Revoked),
        Some("intended") => Some(CertificateStatus::Intended),
        Some(other) => {
            let known = "valid, expired, revoked, intended";
            return Err(ServerError::Invalid(format!("status '{}' is none of {known}", other.escape_debug())));
        }
    })
}

/// `GET /certificates/{serial}`.
pub async fn show(State(server): State<Arc<Server>>, Path(serial): Path<String>) -> ApiResult<Certificate> {
    let record = flow::find(&server, &read_serial(&serial)?).await?;
    let mut certificate = describe(&record, server.now());
    certificate.pem = record.der.as_deref().map(|der| pem::encode(pem::CERTIFICATE, der));
    Ok(Json(certificate))
}

/// `POST /certificates/{serial}/revoke`.
pub async fn revoke(
    State(server): State<Arc<Server>>,
    Path(serial): Path<String>,
    extensions: Extensions,
    Json(order): Json<Revoke>,
) -> ApiResult<Revoked> {
    let serial = read_serial(&serial)?;
    let reason: RevocationReason = order.reason.parse().map_err(|e| ServerError::Invalid(format!("reason: {e}")))?;
    let changed = flow::revoke(&server, &serial, reason, &actor(&extensions)).await?;
    let issuer = flow::find(&server, &serial).await?.issuer;
    let crl_number = server.store.load_crl(&issuer).await?.map(|crl| crl.number);
    Ok(Json(Revoked { serial: serial.to_string(), changed, crl_number }))
}

/// `POST /certificates`: issues to a CSR.
pub async fn issue(State(server): State<Arc<Server>>, extensions: Extensions, Json(order): Json<Order>) -> ApiResult<Request> {
    let csr = order.csr.as_deref().ok_or_else(|| ServerError::Invalid("csr: a CSR in PEM is needed".into()))?;
    let csr = pem::decode("CERTIFICATE REQUEST", csr)?;
    let (parsed, user, device) = parse(&order)?;
    let (id, _) = administrate::issue(&server, parsed, user, device, &csr, &actor(&extensions)).await?;
    super::requests::describe_by_id(&server, id).await.map(Json)
}

fn read_serial(text: &str) -> Result<SerialNumber, ServerError> {
    text.parse().map_err(|e: lanyard_model::id::IdError| ServerError::Invalid(e.to_string()))
}

/// A certificate for people and scripts.
#[must_use]
pub fn describe(record: &CertificateRecord, now: Timestamp) -> Certificate {
    Certificate {
        serial: record.serial.to_string(),
        issuer: record.issuer.to_string(),
        status: record.status(now).to_string(),
        subject: record.subject.to_string(),
        san: record.san.iter().map(ToString::to_string).collect(),
        template: record.template.as_ref().map(|(name, _)| name.to_string()),
        profile: record.profile.as_ref().map(ToString::to_string),
        user: record.user.as_ref().map(ToString::to_string),
        device: record.device.as_ref().map(ToString::to_string),
        not_before: record.not_before.to_string(),
        not_after: record.not_after.to_string(),
        revoked_at: record.revocation.map(|r| r.at.to_string()),
        revocation_reason: record.revocation.map(|r| r.reason.to_string()),
        request: record.request.to_string(),
        renews: record.predecessor.as_ref().map(ToString::to_string),
        renewed_by: record.successor.as_ref().map(ToString::to_string),
        fingerprint: record.der.as_deref().map(|der| digest(&sha256(der))),
        pem: None,
    }
}

//! Managed devices.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::{Path, Query, State},
    http::Extensions,
};
use lanyard_mdm::{
    csp::Scope,
    profile::{inventory::Place, trusted_certificate::TrustStore},
};
use lanyard_model::{
    directory::Device,
    fleet::{Enrollment, EnrollmentState, JobRecord},
    id::{JobId, UserName},
    time::Timestamp,
};
use lanyard_pki::certificate::Certificate;
use lanyard_store::ports::EnrollmentFilter;
use serde::Deserialize;

use super::{
    challenges::field,
    fleet_types::{
        BlockOrder, EnrollmentView, FleetCertificate, FleetDetails, FleetDevice, FleetJob, Given, PushOrder, RenewOrder,
        UnenrollOrder,
    },
    problem::ApiResult,
    router::actor,
};
use crate::{
    error::ServerError,
    fleet::{
        inventory::DeviceInventory,
        ledger::{Kept, Progress},
        sealed::RecordKey,
    },
    flow::{
        fleet::{self as flow, Push},
        management_plan,
    },
    state::Server,
};

/// Enrolments read at a time.
const PAGE: u32 = 1000;

/// Which devices to list.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Which {
    overdue: bool,
    user: Option<String>,
}

/// `GET /fleet`.
pub async fn list(State(server): State<Arc<Server>>, Query(which): Query<Which>) -> ApiResult<Vec<FleetDevice>> {
    let user: Option<UserName> = which.user.as_deref().map(|user| field("user", user)).transpose()?;
    let now = server.now();
    let mut newest: BTreeMap<String, Enrollment> = BTreeMap::new();
    let mut filter = EnrollmentFilter { user: user.clone(), limit: PAGE, ..EnrollmentFilter::default() };
    loop {
        let page = server.store.list_enrollments(filter.clone()).await?;
        filter.after = page.last().map(|(last, _)| last.id);
        let is_last = page.len() < PAGE as usize;
        // In order of their making: later ones take the place of earlier ones, but nothing takes that of one that lives.
        for (enrollment, _) in page {
            let known = newest.get(enrollment.device.as_str());
            let ended = enrollment.state == EnrollmentState::Ended;
            if known.is_none_or(|known| !ended || known.state == EnrollmentState::Ended) {
                newest.insert(enrollment.device.to_string(), enrollment);
            }
        }
        if is_last {
            break;
        }
    }
    let mut devices = Vec::new();
    for device in server.store.list_devices().await? {
        let enrollment = newest.remove(device.id.as_str());
        devices.push(view(&device, enrollment.as_ref(), now));
    }
    devices
        .extend(newest.into_values().map(|enrollment| view(&Device::named(enrollment.device.clone()), Some(&enrollment), now)));
    devices.retain(|device| {
        let of_user = user.as_ref().is_none_or(|user| device.user.as_deref() == Some(user.as_str()));
        of_user && (!which.overdue || device.enrollment.as_ref().is_some_and(|e| e.overdue))
    });
    devices.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Json(devices))
}

fn view(device: &Device, enrollment: Option<&Enrollment>, now: Timestamp) -> FleetDevice {
    let owner = device.user.as_ref().or(enrollment.map(|enrollment| &enrollment.user));
    FleetDevice {
        id: device.id.to_string(),
        name: device.name.clone().or_else(|| enrollment.and_then(|e| e.client_info.name.clone())),
        dns_name: device.dns_name.clone(),
        serial: device.serial.clone(),
        user: owner.map(ToString::to_string),
        blocked: device.blocked,
        enrollment: enrollment.map(|enrollment| enrollment_view(enrollment, now)),
    }
}

fn enrollment_view(enrollment: &Enrollment, now: Timestamp) -> EnrollmentView {
    let client = &enrollment.client_info;
    EnrollmentView {
        id: enrollment.id.to_string(),
        client: lanyard_model::text::printable(&enrollment.client),
        state: enrollment.state.as_str().to_owned(),
        user: enrollment.user.to_string(),
        profile: enrollment.profile.to_string(),
        maker: client.maker.clone(),
        model: client.model.clone(),
        version: client.version.clone(),
        enrolled_at: enrollment.enrolled_at.to_string(),
        seen_at: enrollment.seen_at.map(|at| at.to_string()),
        ended_at: enrollment.ended_at.map(|at| at.to_string()),
        identity: enrollment.identity.serial.to_string(),
        identity_until: enrollment.identity.not_after.to_string(),
        renews_from: enrollment.renews_from().to_string(),
        overdue: enrollment.is_overdue(now),
        renewing: enrollment.renewed.is_some(),
    }
}

/// `GET /fleet/{device}`.
pub async fn show(State(server): State<Arc<Server>>, Path(device): Path<String>) -> ApiResult<FleetDetails> {
    let now = server.now();
    let found = flow::find(&server, &device).await;
    let enrollments: Vec<Enrollment> = match found {
        Ok(found) => found.into_iter().map(|(enrollment, _)| enrollment).collect(),
        Err(ServerError::NotFound { .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    let newest = enrollments.iter().find(|e| e.state != EnrollmentState::Ended).or(enrollments.first());
    let id = newest.map(|e| e.device.clone()).or_else(|| device.parse().ok());
    let record = match &id {
        Some(id) => server.store.load_device(id).await?,
        None => None,
    };
    let (Some(id), true) = (id, record.is_some() || newest.is_some()) else {
        return Err(ServerError::NotFound { what: "device", name: lanyard_model::text::printable(&device) });
    };
    let record = record.unwrap_or_else(|| Device::named(id));
    let mut details = FleetDetails {
        device: view(&record, newest, now),
        enrollments: enrollments.iter().map(|e| enrollment_view(e, now)).collect(),
        given: Vec::new(),
        impossible: Vec::new(),
        open_jobs: 0,
        inventory_at: None,
    };
    if let Some(newest) = newest {
        let ledger = match server.store.load_session(newest.id).await? {
            Some((_, sealed)) => Kept::open(&RecordKey::of(&server.fleet_secret, newest.id), &sealed)?.ledger,
            None => Kept::default().ledger,
        };
        details.given = ledger.entries.iter().map(|(key, entry)| given(key, entry)).collect();
        if let Some(policy) = server.fleet().find(&newest.profile) {
            details.impossible = management_plan::of_device(&server, newest, policy, false).await?.impossible;
        }
        details.open_jobs = server.store.list_jobs(newest.id, true).await?.len();
        details.inventory_at = server.store.load_inventory(newest.id).await?.map(|(at, _)| at.to_string());
    }
    Ok(Json(details))
}

fn given(key: &str, entry: &crate::fleet::ledger::Entry) -> Given {
    let progress = match entry.progress {
        Progress::Open => "open",
        Progress::Done => "done",
        Progress::Failed => "failed",
        Progress::TakenBack => "taken-back",
    };
    Given {
        key: key.to_owned(),
        progress: progress.to_owned(),
        at: entry.at.to_string(),
        certificate: entry.certificate.as_ref().map(|fetched| fetched.serial.to_string()),
        until: entry.certificate.as_ref().map(|fetched| fetched.not_after.to_string()),
    }
}

/// `GET /fleet/{device}/certificates`: what the device last said it has.
pub async fn certificates(State(server): State<Arc<Server>>, Path(device): Path<String>) -> ApiResult<Vec<FleetCertificate>> {
    let enrollment = newest(&server, &device).await?;
    let Some((_, text)) = server.store.load_inventory(enrollment.id).await? else {
        return Err(ServerError::Conflict("the device has not told yet which certificates it has".into()));
    };
    let inventory: DeviceInventory =
        serde_json::from_str(&text).map_err(|e| ServerError::Conflict(format!("the inventory cannot be read: {e}")))?;
    let ring = server.keyring.get();
    let mut list = Vec::new();
    for (scope, tree) in &inventory.trees {
        for (place, _, entry) in &tree.entries {
            let decoded = entry.encoded.as_ref().and_then(|der| Certificate::decode(der).ok());
            let ours = decoded.as_ref().filter(|certificate| ring.issuer_of(certificate).is_some()).and_then(Certificate::serial);
            let subject = decoded.as_ref().and_then(|certificate| certificate.subject().ok()).map(|name| name.to_string());
            let issuer = decoded.as_ref().and_then(|certificate| certificate.issuer().ok()).map(|name| name.to_string());
            let until = decoded.as_ref().and_then(|certificate| certificate.validity().ok()).map(|(_, until)| until.to_string());
            list.push(FleetCertificate {
                tree: if *scope == Scope::Device { "device" } else { "user" }.to_owned(),
                place: place_text(place),
                thumbprint: shown(entry.thumbprint.as_ref()),
                subject: subject.or_else(|| shown(entry.issued_to.as_ref())),
                issuer: issuer.or_else(|| shown(entry.issued_by.as_ref())),
                until: until.or_else(|| shown(entry.valid_to.as_ref())),
                ours: ours.map(|serial| serial.to_string()),
                status: entry.status,
                error: entry.error,
                seen_at: tree.at.to_string(),
            });
        }
    }
    // A place that names only the thumbprint is told by whoever has the certificate itself.
    let known: Vec<FleetCertificate> = list.iter().filter(|one| one.subject.is_some()).cloned().collect();
    for one in list.iter_mut().filter(|one| one.subject.is_none() && one.thumbprint.is_some()) {
        if let Some(same) = known.iter().find(|other| other.thumbprint == one.thumbprint) {
            (one.subject, one.issuer, one.until, one.ours) =
                (same.subject.clone(), same.issuer.clone(), same.until.clone(), same.ours.clone());
        }
    }
    Ok(Json(list))
}

fn shown(text: Option<&String>) -> Option<String> {
    text.map(|text| lanyard_model::text::printable(text))
}

fn place_text(place: &Place) -> String {
    let text = match place {
        Place::Trusted(store) | Place::Store(store) => store.clone(),
        Place::Enrolment => "enrolment".to_owned(),
        Place::Scep(id) => format!("SCEP {id}"),
        Place::LegacyScep(id) => format!("MY/SCEP {id}"),
        Place::Pfx(id) => format!("PFX {id}"),
    };
    lanyard_model::text::printable(&text)
}

async fn newest(server: &Server, device: &str) -> Result<Enrollment, ServerError> {
    let found = flow::find(server, device).await?;
    let place = found.iter().position(|(enrollment, _)| enrollment.state != EnrollmentState::Ended).unwrap_or(0);
    let one = found.into_iter().nth(place).map(|(enrollment, _)| enrollment);
    one.ok_or_else(|| ServerError::NotFound { what: "enrolled device", name: lanyard_model::text::printable(device) })
}

/// `GET /fleet/{device}/jobs`, in order of their making.
pub async fn jobs(State(server): State<Arc<Server>>, Path(device): Path<String>) -> ApiResult<Vec<FleetJob>> {
    let enrollment = newest(&server, &device).await?;
    Ok(Json(server.store.list_jobs(enrollment.id, false).await?.iter().map(job_view).collect()))
}

fn job_view(job: &JobRecord) -> FleetJob {
    FleetJob {
        id: job.id.to_string(),
        enrollment: job.enrollment.to_string(),
        purpose: job.purpose.clone(),
        state: job.state.as_str().to_owned(),
        created_at: job.created_at.to_string(),
        changed_at: job.changed_at.to_string(),
        by: job.by.clone(),
        result: job.result.clone(),
    }
}

/// `POST /fleet/{device}/jobs`.
pub async fn push(
    State(server): State<Arc<Server>>,
    Path(device): Path<String>,
    extensions: Extensions,
    Json(order): Json<PushOrder>,
) -> ApiResult<Vec<FleetJob>> {
    let PushOrder { what, value } = order;
    let push = match what.as_str() {
        "root" => Push::Trust(TrustStore::Root, value),
        "intermediate" => Push::Trust(TrustStore::Ca, value),
        "remove-root" => Push::Distrust(TrustStore::Root, value),
        "remove-intermediate" => Push::Distrust(TrustStore::Ca, value),
        "wifi" => Push::Wifi(value),
        "remove-wifi" => Push::RemoveWifi(value),
        "inventory" => Push::Inventory,
        "describe" => Push::Describe,
        _ => return Err(ServerError::Invalid(format!("what: '{}' is not known", lanyard_model::text::printable(&what)))),
    };
    let jobs = flow::push(&server, &device, push, &actor(&extensions)).await?;
    Ok(Json(jobs.iter().map(job_view).collect()))
}

/// `POST /fleet/{device}/block`: how many certificates were revoked.
pub async fn block(
    State(server): State<Arc<Server>>,
    Path(device): Path<String>,
    extensions: Extensions,
    Json(order): Json<BlockOrder>,
) -> ApiResult<usize> {
    Ok(Json(flow::set_blocked(&server, &device, true, order.keep_certificates, &actor(&extensions)).await?))
}

/// `POST /fleet/{device}/unblock`.
pub async fn unblock(State(server): State<Arc<Server>>, Path(device): Path<String>, extensions: Extensions) -> ApiResult<bool> {
    flow::set_blocked(&server, &device, false, true, &actor(&extensions)).await?;
    Ok(Json(true))
}

/// `POST /fleet/{device}/unenroll`.
pub async fn unenroll(
    State(server): State<Arc<Server>>,
    Path(device): Path<String>,
    extensions: Extensions,
    Json(order): Json<UnenrollOrder>,
) -> ApiResult<EnrollmentView> {
    let enrollment = flow::unenroll(&server, &device, order.now, order.keep_certificates, &actor(&extensions)).await?;
    Ok(Json(enrollment_view(&enrollment, server.now())))
}

/// `POST /fleet/{device}/renew`: how many are renewed.
pub async fn renew(
    State(server): State<Arc<Server>>,
    Path(device): Path<String>,
    extensions: Extensions,
    Json(order): Json<RenewOrder>,
) -> ApiResult<usize> {
    let by = actor(&extensions);
    if order.identity {
        return Ok(Json(flow::renew_identity(&server, &device, &by).await?.len()));
    }
    Ok(Json(flow::renew_certificates(&server, &device, order.name.as_deref(), &by).await?))
}

/// `POST /fleet-jobs/{id}/cancel`.
pub async fn cancel(State(server): State<Arc<Server>>, Path(id): Path<String>, extensions: Extensions) -> ApiResult<FleetJob> {
    let id: JobId = field("job", &id)?;
    Ok(Json(job_view(&flow::cancel(&server, id, &actor(&extensions)).await?)))
}

//! What gateways are told: everything at first, then what changed.
//!
//! The audit log is the sequence that they follow. It has every revocation and every change of a user or device, in the order in which they became
//! true, on whichever node; what a record names is read anew and told as it is now.

use std::{collections::BTreeSet, time::Duration};

use lanyard_model::{
    audit::{AuditKind, AuditRecord},
    certificate::CertificateRecord,
    directory::{Device, User},
    gateway::StateLine,
};
use lanyard_pki::crypto::digest::sha256;
use lanyard_store::ports::CertificateSearch;

use crate::{error::ServerError, state::Server};

/// Most audit records that are looked through at once.
const RECORDS: u32 = 2000;
/// Certificates on one page of a snapshot.
const PAGE: u32 = 1000;
/// How often the log is looked at while nothing happens.
const LOOK: Duration = Duration::from_millis(100);

/// How far a snapshot has come.
#[derive(Debug, Clone, Copy)]
pub enum Progress {
    /// Users and devices come first.
    People,
    /// Then certificates, older than this one.
    Certificates(Option<u64>),
    /// Everything was told.
    Done,
}

/// The next lines of a snapshot, and how far it has come with them.
///
/// # Errors
/// Storage errors.
pub async fn snapshot(server: &Server, progress: Progress, sequence: u64) -> Result<(Vec<StateLine>, Progress), ServerError> {
    match progress {
        Progress::People => {
            let mut lines = vec![StateLine::Begin];
            lines.extend(server.store.list_users().await?.iter().map(user));
            lines.extend(server.store.list_devices().await?.iter().map(device));
            Ok((lines, Progress::Certificates(None)))
        }
        Progress::Certificates(before) => {
            let search = CertificateSearch { before, limit: PAGE, ..CertificateSearch::default() };
            let found = server.store.search_certificates(search).await?;
            let now = server.now();
            let good = found.certificates.iter().filter(|c| c.not_after >= now);
            let mut lines: Vec<StateLine> = good.filter_map(certificate).collect();
            let progress = match found.more {
                Some(more) => Progress::Certificates(Some(more)),
                None => Progress::Done,
            };
            if matches!(progress, Progress::Done) {
                lines.push(StateLine::Now { sequence });
            }
            Ok((lines, progress))
        }
        Progress::Done => Ok((Vec::new(), Progress::Done)),
    }
}

/// The place that a snapshot beginning now goes on from.
///
/// # Errors
/// Storage errors.
pub async fn place(server: &Server) -> Result<u64, ServerError> {
    Ok(server.store.audit_tip().await?.0)
}

/// What changed since a place, waiting for it as long as said. `None` when the place is not in this log, so that a snapshot is needed.
///
/// # Errors
/// Storage errors.
pub async fn changes(server: &Server, after: u64, wait: Duration) -> Result<Option<Vec<StateLine>>, ServerError> {
    let until = tokio::time::Instant::now() + wait;
    loop {
        let tip = place(server).await?;
        if tip < after {
            return Ok(None);
        }
        if tip > after {
            let records = server.store.list_audit(after, RECORDS).await?;
            let sequence = records.last().map_or(after, |record| record.sequence);
            let mut lines = tell(server, &records).await?;
            lines.push(StateLine::Now { sequence });
            return Ok(Some(lines));
        }
        if tokio::time::Instant::now() + LOOK > until {
            return Ok(Some(vec![StateLine::Now { sequence: after }]));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What records are about, as it is now, each once.
async fn tell(server: &Server, records: &[AuditRecord]) -> Result<Vec<StateLine>, ServerError> {
    let (mut serials, mut users, mut devices, mut everybody) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new(), false);
    for event in records.iter().map(|record| &record.event) {
        let Some(object) = &event.object else { continue };
        match event.kind {
            AuditKind::CertificateIssued | AuditKind::CertificateRevoked => drop(serials.insert(object)),
            _ => match object.split_once(' ') {
                Some(("user", name)) => drop(users.insert(name)),
                Some(("device", id)) => drop(devices.insert(id)),
                Some(("import", _)) => everybody = true,
                _ => {}
            },
        }
    }
    let mut lines = Vec::new();
    for serial in serials {
        let Ok(serial) = serial.parse() else { continue };
        lines.extend(server.store.find_certificates(&serial).await?.iter().filter_map(certificate));
    }
    if everybody {
        lines.extend(server.store.list_users().await?.iter().map(user));
        lines.extend(server.store.list_devices().await?.iter().map(device));
        return Ok(lines);
    }
    for name in users {
        let Ok(parsed) = name.parse() else { continue };
        let gone = || StateLine::User { name: name.to_owned(), upn: None, email: None, disabled: true, removed: true };
        lines.push(server.store.load_user(&parsed).await?.as_ref().map_or_else(gone, user));
    }
    for id in devices {
        let Ok(parsed) = id.parse() else { continue };
        let gone = || StateLine::Device { id: id.to_owned(), user: None, blocked: false, removed: true };
        lines.push(server.store.load_device(&parsed).await?.as_ref().map_or_else(gone, device));
    }
    Ok(lines)
}

/// A certificate that was signed; an intent is nobody's yet.
fn certificate(record: &CertificateRecord) -> Option<StateLine> {
    let der = record.der.as_ref()?;
    Some(StateLine::Certificate {
        fingerprint: sha256(der),
        serial: record.serial.to_string(),
        user: record.user.as_ref().map(ToString::to_string),
        device: record.device.as_ref().map(ToString::to_string),
        not_after: record.not_after,
        revoked: record.revocation.is_some(),
    })
}

fn user(user: &User) -> StateLine {
    StateLine::User {
        name: user.name.to_string(),
        upn: user.upn.clone(),
        email: user.email.clone(),
        disabled: user.disabled,
        removed: false,
    }
}

fn device(device: &Device) -> StateLine {
    StateLine::Device {
        id: device.id.to_string(),
        user: device.user.as_ref().map(ToString::to_string),
        blocked: device.blocked,
        removed: false,
    }
}

//! Certificates that a device got through its management: by SCEP with a challenge of a job of its own, or with their key.

use lanyard_mdm::{
    profile::job::Job,
    syncml::{Command, Item},
};
use lanyard_model::{
    certificate::RevocationReason, challenge::ChallengeId, fleet::Enrollment, secret::SecretText, serial::SerialNumber,
    text::unhex,
};
use lanyard_pki::pkcs12::Pkcs12;

use super::revoke::revoke;
use crate::{
    error::ServerError,
    fleet::{
        job::StoredJob,
        ledger::{Fetched, Kept, Ledger},
        policy::Loaded,
        sealed::RecordKey,
    },
    state::Server,
};

/// Renewals of one certificate that are followed.
const MOST_RENEWALS: usize = 100;

/// The certificate that the newest used challenge of a job led to.
pub(super) async fn fetched(server: &Server, job: &StoredJob) -> Result<Option<Fetched>, ServerError> {
    for id in job.challenges.iter().rev() {
        let Some(id) = unhex(id).and_then(|octets| octets.try_into().ok()).map(ChallengeId) else { continue };
        let used = server.store.load_challenge(id).await?.and_then(|challenge| challenge.used);
        let Some(used) = used else { continue };
        let request = server.store.load_request(used.request).await?;
        let Some((issuer, serial)) = request.and_then(|request| request.certificate) else { continue };
        if let Some(record) = server.store.load_certificate(&issuer, &serial).await? {
            return Ok(Some(Fetched { issuer, serial, not_after: record.not_after }));
        }
    }
    Ok(None)
}

/// The certificate in a PKCS#12 file that a job installs, if it is one of ours.
pub(super) async fn installed(server: &Server, job: &Job) -> Result<Option<Fetched>, ServerError> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let (Some(blob), Some(password)) = (value(&job.commands, "/PFXCertBlob"), value(&job.commands, "/PFXCertPassword")) else {
        return Ok(None);
    };
    let Ok(octets) = STANDARD.decode(blob) else { return Ok(None) };
    let password = SecretText::new(password.to_owned());
    let opened = tokio::task::spawn_blocking(move || Pkcs12::decode(&octets, &password).and_then(Pkcs12::into_identity)).await;
    let opened = opened.map_err(|_| ServerError::Conflict("opening a PKCS#12 file was interrupted".into()))?;
    let Ok(opened) = opened else { return Ok(None) };
    let ring = server.keyring.get();
    let (Some(issuer), Some(serial)) = (ring.issuer_of(&opened.certificate), opened.certificate.serial()) else {
        return Ok(None);
    };
    let record = server.store.load_certificate(issuer.name(), &serial).await?;
    Ok(record.map(|record| Fetched { issuer: record.issuer, serial: record.serial, not_after: record.not_after }))
}

/// The data of the item whose address ends so.
fn value<'a>(commands: &'a [Command], end: &str) -> Option<&'a str> {
    let of = |item: &'a Item| item.target_uri().filter(|uri| uri.ends_with(end)).and(item.data.as_deref());
    commands.iter().find_map(|command| match command {
        Command::Request(request) => request.items.iter().find_map(of),
        Command::Atomic(group) | Command::Sequence(group) => value(&group.commands, end),
        _ => None,
    })
}

/// The newest renewal of a certificate, by whomever it was renewed.
pub(super) async fn newest(server: &Server, of: &Fetched) -> Result<Fetched, ServerError> {
    let chain = with_renewals(server, of).await?;
    Ok(chain.into_iter().last().unwrap_or_else(|| of.clone()))
}

async fn with_renewals(server: &Server, of: &Fetched) -> Result<Vec<Fetched>, ServerError> {
    let mut found = vec![of.clone()];
    let mut next = Some(of.serial.clone());
    for _ in 0..MOST_RENEWALS {
        let Some(serial) = next.take() else { break };
        let Some(record) = server.store.load_certificate(&of.issuer, &serial).await? else { break };
        let Some(successor) = record.successor else { break };
        let Some(record) = server.store.load_certificate(&of.issuer, &successor).await?.filter(|one| one.der.is_some()) else {
            break;
        };
        found.push(Fetched { issuer: record.issuer, serial: record.serial, not_after: record.not_after });
        next = Some(successor);
    }
    Ok(found)
}

/// Serial numbers of everything that a device got: what its ledger says, and what jobs that are not over have led to. A file with a key that
/// is the same for every device is not counted: others have it too.
///
/// # Errors
/// Storage errors.
pub(super) async fn brought<'a>(
    server: &Server,
    policy: Option<&Loaded>,
    ledger: &Ledger,
    open: impl Iterator<Item = &'a StoredJob>,
) -> Result<Vec<SerialNumber>, ServerError> {
    let own = |key: &str| match key.strip_prefix("pfx/") {
        Some(name) => policy.is_some_and(|policy| policy.file.pfx.iter().any(|pfx| pfx.name == name && pfx.file.contains('{'))),
        None => key.starts_with("scep/"),
    };
    let mut known = Vec::new();
    for entry in ledger.entries.iter().filter(|(key, _)| own(key)).map(|(_, entry)| entry) {
        known.extend(entry.certificate.iter().chain(&entry.former).cloned());
    }
    for job in open {
        known.extend(fetched(server, job).await?);
    }
    let mut serials = Vec::new();
    for one in &known {
        serials.extend(with_renewals(server, one).await?.into_iter().map(|one| one.serial));
    }
    serials.sort();
    serials.dedup();
    Ok(serials)
}

/// The same for an enrolment as it is stored.
///
/// # Errors
/// Storage errors; [`ServerError::Pki`].
pub(super) async fn of_enrollment(server: &Server, enrollment: &Enrollment) -> Result<Vec<SerialNumber>, ServerError> {
    let key = RecordKey::of(&server.fleet_secret, enrollment.id);
    let kept = match server.store.load_session(enrollment.id).await? {
        Some((_, sealed)) => Kept::open(&key, &sealed)?,
        None => Kept::default(),
    };
    let mut open = Vec::new();
    for record in server.store.list_jobs(enrollment.id, true).await? {
        open.push(StoredJob::open(&key, &record)?);
    }
    brought(server, server.fleet().find(&enrollment.profile), &kept.ledger, open.iter()).await
}

/// Revokes them, those that are not revoked yet. How many.
///
/// # Errors
/// Those of revoking; what was revoked before one stays revoked.
pub(super) async fn revoke_all(
    server: &Server,
    serials: &[SerialNumber],
    reason: RevocationReason,
    by: &str,
) -> Result<usize, ServerError> {
    let mut count = 0;
    for serial in serials {
        count += usize::from(revoke(server, serial, reason, by).await?);
    }
    Ok(count)
}

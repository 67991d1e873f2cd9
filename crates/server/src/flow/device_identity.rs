//! Which managed device a certificate belongs to, and what happens when a renewed one is first used.

use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    certificate::RevocationReason,
    fleet::{Enrollment, EnrollmentState, Identity},
    serial::SerialNumber,
};
use lanyard_pki::{certificate::Certificate, crypto::digest::sha256};
use lanyard_store::ports::EnrollmentChange;

use super::{
    device_refusal::{Reason, Result, refuse, refused},
    revoke,
};
use crate::{error::ServerError, state::Server};

/// Times that a change is tried again when another message of the same device was faster.
const TRIES: usize = 4;

/// The enrolment that a certificate proves at this moment: not ended, not blocked, the certificate in force, not revoked, and one that is
/// in use or was just issued in its place. Where a device is to be unenrolled, it is still known here.
///
/// # Errors
/// [`Reason::RenewalNotOurs`] and the like; our own failures.
pub async fn proven(server: &Server, der: &[u8]) -> Result<(Enrollment, u64)> {
    let fingerprint = sha256(der);
    let found = server.store.find_enrollment_by_certificate(fingerprint).await?;
    let (enrollment, version) =
        found.ok_or_else(|| refused(Reason::RenewalNotOurs, "the certificate belongs to no managed device"))?;
    let identity = of_certificate(&enrollment, &fingerprint)?;
    let now = server.now();
    if now < identity.not_before {
        return refuse(Reason::RenewalNotYetValid, format!("certificate {} begins at {}", identity.serial, identity.not_before));
    }
    if now > identity.not_after {
        return refuse(Reason::RenewalExpired, format!("certificate {} has ended at {}", identity.serial, identity.not_after));
    }
    in_force(server, identity).await?;
    Ok((enrollment, version))
}

/// The identity of an enrolment that has this fingerprint, if it is one to believe.
///
/// # Errors
/// [`Reason::RenewalBlocked`], [`Reason::RenewalOver`], [`Reason::RenewalNotCurrent`].
pub fn of_certificate<'e>(enrollment: &'e Enrollment, fingerprint: &[u8; 32]) -> Result<&'e Identity> {
    match enrollment.state {
        EnrollmentState::Active | EnrollmentState::Leaving => {}
        EnrollmentState::Blocked => return refuse(Reason::RenewalBlocked, format!("enrolment {} is blocked", enrollment.id)),
        EnrollmentState::Ended => return refuse(Reason::RenewalOver, format!("enrolment {} is over", enrollment.id)),
    }
    let current = std::iter::once(&enrollment.identity).chain(&enrollment.renewed).find(|one| one.fingerprint == *fingerprint);
    current
        .ok_or_else(|| refused(Reason::RenewalNotCurrent, format!("enrolment {} has another certificate by now", enrollment.id)))
}

/// Refuses a revoked certificate.
///
/// # Errors
/// [`Reason::RenewalRevoked`]; our own failures.
pub async fn in_force(server: &Server, identity: &Identity) -> Result<()> {
    let record = server.store.load_certificate(&identity.issuer, &identity.serial).await?;
    match record {
        None => refuse(Reason::RenewalNotOurs, format!("certificate {} is not on record", identity.serial)),
        Some(record) => match record.revocation {
            Some(r) => {
                refuse(Reason::RenewalRevoked, format!("certificate {} was revoked at {} ({})", identity.serial, r.at, r.reason))
            }
            None => Ok(()),
        },
    }
}

/// Notes that a certificate of the enrolment was used. When it is the renewed one, it takes the place of the old one, which is retired and
/// revoked as superseded: a device that uses the new one has it for good. Returns the enrolment as it is then.
///
/// # Errors
/// Our own failures.
pub async fn identity_seen(
    server: &Server,
    enrollment: (Enrollment, u64),
    fingerprint: &[u8; 32],
) -> std::result::Result<(Enrollment, u64), ServerError> {
    let mut enrollment = enrollment;
    for _ in 0..TRIES {
        let (before, version) = &enrollment;
        let Some(renewed) = before.renewed.clone().filter(|one| one.fingerprint == *fingerprint) else { return Ok(enrollment) };
        let old = before.identity.clone();
        let after = Enrollment { identity: renewed, renewed: None, retired: Some((old.clone(), server.now())), ..before.clone() };
        let audit = AuditEvent {
            object: Some(format!("enrolment {}", after.id)),
            detail: Some(format!("certificate {} is in use; {} is retired", after.identity.serial, old.serial)),
            ..server.event(AuditKind::DeviceRenewed, "mdm")
        };
        let change = EnrollmentChange { enrollment: after.clone(), seen: Some(*version) };
        if server.store.save_enrollments(vec![change], vec![audit]).await? {
            supersede(server, &old.serial).await?;
            return Ok((after, version + 1));
        }
        let again = server.store.load_enrollment(before.id).await?;
        enrollment = again.ok_or_else(|| ServerError::NotFound { what: "enrolment", name: before.id.to_string() })?;
    }
    Err(ServerError::Conflict("an enrolment changes again and again".into()))
}

/// Revokes a certificate that another has replaced.
///
/// # Errors
/// Storage errors.
pub async fn supersede(server: &Server, serial: &SerialNumber) -> std::result::Result<(), ServerError> {
    revoke::revoke(server, serial, RevocationReason::Superseded, "mdm").await.map(|_| ())
}

/// A certificate as identity.
///
/// # Errors
/// [`ServerError::Pki`], [`ServerError::Conflict`].
pub fn identity(
    issuer: lanyard_model::id::AuthorityName,
    der: &[u8],
) -> std::result::Result<(Identity, Certificate), ServerError> {
    let certificate = Certificate::decode(der)?;
    let serial = certificate.serial().ok_or_else(|| ServerError::Conflict("a new certificate has no serial number".into()))?;
    let (not_before, not_after) = certificate.validity()?;
    let (fingerprint, key_digest) = (certificate.fingerprint(), certificate.public_key()?.digest);
    Ok((Identity { issuer, serial, fingerprint, key_digest, not_before, not_after }, certificate))
}

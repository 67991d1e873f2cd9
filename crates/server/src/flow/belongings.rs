//! What is a person's own: their devices, the certificates of both, what they may ask for, and giving all of it up when a device is lost.

use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    certificate::{CertificateRecord, CertificateStatus, RevocationReason},
    directory::{Device, User},
    enroll::Protocol,
    fleet::EnrollmentState,
    id::{DeviceId, ProfileName, TemplateName, UserName},
    serial::SerialNumber,
    template::Approval,
};

use lanyard_store::ports::EnrollmentFilter;

use super::{
    fleet,
    revoke::revoke,
    subjects::{self, Known},
};
use crate::{error::ServerError, state::Server};

/// Most certificates of a person or a device that are looked at.
const MOST: u32 = 500;

/// What is somebody's own.
#[derive(Debug, Clone, Default)]
pub struct Belongings {
    /// Devices that are theirs on record.
    pub devices: Vec<Device>,
    /// Certificates in their name or that of one of the devices, newest first.
    pub certificates: Vec<CertificateRecord>,
}

/// What somebody may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Profile.
    pub profile: ProfileName,
    /// Template.
    pub template: TemplateName,
    /// For people.
    pub description: String,
    /// Whether the server can make the key.
    pub file: bool,
    /// Whether the device can, by SCEP.
    pub scep: bool,
}

/// What is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// A device with everything on it.
    Device(DeviceId),
    /// One identity.
    Certificate(SerialNumber),
}

/// Everything of a person.
///
/// # Errors
/// Storage errors.
pub async fn of(server: &Server, user: &UserName) -> Result<Belongings, ServerError> {
    let devices = server.store.devices_of_user(user).await?;
    let mut certificates = server.store.certificates_of_user(user, MOST).await?;
    for device in &devices {
        for certificate in server.store.certificates_of_device(&device.id, MOST).await? {
            // One that is in somebody else's name is not shown for the sake of the device.
            if certificate.user.is_none() {
                certificates.push(certificate);
            }
        }
    }
    certificates.retain(|certificate| certificate.der.is_some());
    certificates.sort_by_key(|certificate| std::cmp::Reverse(certificate.not_before));
    Ok(Belongings { devices, certificates })
}

/// What a person may ask for: what profiles list for the portal whose groups they are in.
///
/// # Errors
/// Storage errors.
pub async fn offers(server: &Server, user: &Known<User>) -> Result<Vec<Offer>, ServerError> {
    let policy = server.policy();
    let mut offers = Vec::new();
    for profile in policy.profiles.iter().filter(|profile| !profile.portal.is_empty()) {
        if !profile.groups.is_empty() && subjects::groups(server, &profile.name, Some(user), None).await?.is_empty() {
            continue;
        }
        for template in profile.portal.iter().filter_map(|name| policy.templates.find(name)) {
            let allows = |protocol| template.protocols.contains(&protocol);
            // A file is not waited for; a device that asks by SCEP does wait for a person's approval.
            let file = allows(Protocol::Pfx) && template.approval == Approval::Automatic;
            let offer = Offer {
                profile: profile.name.clone(),
                template: template.name.clone(),
                description: template.description.clone(),
                file,
                scep: allows(Protocol::Scep),
            };
            offers.extend((offer.file || offer.scep).then_some(offer));
        }
    }
    Ok(offers)
}

/// Revokes what was lost: every certificate of a device, which is blocked as well, or one certificate. How many.
///
/// # Errors
/// [`ServerError::NotFound`] when it is not the person's.
pub async fn report_lost(server: &Server, user: &UserName, lost: &Lost) -> Result<usize, ServerError> {
    let by = format!("portal:{user}");
    let own = of(server, user).await?;
    let now = server.now();
    let serials: Vec<SerialNumber> = match lost {
        Lost::Device(id) => {
            if !own.devices.iter().any(|device| device.id == *id) {
                return Err(ServerError::NotFound { what: "device", name: id.to_string() });
            }
            block(server, id, &by).await?;
            let found = server.store.certificates_of_device(id, MOST).await?;
            found.into_iter().filter(|c| c.status(now) == CertificateStatus::Valid).map(|c| c.serial).collect()
        }
        Lost::Certificate(serial) => {
            if !own.certificates.iter().any(|certificate| certificate.serial == *serial) {
                return Err(ServerError::NotFound { what: "certificate", name: serial.to_string() });
            }
            vec![serial.clone()]
        }
    };
    let object = match lost {
        Lost::Device(id) => format!("device {id}"),
        Lost::Certificate(serial) => format!("certificate {serial}"),
    };
    let audit = AuditEvent { object: Some(object), ..server.event(AuditKind::ReportedLost, &by) };
    server.store.append_audit(audit).await?;
    let mut revoked = 0;
    for serial in serials {
        revoked += usize::from(revoke(server, &serial, RevocationReason::KeyCompromise, &by).await?);
    }
    Ok(revoked)
}

/// Blocks exactly this device. Its enrolment is named by id, because what a device calls itself may be another's inventory number.
async fn block(server: &Server, id: &DeviceId, by: &str) -> Result<(), ServerError> {
    let filter = EnrollmentFilter { device: Some(id.clone()), ..EnrollmentFilter::default() };
    let enrolled = server.store.list_enrollments(filter).await?;
    let living = enrolled.into_iter().find(|(enrollment, _)| enrollment.state == EnrollmentState::Active);
    if let Some((enrollment, _)) = living {
        fleet::set_blocked(server, &enrollment.id.to_string(), true, false, by).await?;
    }
    if let Some(device) = server.store.load_device(id).await?.filter(|device| !device.blocked) {
        let audit = AuditEvent {
            object: Some(format!("device {id}")),
            detail: Some("blocked".to_owned()),
            ..server.event(AuditKind::DirectoryChanged, by)
        };
        server.store.save_device(Device { blocked: true, ..device }, audit).await?;
    }
    Ok(())
}

//! A device enrols: user, quota, platform and version; then its record, its identity through the one gate, and its account.
//!
//! ```text
//! signed in → rules of [mdm.enrollment] → device on record, found or made → order → enroll::carry_out → enrolment stored
//!   (one of the same client and user ends, its certificate revoked) → provisioning document
//! ```

use lanyard_mdm::{
    provisioning::ProvisioningDocument,
    version::Version,
    wstep::{AdditionalContext, EnrollmentType},
};
use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    directory::Device,
    enroll::{EnrollRequest, Protocol, RequestSigner},
    fleet::{ClientInfo, Enrollment, EnrollmentForm, EnrollmentState, RenewSchedule},
    id::{DeviceId, EnrollmentId, RequestId, UserName},
    request::RequestContext,
    text::{hex, printable},
};
use lanyard_pki::{crypto::digest::sha256, csr::decode::decode};
use lanyard_ra::{
    decide::{Facts, decide_enrolled},
    order::ChallengeOrder,
};
use lanyard_store::ports::{EnrollmentChange, EnrollmentFilter};

use super::{
    device_document,
    device_identity::{identity, supersede},
    device_refusal::{Reason, Result, ServiceError, refuse, refused},
    device_sign_in::SignedIn,
    enroll::carry_out,
    outcome::Outcome,
    subjects,
};
use crate::{
    mdm::{
        Mdm,
        settings::{SessionCredentials, days},
        sign_in,
    },
    state::Server,
};

/// Most characters of what a device says about itself.
const MOST_TEXT: usize = 256;
/// Most enrolments of one user that are looked at.
const MOST_OF_USER: u32 = 10_000;

/// What a device sends to enrol.
pub struct Wish<'a> {
    /// Names the request in log and fault.
    pub id: RequestId,
    /// The PKCS#10.
    pub pkcs10: &'a [u8],
    /// What it tells about itself.
    pub context: &'a AdditionalContext,
    /// What is known about the message.
    pub about: &'a RequestContext,
}

/// Enrols a device.
///
/// # Errors
/// The reasons of [`Reason`]; `mdm.request` for the PKCS#10; our own failures.
pub async fn enroll(server: &Server, mdm: &Mdm, signed_in: SignedIn, wish: &Wish<'_>) -> Result<ProvisioningDocument> {
    let _at_work = server.store.callers().enter();
    let user = signed_in.user.record.name.clone();
    let client = client(wish.context)?;
    let form = match wish.context.enrollment_type {
        Some(EnrollmentType::Full) => EnrollmentForm::User,
        Some(EnrollmentType::Device) => EnrollmentForm::Device,
        None => return refuse(Reason::EnrollmentData, "EnrollmentType is missing or unknown"),
    };
    permitted(mdm, wish.context)?;
    let content = decode(wish.pkcs10, false).map_err(lanyard_mdm::error::MdmError::Request)?.content;
    let replaced = replaced(server, mdm, &user, &client, wish.context).await?;
    let device = device(server, &user, &client, wish.context).await?;
    if let Some(token) = &signed_in.token
        && !sign_in::use_up(server.store.as_ref(), token).await?
    {
        return refuse(Reason::Token, format!("the sign-in token of {user} was used before"));
    }
    let request = EnrollRequest {
        id: wish.id,
        protocol: Protocol::Wstep,
        profile: mdm.settings.profile.clone(),
        transaction: String::new(),
        message_digest: sha256(wish.pkcs10),
        renewal: false,
        strong_signature: true,
        signer_key_digest: content.key.digest,
        content,
        challenge: None,
        signer: RequestSigner::User(user.clone()),
        received_at: server.now(),
    };
    let order = order(server, mdm, &user, &device).await?;
    let facts =
        Facts { user: order.user.clone(), device: order.device.clone(), groups: order.groups.clone(), ..Facts::default() };
    let decision = decide_enrolled(&request, &order, &facts, &server.policy(), server.now());
    let (issuer, der) = match carry_out(server, &request, wish.about, decision, None).await? {
        Outcome::Issued { issuer, der } => (issuer, der),
        Outcome::Pending => return refuse(Reason::Issuance, "the request was held, for which no device waits"),
        Outcome::Refused { reason } => return Err(not_issued(&reason)),
    };
    let (identity, certificate) = identity(issuer, &der)?;
    let id = EnrollmentId::generate(server.now());
    let (credentials, client_credential) = device_document::fresh_credentials(server, id)?;
    let enrollment = Enrollment {
        id,
        client,
        device,
        user,
        form,
        authentication: signed_in.by,
        client_info: info(wish.context),
        profile: mdm.settings.profile.clone(),
        template: mdm.settings.template.clone(),
        schedule: RenewSchedule {
            period_days: mdm.settings.renew_period_of(&identity.key_digest),
            retry_days: days(mdm.settings.retry_interval),
            // A user who signs in on a web page has no password that a renewal could ask for.
            robo: mdm.settings.robo || signed_in.by != lanyard_model::fleet::EnrollmentAuthentication::Password,
        },
        state: EnrollmentState::Active,
        identity,
        renewed: None,
        retired: None,
        enrolled_at: server.now(),
        seen_at: None,
        ended_at: None,
        // The device is told some all the same, because Windows expects them; nobody asks for them then.
        credentials: (mdm.settings.session_credentials != SessionCredentials::None).then_some(credentials),
        keep_certificates: false,
    };
    let document =
        device_document::of_enrollment(server, mdm, &enrollment, &signed_in.user.record, &certificate, client_credential)?;
    save(server, &enrollment, replaced).await?;
    server.telemetry.count("lanyard_devices_enrolled_total", &[]);
    tracing::info!(request = %wish.id, enrollment = %enrollment.id, device = %enrollment.device, user = %enrollment.user, "device enrolled");
    Ok(document)
}

/// `DeviceID`, by which the client calls itself from now on.
fn client(context: &AdditionalContext) -> Result<String> {
    let sound = |id: &&String| (8..=128).contains(&id.len()) && id.bytes().all(|octet| octet.is_ascii_graphic());
    let id = context.device_id.as_ref().filter(sound);
    id.cloned().ok_or_else(|| refused(Reason::EnrollmentData, "DeviceID is missing, or not 8 to 128 printable characters"))
}

/// Kind and version of the device.
fn permitted(mdm: &Mdm, context: &AdditionalContext) -> Result<()> {
    let rules = &mdm.settings.enrollment;
    let kind = context.device_type.as_deref().unwrap_or_default();
    if !rules.device_types.is_empty() && !rules.device_types.iter().any(|allowed| allowed == kind) {
        return refuse(Reason::Platform, format!("DeviceType '{}' is not in mdm.enrollment.device-types", printable(kind)));
    }
    let least = mdm.settings.minimum_version();
    match context.os_version.as_ref().or(context.application_version.as_ref()) {
        Some(version) if *version >= least => Ok(()),
        Some(version) => refuse(Reason::Version, format!("version {version} is below {least}")),
        // Without a rule there is nothing to miss.
        None if least <= Version::of(0, 0) => Ok(()),
        None => refuse(Reason::Version, format!("the device does not tell its version, and {least} is the least")),
    }
}

/// The enrolments that the new one takes the place of. Nobody can push another user's device out.
async fn replaced(
    server: &Server,
    mdm: &Mdm,
    user: &UserName,
    client: &str,
    context: &AdditionalContext,
) -> Result<Vec<(Enrollment, u64)>> {
    let same_client = server.store.find_enrollments_by_client(client).await?;
    let mut replaced: Vec<_> = same_client.into_iter().filter(|(one, _)| one.state != EnrollmentState::Ended).collect();
    if let Some((other, _)) = replaced.iter().find(|(one, _)| one.user != *user) {
        return refuse(Reason::DeviceOfAnother, format!("the client is enrolled by {} ({})", other.user, other.id));
    }
    let filter = EnrollmentFilter { user: Some(user.clone()), limit: MOST_OF_USER, ..EnrollmentFilter::default() };
    let mut of_user = server.store.list_enrollments(filter).await?;
    of_user.retain(|(one, _)| !replaced.iter().any(|(known, _)| known.id == one.id));
    // The same hardware after its system was installed anew.
    let same = |one: &Enrollment| context.hw_dev_id.is_some() && one.client_info.hardware == context.hw_dev_id;
    let (same_hardware, others): (Vec<_>, Vec<_>) = of_user.into_iter().partition(|(one, _)| same(one));
    replaced.extend(same_hardware);
    if replaced.iter().any(|(one, _)| one.state == EnrollmentState::Blocked) {
        return refuse(Reason::DeviceBlocked, "the device's enrolment is blocked");
    }
    let limit = mdm.settings.enrollment.devices_per_user;
    if limit > 0 && others.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
        return refuse(Reason::Quota, format!("{user} has {} devices, and {limit} is the most", others.len()));
    }
    Ok(replaced)
}

/// The device on record, or a new one. Its id comes from the hardware, and is never a text that a device could choose to be taken for
/// another in the inventory.
async fn device(server: &Server, user: &UserName, client: &str, context: &AdditionalContext) -> Result<DeviceId> {
    let is_hash = |text: &&String| text.len() == 64 && text.bytes().all(|octet| octet.is_ascii_hexdigit());
    let text = match context.hw_dev_id.as_ref().filter(is_hash) {
        Some(hardware) => hardware.to_ascii_uppercase(),
        None => format!("mdm-{}", &hex(&sha256(client.as_bytes()))),
    };
    // Names of certificates have room for 64 characters.
    let text: String = text.chars().take(64).collect();
    let id: DeviceId = text.parse().map_err(|_| refused(Reason::EnrollmentData, "the device has no usable id"))?;
    if let Some(known) = subjects::device(server, &id).await? {
        let record = known.record;
        if record.blocked {
            return refuse(Reason::DeviceBlocked, format!("the device {id} is blocked"));
        }
        if let Some(owner) = record.user.as_ref().filter(|owner| *owner != user) {
            return refuse(Reason::DeviceOfAnother, format!("the device {id} is on record as {owner}'s"));
        }
        if record.user.is_some() {
            return Ok(id);
        }
        save_device(server, Device { user: Some(user.clone()), ..record }).await?;
        return Ok(id);
    }
    let made = Device {
        name: context.device_name.as_deref().map(short),
        serial: context.serial_number.as_deref().map(short),
        model: context.device_model.as_deref().map(short),
        imei: context.imei.first().map(|imei| short(imei)),
        user: Some(user.clone()),
        ..Device::named(id.clone())
    };
    save_device(server, made).await?;
    Ok(id)
}

async fn save_device(server: &Server, device: Device) -> Result<()> {
    let audit = AuditEvent {
        object: Some(format!("device {}", device.id)),
        detail: Some("enrols for management".into()),
        ..server.event(AuditKind::DirectoryChanged, "mdm")
    };
    Ok(server.store.save_device(device, audit).await?)
}

fn short(text: &str) -> String {
    printable(&text.chars().take(MOST_TEXT).collect::<String>())
}

fn info(context: &AdditionalContext) -> ClientInfo {
    let text = |value: &Option<String>| value.as_deref().map(short);
    let several = |values: &[String]| values.iter().take(16).map(|value| short(value)).collect();
    ClientInfo {
        name: text(&context.device_name),
        device_type: text(&context.device_type),
        version: context.os_version.as_ref().or(context.application_version.as_ref()).map(ToString::to_string),
        edition: context.os_edition,
        hardware: context.hw_dev_id.clone().map(|id| short(&id)),
        locale: text(&context.locale),
        maker: text(&context.manufacturer),
        model: text(&context.device_model),
        macs: several(&context.mac),
        imeis: several(&context.imei),
    }
}

/// What is permitted, from the records alone.
async fn order(server: &Server, mdm: &Mdm, user: &UserName, device: &DeviceId) -> Result<ChallengeOrder> {
    let order = ChallengeOrder::of_records(mdm.settings.template.clone(), mdm.settings.profile.clone());
    Ok(super::challenge::with_records(server, order, Some(user.clone()), Some(device.clone())).await?)
}

/// What the rules' refusal means to the device.
pub(super) fn not_issued(code: &str) -> ServiceError {
    let reason = match code {
        "ra.user-disabled" | "ra.user-unknown" => Reason::UserDisabled,
        "ra.device-blocked" => Reason::DeviceBlocked,
        "ra.not-assigned" => Reason::NotAssigned,
        "ra.renewal-expired" => Reason::RenewalExpired,
        "ra.renewal-revoked" => Reason::RenewalRevoked,
        "ra.renewal-too-early" => Reason::RenewalTooEarly,
        _ => Reason::Issuance,
    };
    refused(reason, format!("the rules refuse it: {code}"))
}

async fn save(server: &Server, enrollment: &Enrollment, replaced: Vec<(Enrollment, u64)>) -> Result<()> {
    let now = server.now();
    let mut changes = vec![EnrollmentChange { enrollment: enrollment.clone(), seen: None }];
    let mut audit = vec![AuditEvent {
        object: Some(format!("enrolment {}", enrollment.id)),
        detail: Some(format!("device {} of {}, certificate {}", enrollment.device, enrollment.user, enrollment.identity.serial)),
        ..server.event(AuditKind::DeviceEnrolled, "mdm")
    }];
    let mut superseded = Vec::new();
    for (old, version) in replaced {
        audit.push(AuditEvent {
            object: Some(format!("enrolment {}", old.id)),
            detail: Some(format!("replaced by {}", enrollment.id)),
            ..server.event(AuditKind::DeviceUnenrolled, "mdm")
        });
        superseded.push(old.identity.serial.clone());
        superseded.extend(old.renewed.as_ref().map(|renewed| renewed.serial.clone()));
        let ended = Enrollment { state: EnrollmentState::Ended, ended_at: Some(now), ..old };
        changes.push(EnrollmentChange { enrollment: ended, seen: Some(version) });
    }
    if !server.store.save_enrollments(changes, audit).await? {
        supersede(server, &enrollment.identity.serial).await?;
        return refuse(Reason::Raced, "the device's enrolment changed at the same time");
    }
    for serial in superseded {
        supersede(server, &serial).await?;
    }
    Ok(())
}

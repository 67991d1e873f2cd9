//! A managed device renews its identity: by itself over TLS with the old certificate, or with its user's password.
//!
//! Each check fails alone, with a reason of its own (the order is that of cost). The old certificate stays good until the new one was seen
//! in use, since the answer may get lost; the same key again gets the stored certificate.

use std::net::IpAddr;

use lanyard_mdm::{
    provisioning::ProvisioningDocument,
    soap::{Credential, Request},
    wstep::{AdditionalContext, RenewalRequest, UnverifiedRenewal},
};
use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    certificate::CertificateRecord,
    enroll::{EnrollRequest, Protocol, RequestSigner},
    fleet::{Enrollment, EnrollmentState, Identity},
    id::RequestId,
    request::RequestContext,
    serial::SerialNumber,
    text::printable,
    time::Span,
};
use lanyard_pki::{certificate::Certificate, cms::signed::Identifier, crypto::digest::sha256};
use lanyard_ra::{
    decide::{Facts, decide_enrolled_renewal},
    order::ChallengeOrder,
};
use lanyard_store::ports::EnrollmentChange;

use super::{
    challenge::with_records,
    device_document,
    device_enrollment::not_issued,
    device_identity::{self, identity_seen, supersede},
    device_refusal::{Reason, Result, refuse, refused},
    device_sign_in,
    enroll::carry_out,
    outcome::Outcome,
};
use crate::{mdm::Mdm, state::Server};

/// How far a device's clock may be ahead of ours when it begins to renew.
const CLOCK_TOLERANCE: Span = Span::from_days(1);

/// What a device sends to renew.
pub struct Renewal<'a> {
    /// Names the request in log and fault.
    pub id: RequestId,
    /// The whole message, for its credentials.
    pub request: &'a Request,
    /// The PKCS#7.
    pub pkcs7: &'a [u8],
    /// What it tells about itself.
    pub context: &'a AdditionalContext,
    /// What is known about the message.
    pub about: &'a RequestContext,
    /// The certificate in TLS, where the listener asks for one.
    pub tls: Option<&'a [u8]>,
    /// Where it comes from.
    pub source: Option<IpAddr>,
}

/// Renews an identity.
///
/// # Errors
/// The reasons of [`Reason`]; `mdm.renewal` and `mdm.request` for the signatures; our own failures.
pub async fn renew(server: &Server, mdm: &Mdm, renewal: &Renewal<'_>) -> Result<ProvisioningDocument> {
    let _at_work = server.store.callers().enter();
    let (request, record) = opened(server, renewal.pkcs7).await?;
    let fingerprint = request.signer.fingerprint();
    let found = server.store.find_enrollment_by_certificate(fingerprint).await?;
    let (enrollment, version) =
        found.ok_or_else(|| refused(Reason::RenewalNotOurs, format!("certificate {} is no device's identity", record.serial)))?;
    let identity = device_identity::of_certificate(&enrollment, &fingerprint)?.clone();
    if enrollment.state == EnrollmentState::Leaving {
        return refuse(Reason::RenewalOver, format!("enrolment {} is about to end", enrollment.id));
    }
    if let Some(revocation) = &record.revocation {
        return refuse(Reason::RenewalRevoked, format!("certificate {} was revoked at {}", record.serial, revocation.at));
    }
    requester(server, renewal, &enrollment, &fingerprint).await?;
    in_period(server, renewal, &enrollment, &identity)?;
    // A device that renews with the renewed certificate has it.
    let (enrollment, version) = identity_seen(server, (enrollment, version), &fingerprint).await?;
    if let Some(document) = repeated(server, mdm, &enrollment, &request).await? {
        return Ok(document);
    }
    if request.request.content.key.digest == identity.key_digest {
        tracing::warn!(request = %renewal.id, enrollment = %enrollment.id, "the device renews with the key it has");
    }
    issue(server, mdm, renewal, (enrollment, version), request, record).await
}

/// Reads the PKCS#7 and verifies it with the certificate on record.
async fn opened(server: &Server, pkcs7: &[u8]) -> Result<(RenewalRequest, CertificateRecord)> {
    let unverified = UnverifiedRenewal::decode(pkcs7)?;
    // Whatever certificate came along, the signature is verified with it first: what cannot prove its key is no renewal at all.
    let enclosed = unverified.certificate().map(|certificate| unverified.verify(certificate)).transpose()?;
    let serial = match (unverified.certificate(), unverified.signer()) {
        (Some(certificate), _) => certificate.serial(),
        (None, Identifier::IssuerAndSerial { serial, .. }) => {
            SerialNumber::from_magnitude(serial.strip_prefix(&[0]).unwrap_or(serial))
        }
        (None, Identifier::KeyIdentifier(_)) => None,
    };
    let unknown = || refused(Reason::RenewalNotOurs, "the certificate that signed is none of ours");
    let serial = serial.ok_or_else(unknown)?;
    for record in server.store.find_certificates(&serial).await? {
        let Some(certificate) = record.der.as_ref().and_then(|der| Certificate::decode(der).ok()) else { continue };
        let same = match &enclosed {
            Some(enclosed) => enclosed.signer.der() == certificate.der(),
            None => unverified.signer().names(&certificate),
        };
        if same && record.template.is_some() && server.keyring.get().issuer_of(&certificate).is_some() {
            let request = match enclosed {
                Some(request) => request,
                None => unverified.verify(&certificate)?,
            };
            return Ok((request, record));
        }
    }
    Err(unknown())
}

/// Whether the device, and the user where one is needed, are those of the enrolment.
async fn requester(server: &Server, renewal: &Renewal<'_>, enrollment: &Enrollment, fingerprint: &[u8; 32]) -> Result<()> {
    if let Some(id) = renewal.context.device_id.as_ref().filter(|id| !id.eq_ignore_ascii_case(&enrollment.client)) {
        return refuse(Reason::RenewalOtherDevice, format!("the message is of device {}", printable(id)));
    }
    let other = |name: &str| refused(Reason::RenewalOtherUser, format!("{} asks, {} enrolled", printable(name), enrollment.user));
    let credential = renewal.request.header.security.credential()?;
    match (renewal.tls, credential) {
        (Some(tls), credential) => {
            if sha256(tls) != *fingerprint {
                return refuse(Reason::RenewalOtherTls, "the certificate in TLS is another than the one that signed");
            }
            if !enrollment.schedule.robo {
                return refuse(Reason::RenewalAutomatic, "the device was told that its user renews");
            }
            if let Credential::Username(name) | Credential::Password { username: name, .. } = credential {
                let user = device_sign_in::resolve(server, name).await?;
                if user.is_none_or(|user| user.record.name != enrollment.user) {
                    return Err(other(name));
                }
            }
            Ok(())
        }
        (None, Credential::Password { username, password }) => {
            let user = device_sign_in::by_password(server, username, password, renewal.source).await?;
            if user.record.name == enrollment.user { Ok(()) } else { Err(other(username)) }
        }
        (None, _) => refuse(Reason::CredentialsMissing, "a renewal without a certificate in TLS needs the user's password"),
    }
}

/// Whether the present lies between the opening of the window that the device was told and the end of the certificate. After the end only a
/// renewal with a password goes on, to be judged by the template's renewal-grace.
fn in_period(server: &Server, renewal: &Renewal<'_>, enrollment: &Enrollment, identity: &Identity) -> Result<()> {
    let now = server.now();
    if now < identity.not_before {
        return refuse(Reason::RenewalNotYetValid, format!("certificate {} begins at {}", identity.serial, identity.not_before));
    }
    if now > identity.not_after && renewal.tls.is_some() {
        return refuse(Reason::RenewalExpired, format!("certificate {} has ended at {}", identity.serial, identity.not_after));
    }
    let from = identity.not_after - Span::from_days(i64::from(enrollment.schedule.period_days)) - CLOCK_TOLERANCE;
    if now < from {
        return refuse(Reason::RenewalTooEarly, format!("certificate {} can be renewed from {from}", identity.serial));
    }
    Ok(())
}

/// The answer to a device that did not get it the first time.
async fn repeated(
    server: &Server,
    mdm: &Mdm,
    enrollment: &Enrollment,
    request: &RenewalRequest,
) -> Result<Option<ProvisioningDocument>> {
    let same = |one: &&Identity| one.key_digest == request.request.content.key.digest;
    let Some(renewed) = enrollment.renewed.as_ref().filter(same) else { return Ok(None) };
    let record = server.store.load_certificate(&renewed.issuer, &renewed.serial).await?;
    let Some(der) = record.filter(|r| r.revocation.is_none()).and_then(|r| r.der) else { return Ok(None) };
    tracing::info!(enrollment = %enrollment.id, serial = %renewed.serial, "the same renewal again: the stored certificate answers it");
    Ok(Some(device_document::of_renewal(server, mdm, enrollment, &Certificate::decode(&der)?)?))
}

async fn issue(
    server: &Server,
    mdm: &Mdm,
    renewal: &Renewal<'_>,
    (enrollment, version): (Enrollment, u64),
    request: RenewalRequest,
    record: CertificateRecord,
) -> Result<ProvisioningDocument> {
    let template = mdm.settings.renewal_template.clone().unwrap_or_else(|| mdm.settings.template.clone());
    let order = ChallengeOrder::of_records(template.clone(), mdm.settings.profile.clone());
    let order = with_records(server, order, Some(enrollment.user.clone()), Some(enrollment.device.clone())).await?;
    let message = EnrollRequest {
        id: renewal.id,
        protocol: Protocol::Wstep,
        profile: mdm.settings.profile.clone(),
        transaction: String::new(),
        message_digest: sha256(renewal.pkcs7),
        renewal: true,
        strong_signature: true,
        content: request.request.content,
        challenge: None,
        signer: RequestSigner::Ours {
            issuer: record.issuer.clone(),
            serial: record.serial.clone(),
            digest: request.signer.fingerprint(),
        },
        signer_key_digest: record.key_digest,
        received_at: server.now(),
    };
    let facts = Facts {
        signer_certificate: Some(record),
        user: order.user.clone(),
        device: order.device.clone(),
        groups: order.groups.clone(),
        ..Facts::default()
    };
    let decision = decide_enrolled_renewal(&message, &order, &facts, &server.policy(), server.now());
    let (issuer, der) = match carry_out(server, &message, renewal.about, decision, None).await? {
        Outcome::Issued { issuer, der } => (issuer, der),
        Outcome::Pending => return refuse(Reason::Issuance, "the request was held, for which no device waits"),
        Outcome::Refused { reason } => return Err(not_issued(&reason)),
    };
    let (identity, certificate) = device_identity::identity(issuer, &der)?;
    let lost = enrollment.renewed.as_ref().map(|one| one.serial.clone());
    let after = Enrollment { renewed: Some(identity), template, ..enrollment };
    let document = device_document::of_renewal(server, mdm, &after, &certificate)?;
    save(server, renewal, after, version, lost).await?;
    Ok(document)
}

async fn save(server: &Server, renewal: &Renewal<'_>, after: Enrollment, version: u64, lost: Option<SerialNumber>) -> Result<()> {
    let serial = after.renewed.as_ref().map(|one| one.serial.clone());
    let by = if renewal.tls.is_some() { "by itself" } else { "with its user's password" };
    let audit = AuditEvent {
        object: Some(format!("enrolment {}", after.id)),
        detail: serial
            .as_ref()
            .map(|serial| format!("certificate {serial}, {by}; {} stays until it was used", after.identity.serial)),
        ..server.request_event(AuditKind::DeviceRenewed, "mdm", renewal.id)
    };
    let (id, device) = (after.id, after.device.clone());
    if !server.store.save_enrollments(vec![EnrollmentChange { enrollment: after, seen: Some(version) }], vec![audit]).await? {
        if let Some(serial) = serial {
            supersede(server, &serial).await?;
        }
        return refuse(Reason::Raced, "the device's enrolment changed at the same time");
    }
    // Of two certificates that followed the same one, only the newer lives.
    if let Some(lost) = lost {
        supersede(server, &lost).await?;
    }
    server.telemetry.count("lanyard_devices_renewed_total", &[]);
    tracing::info!(request = %renewal.id, enrollment = %id, %device, by, "identity renewed");
    Ok(())
}

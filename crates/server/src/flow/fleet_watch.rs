//! A look at all managed devices, once an hour: how many there are, who is late with its renewal, and what was left undone.

use std::collections::BTreeMap;

use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    certificate::RevocationReason,
    fleet::{Enrollment, EnrollmentState},
    time::{Span, Timestamp},
};
use lanyard_store::ports::EnrollmentFilter;

use super::{device_certificates, management::identities, revoke::revoke};
use crate::{error::ServerError, state::Server};

/// Setting with the time of the last look, so that who is late is told once, whichever node looks.
const LOOKED_AT: &str = "fleet-looked-at";
/// Time between two looks.
const EVERY: Span = Span::from_secs(3600);
/// Enrolments read at a time.
const PAGE: u32 = 1000;
/// For so long after an end it is looked whether everything that follows from it was done.
const AFTERCARE: Span = Span::from_days(3);

/// Looks, if it is time to.
///
/// # Errors
/// Storage errors. What was not done is done at the next look.
pub async fn look(server: &Server) -> Result<(), ServerError> {
    let now = server.now();
    let before = match server.store.load_setting(LOOKED_AT).await? {
        Some(octets) => String::from_utf8(octets).ok().and_then(|text| text.parse().ok()).map(Timestamp),
        None => None,
    };
    if before.is_some_and(|before| now < before + EVERY && now >= before) {
        return Ok(());
    }
    let mut counts: BTreeMap<&'static str, u64> =
        ["active", "blocked", "leaving", "ended", "overdue"].into_iter().map(|state| (state, 0)).collect();
    let mut filter = EnrollmentFilter { limit: PAGE, ..EnrollmentFilter::default() };
    loop {
        let page = server.store.list_enrollments(filter.clone()).await?;
        for (enrollment, _) in &page {
            *counts.entry(enrollment.state.as_str()).or_default() += 1;
            if enrollment.is_overdue(now) {
                *counts.entry("overdue").or_default() += 1;
                if before.is_none_or(|before| !enrollment.is_overdue(before)) {
                    tell(server, enrollment).await?;
                }
            }
            finish(server, enrollment, now).await?;
        }
        match page.last() {
            Some((last, _)) if page.len() == PAGE as usize => filter.after = Some(last.id),
            _ => break,
        }
    }
    for (state, count) in counts {
        server.telemetry.set("lanyard_mdm_devices", &[("state", state.to_owned())], count);
    }
    server.store.save_setting(LOOKED_AT, now.0.to_string().into_bytes()).await?;
    Ok(())
}

/// Who has become late since the last look.
async fn tell(server: &Server, enrollment: &Enrollment) -> Result<(), ServerError> {
    let until = enrollment.identity.not_after;
    tracing::warn!(device = %enrollment.device, user = %enrollment.user, %until, "a device has not renewed its identity");
    let audit = AuditEvent {
        object: Some(format!("device {}", enrollment.device)),
        detail: Some(format!("enrolment {}, identity ends {until}", enrollment.id)),
        ..server.event(AuditKind::DeviceOverdue, "job:fleet")
    };
    Ok(server.store.append_audit(audit).await?)
}

/// An end that was interrupted: identities that are not revoked yet.
async fn finish(server: &Server, enrollment: &Enrollment, now: Timestamp) -> Result<(), ServerError> {
    let recent = enrollment.ended_at.is_some_and(|ended| now < ended + AFTERCARE);
    if enrollment.state != EnrollmentState::Ended || !recent {
        return Ok(());
    }
    if !enrollment.keep_certificates {
        let mut left = Vec::new();
        for serial in device_certificates::of_enrollment(server, enrollment).await? {
            let found = server.store.find_certificates(&serial).await?;
            left.extend(found.into_iter().filter(|one| one.revocation.is_none() && one.der.is_some()).map(|one| one.serial));
        }
        device_certificates::revoke_all(server, &left, RevocationReason::CessationOfOperation, "job:fleet").await?;
    }
    for identity in identities(enrollment) {
        let record = server.store.load_certificate(&identity.issuer, &identity.serial).await?;
        if record.is_some_and(|record| record.revocation.is_none() && record.der.is_some()) {
            revoke(server, &identity.serial, RevocationReason::CessationOfOperation, "job:fleet").await?;
        }
    }
    Ok(())
}

//! What a device is to be told at the beginning of a session, and what is made only at the moment it is told.

use lanyard_mdm::profile::{
    job::Filling,
    management::{self, PollPlan, RenewalSettings, Schedule},
};
use lanyard_model::{
    challenge::Binding,
    fleet::{Enrollment, EnrollmentState},
    id::JobId,
    secret::SecretText,
    time::Span,
};
use lanyard_pki::crypto::random::random;
use lanyard_ra::{
    challenge::{ChallengeOrder, mint},
    pattern::Records,
};

use super::{challenge, device_certificates, management::Desk, subjects};
use crate::{
    error::{ServerError, chain},
    fleet::{
        desired::{Circumstances, Desired, desired},
        job::{ScepOrder, StoredJob, What},
        pfx,
        policy::{Loaded, Scep},
        reconcile::{Action, reconcile},
    },
    mdm::settings::{PollSettings, days, minutes},
    state::Server,
};

/// How near its end a certificate is that the device may have renewed by itself.
const NEAR: Span = Span::from_days(120);

/// Names the server on devices.
#[must_use]
pub fn provider_id(server: &Server) -> &str {
    server.config.mdm.as_ref().map_or("Lanyard", |mdm| mdm.provider_id.as_str())
}

/// What is to be done for a device whose session begins.
///
/// # Errors
/// Storage and directory errors.
pub(super) async fn actions(desk: &mut Desk<'_>) -> Result<Vec<Action>, ServerError> {
    let server = desk.server;
    if desk.enrollment.state == EnrollmentState::Leaving {
        return Ok(leave(desk, provider_id(server)));
    }
    let mut actions = re_associate(desk);
    let fleet = server.fleet();
    let Some(policy) = fleet.find(&desk.enrollment.profile) else { return Ok(actions) };
    let desired = of_device(server, &desk.enrollment, policy, desk.kept.ledger.plain_listing).await;
    let Desired { wanted, impossible } = match desired {
        Ok(desired) => desired,
        Err(error) => {
            // A directory that does not answer keeps no device from its session; what changed is told next time.
            tracing::warn!(code = error.code(), error = %chain(&error), "what a device shall have cannot be told at the moment");
            return Ok(actions);
        }
    };
    for (key, problem) in &impossible {
        tracing::warn!(device = %desk.enrollment.device, key, problem, "the device cannot have what the policy says");
    }
    let impossible: Vec<String> = impossible.into_iter().map(|(key, _)| key).collect();
    note_renewals(desk).await?;
    actions.extend(reconcile(&mut desk.kept.ledger, &wanted, &impossible, desk.now, JobId::generate(desk.now)));
    Ok(actions)
}

/// Certificates that the device renewed by itself take the place of those it fetched, so that nobody has it fetch them anew too early. Only
/// those near their end are looked up.
async fn note_renewals(desk: &mut Desk<'_>) -> Result<(), ServerError> {
    let near = desk.now + NEAR;
    for entry in desk.kept.ledger.entries.values_mut() {
        if let Some(known) = entry.certificate.as_ref().filter(|known| known.not_after <= near) {
            let newest = device_certificates::newest(desk.server, known).await?;
            entry.certificate = Some(newest);
        }
    }
    Ok(())
}

/// After a renewal the device is asked once what it can show of the identity before.
fn re_associate(desk: &mut Desk<'_>) -> Vec<Action> {
    let retired = desk.enrollment.retired.as_ref().map(|(identity, _)| identity.serial.clone());
    if retired.is_none() || retired == desk.kept.ledger.asked_after {
        return Vec::new();
    }
    desk.kept.ledger.asked_after = retired;
    let job = Box::new(StoredJob::new(management::query_renewal(provider_id(desk.server)), What::ReAssociation));
    vec![Action::Queue { key: None, purpose: "what the device shows of its renewal".into(), job }]
}

/// Only the goodbye: whatever else waits is taken back.
fn leave(desk: &Desk<'_>, provider_id: &str) -> Vec<Action> {
    let is_goodbye = |what: &What| *what == What::Unenroll;
    let others = desk.queue.iter().filter(|job| !is_goodbye(&job.stored.what));
    let mut actions: Vec<Action> = others.map(|job| Action::Cancel(job.record.id)).collect();
    if !desk.queue.iter().any(|job| is_goodbye(&job.stored.what)) {
        let job = Box::new(StoredJob::new(management::unenroll(provider_id), What::Unenroll));
        actions.push(Action::Queue { key: None, purpose: "leave the management".into(), job });
    }
    actions
}

/// What a device shall have.
///
/// # Errors
/// Storage and directory errors.
pub async fn of_device(
    server: &Server,
    enrollment: &Enrollment,
    policy: &Loaded,
    plain_listing: bool,
) -> Result<Desired, ServerError> {
    let user = subjects::user(server, &enrollment.user).await?.map(|known| known.record);
    let device = subjects::device(server, &enrollment.device).await?.map(|known| known.record);
    let mut bindings = Vec::new();
    for scep in &policy.file.scep {
        bindings.push(binding(server, enrollment, scep).await);
    }
    let ring = server.keyring.get();
    let roots: Vec<&[u8]> = ring.roots().iter().map(|root| root.der()).collect();
    let mut issuing: Vec<_> = ring.authorities().filter(|a| !a.certificate().is_self_issued()).collect();
    issuing.sort_by_key(|authority| authority.name().clone());
    let records = Records { organization: &server.config.organization, user: user.as_ref(), device: device.as_ref() };
    let files = policy.file.pfx.iter().map(|pfx| pfx::of_device(pfx, server.installation.dir(), &records)).collect();
    let circumstances = Circumstances {
        roots,
        issuing: issuing.iter().map(|authority| authority.certificate().der()).collect(),
        url: &server.config.url,
        provider_id: provider_id(server),
        organization: &server.config.organization,
        user: user.as_ref(),
        device: device.as_ref(),
        plain_listing,
        bindings,
        files,
        enrolled_poll: server.config.mdm.as_ref().map(|mdm| enrolled_poll(&mdm.poll)),
        enrolled_renewal: enrolled_renewal(server, enrollment),
    };
    Ok(desired(policy, &circumstances))
}

/// When devices call that no policy tells otherwise.
fn enrolled_poll(settings: &PollSettings) -> PollPlan {
    let schedule = |count, interval| Schedule { count, interval: minutes(interval) };
    PollPlan {
        first: schedule(settings.first_sessions, settings.first_interval),
        second: schedule(settings.second_sessions, settings.second_interval),
        remaining: schedule(0, settings.interval),
        on_login: true,
    }
}

/// How a device renews that no policy tells otherwise.
fn enrolled_renewal(server: &Server, enrollment: &Enrollment) -> RenewalSettings {
    let (period, retry) = match &server.config.mdm {
        Some(mdm) => (mdm.renew_period_of(&enrollment.identity.key_digest), days(mdm.retry_interval)),
        None => (enrollment.schedule.period_days, enrollment.schedule.retry_days),
    };
    RenewalSettings { renew_period: period, retry_interval: retry, robo: None, server_url: None }
}

/// What a challenge would bind for this device, and the authority that would issue.
async fn binding(server: &Server, enrollment: &Enrollment, scep: &Scep) -> Result<(Binding, Vec<u8>), String> {
    let order = ScepOrder {
        profile: scep.profile.clone(),
        template: scep.template.clone(),
        key: scep.key,
        subject: String::new(),
        san: Vec::new(),
    };
    let tried = async {
        let order = with_records(server, enrollment, &order).await?;
        // Only to learn the names: this challenge is never stored and thus never good.
        let minted = mint(&order, &server.policy(), &server.challenge_keys, random()?, server.now())?;
        serde_json::from_slice(&minted.record.binding).map_err(|e| ServerError::Conflict(e.to_string()))
    };
    let binding: Binding = tried.await.map_err(|error: ServerError| chain(&error))?;
    let policy = server.policy();
    let template = policy.templates.find(&binding.template).ok_or("the template is gone")?;
    let ring = server.keyring.get();
    let issuer = ring.authority(&template.issuing_ca).map_err(|error| chain(&error))?;
    Ok((binding, issuer.certificate().der().to_vec()))
}

async fn with_records(server: &Server, enrollment: &Enrollment, order: &ScepOrder) -> Result<ChallengeOrder, ServerError> {
    let bare = ChallengeOrder::of_records(order.template.clone(), order.profile.clone());
    let order = ChallengeOrder { key: Some(order.key), ..bare };
    let (user, device) = (enrollment.user.clone(), enrollment.device.clone());
    challenge::with_records(server, order, Some(user), Some(device)).await
}

/// Makes what a job wants at the moment it is sent: a challenge's id and its text.
///
/// # Errors
/// [`ServerError::Policy`] when the rules refuse it, [`ServerError::Conflict`] when the names on record have changed since the job was made.
pub(super) async fn fill(
    server: &Server,
    enrollment: &Enrollment,
    job: &StoredJob,
    what: Filling,
) -> Result<(String, SecretText), ServerError> {
    let (Filling::ScepChallenge, What::Scep(order)) = (what, &job.what) else {
        return Err(ServerError::Conflict("nothing is known that could be filled in".into()));
    };
    let full = with_records(server, enrollment, order).await?;
    let made = challenge::create_for(server, full, "mdm").await?;
    let san: Vec<String> = made.binding.san.iter().map(ToString::to_string).collect();
    if made.binding.subject.to_string() != order.subject || san != order.san {
        // The challenge just made ends unused; the next session makes the job anew.
        return Err(ServerError::Conflict("the names on record have changed since the job was made".into()));
    }
    Ok((made.id, made.text))
}

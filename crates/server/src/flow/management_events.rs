//! What a message has led to, written into the records.

use std::collections::BTreeMap;

use lanyard_mdm::{
    profile::job::{Expect, Job, JobId as QueueId, Proof},
    session::server::{Event, Failure, JobState as QueueState},
    syncml::Item,
};
use lanyard_model::{
    audit::{AuditEvent, AuditKind},
    fleet::{EnrollmentState, JobState},
    serial::SerialNumber,
    text::printable,
};

use super::{device_certificates, management::Desk, re_association};
use crate::{
    error::ServerError,
    fleet::{
        inventory::DeviceInventory,
        job::{What, word},
        ledger::Progress,
    },
};

/// Most characters of what a device answered that are kept for people.
const MAX_RESULT: usize = 600;

/// What has to be done besides the records.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// The inventory, if it changed.
    pub(super) inventory: Option<DeviceInventory>,
    /// The device has left: its identity is to be revoked.
    pub(super) left: bool,
    /// What it got through the management, to be revoked as well.
    pub(super) brought: Vec<SerialNumber>,
    /// What the device showed after its renewal contradicts it.
    renewal_contradicted: Option<String>,
    /// Counters to raise.
    pub(super) counts: Vec<(&'static str, Vec<(&'static str, String)>)>,
}

impl Effects {
    /// Writes events into the records of a desk.
    ///
    /// # Errors
    /// Storage errors.
    pub(super) async fn of(desk: &mut Desk<'_>, events: Vec<Event>) -> Result<Self, ServerError> {
        let mut effects = Self::default();
        for event in events {
            effects.read(desk, event).await?;
        }
        Ok(effects)
    }

    async fn read(&mut self, desk: &mut Desk<'_>, event: Event) -> Result<(), ServerError> {
        match event {
            Event::Started { resumed, .. } => self.count("lanyard_mdm_sessions_total", "resumed", resumed.to_string()),
            Event::NotThisDevice { claimed } => {
                let detail = format!("it says it is {}", printable(&claimed.chars().take(80).collect::<String>()));
                refused(desk, "mdm.other-device", detail);
            }
            Event::CredentialsRefused { failures, ended: true } => {
                refused(desk, "mdm.session-credentials", format!("{failures} times in one session"));
            }
            Event::NextNonce(nonce) => {
                if let Some(credentials) = &mut desk.enrollment.credentials {
                    credentials.nonce = nonce;
                    desk.changed = true;
                }
            }
            Event::DevInfo(info) => dev_info(desk, &info),
            Event::Unenrolled { by_server } => self.unenrolled(desk, by_server).await?,
            Event::Results { id, items } => self.results(desk, &id, &items).await?,
            Event::Job { id, state, sent } => self.job(desk, &id, state, sent).await?,
            Event::Ended { aborted } => self.count("lanyard_mdm_sessions_ended_total", "aborted", aborted.to_string()),
            Event::Refused { code } => {
                tracing::warn!(device = %desk.enrollment.device, code, "the device refuses our message");
            }
            Event::Alert { code, kind, .. } => {
                tracing::info!(device = %desk.enrollment.device, code, kind = %printable(&kind), "an alert");
            }
            Event::CredentialsRefused { .. } | Event::CredentialsAccepted | Event::Login(_) | Event::ScepResult { .. } => {}
        }
        Ok(())
    }

    fn count(&mut self, name: &'static str, label: &'static str, value: String) {
        self.counts.push((name, vec![(label, value)]));
    }

    /// The end of an enrolment: nothing waits any more, and nothing is proved by its identities.
    async fn unenrolled(&mut self, desk: &mut Desk<'_>, by_server: bool) -> Result<(), ServerError> {
        if !desk.enrollment.keep_certificates {
            let policy = desk.server.fleet();
            let policy = policy.find(&desk.enrollment.profile);
            let open = desk.queue.iter().map(|job| &job.stored);
            self.brought = device_certificates::brought(desk.server, policy, &desk.kept.ledger, open).await?;
        }
        desk.enrollment.state = EnrollmentState::Ended;
        desk.enrollment.ended_at = Some(desk.now);
        desk.changed = true;
        self.left = true;
        self.count("lanyard_mdm_unenrolled_total", "by", if by_server { "server" } else { "device" }.to_owned());
        for job in desk.queue.iter_mut().filter(|job| !job.record.state.is_over() && job.stored.what != What::Unenroll) {
            job.record.state = JobState::Cancelled;
            job.record.changed_at = desk.now;
            job.record.body = Vec::new();
            job.record.result = Some("the device has left".to_owned());
            desk.dirty.push(job.record.id);
        }
        let audit = AuditEvent {
            object: Some(format!("device {}", desk.enrollment.device)),
            detail: Some(format!("enrolment {}, {}", desk.enrollment.id, if by_server { "as told" } else { "by its user" })),
            ..desk.server.event(AuditKind::DeviceUnenrolled, "mdm")
        };
        desk.audit.push(audit);
        Ok(())
    }

    /// What Gets have found: for people, and the inventory.
    async fn results(&mut self, desk: &mut Desk<'_>, id: &QueueId, items: &[Item]) -> Result<(), ServerError> {
        let Some(job) = desk.queue.iter_mut().find(|job| job.record.id.to_string() == id.0) else { return Ok(()) };
        desk.dirty.push(job.record.id);
        if let What::Inventory(scope) = job.stored.what {
            let id = job.record.id;
            let inventory = self.inventory(desk).await?;
            inventory.add(scope, id, items, desk.now);
            return Ok(());
        }
        if job.stored.what == What::ReAssociation && self.renewal_contradicted.is_none() {
            self.renewal_contradicted = re_association::contradiction(desk.server, &desk.enrollment, items, desk.now).await?;
        }
        let Some(job) = desk.queue.iter_mut().find(|job| job.record.id.to_string() == id.0) else { return Ok(()) };
        let shown = items.iter().filter_map(|item| {
            let name = item.source_uri()?.rsplit('/').next()?;
            Some(format!("{name}={}", item.trimmed()))
        });
        let text = shown.collect::<Vec<_>>().join("; ");
        job.record.result = Some(printable(&text.chars().take(MAX_RESULT).collect::<String>()));
        Ok(())
    }

    async fn inventory(&mut self, desk: &Desk<'_>) -> Result<&mut DeviceInventory, ServerError> {
        if self.inventory.is_none() {
            let stored = desk.server.store.load_inventory(desk.enrollment.id).await?;
            // One that an older version wrote otherwise is told anew by the device.
            let read = stored.and_then(|(_, text)| serde_json::from_str(&text).ok());
            self.inventory = Some(read.unwrap_or_default());
        }
        Ok(self.inventory.get_or_insert_default())
    }

    async fn job(&mut self, desk: &mut Desk<'_>, id: &QueueId, state: QueueState, sent: bool) -> Result<(), ServerError> {
        let place = desk.queue.iter().position(|job| job.record.id.to_string() == id.0);
        let Some(place) = place else { return Ok(()) };
        let Some(job) = desk.queue.get_mut(place) else { return Ok(()) };
        let number = job.record.id;
        let contradicted = self.renewal_contradicted.take_if(|_| job.stored.what == What::ReAssociation && state.is_over());
        let state = match &contradicted {
            Some(detail) => QueueState::Failed { why: Failure::NotShown, code: 200, detail: detail.clone() },
            None => state,
        };
        job.stored.attempts = job.stored.attempts.saturating_add(u32::from(sent));
        job.stored.state = state.clone();
        job.record.state = word(&state);
        desk.dirty.push(number);
        if !state.is_over() {
            return Ok(());
        }
        if let Some(detail) = contradicted {
            // Somebody has the new identity who did not have the old one: nothing more until a person has looked.
            desk.enrollment.state = EnrollmentState::Blocked;
            desk.changed = true;
            refused(desk, "mdm.renewal-not-shown", detail);
        }
        let Some(job) = desk.queue.get_mut(place) else { return Ok(()) };
        let what = job.stored.what.clone();
        let mut reason = None;
        if let QueueState::Failed { why, code, detail } = &state {
            reason = Some(why.code());
            let shown = job.record.result.take().map(|shown| format!("; {shown}")).unwrap_or_default();
            job.record.result = Some(printable(&format!("{} (status {code}) {detail}{shown}", why.code())));
        }
        let certificate = match (&what, &state) {
            (What::Scep(_), QueueState::Verified) => match desk.queue.get(place) {
                Some(job) => device_certificates::fetched(desk.server, &job.stored).await?,
                None => None,
            },
            (What::Setting, QueueState::Verified) => match desk.queue.get(place) {
                Some(job) => device_certificates::installed(desk.server, &job.stored.job).await?,
                None => None,
            },
            (What::Inventory(scope), QueueState::Verified) => {
                let scope = *scope;
                let nothing = self.inventory(desk).await?.is_empty_for(scope, number);
                if nothing && scope == lanyard_mdm::csp::Scope::Device {
                    // Every device has some certificate; one that shows none does not know how to list them all at once.
                    desk.kept.ledger.plain_listing = true;
                }
                None
            }
            _ => None,
        };
        if state == QueueState::Verified
            && let Some((period, retry)) = desk.queue.get(place).and_then(|job| renewal_settings(&job.stored.job))
        {
            // Renewals are judged by what the device has shown to be its schedule.
            desk.enrollment.schedule.period_days = period;
            desk.enrollment.schedule.retry_days = retry;
            desk.changed = true;
        }
        let entry = desk.kept.ledger.entries.values_mut().find(|entry| entry.job == number);
        if let Some(entry) = entry {
            entry.at = desk.now;
            if state == QueueState::Verified {
                entry.progress = Progress::Done;
                entry.failures = 0;
                entry.certificate = certificate;
            } else {
                entry.progress = Progress::Failed;
                entry.failures = entry.failures.saturating_add(1);
            }
        }
        let end = if state == QueueState::Verified { "verified" } else { "failed" };
        self.count("lanyard_mdm_jobs_total", "end", end.to_owned());
        let Some(job) = desk.queue.get(place) else { return Ok(()) };
        let audit = AuditEvent {
            object: Some(format!("device {}", desk.enrollment.device)),
            reason: reason.map(str::to_owned),
            detail: Some(format!("{end}: {}, job {number}", job.record.purpose)),
            ..desk.server.event(AuditKind::JobEnded, "mdm")
        };
        desk.audit.push(audit);
        Ok(())
    }
}

/// `RenewPeriod` and `RetryInterval`, in days, if a job sets them.
fn renewal_settings(job: &Job) -> Option<(u32, u32)> {
    let Proof::Get(expected) = &job.proof else { return None };
    let value = |name: &str| {
        let found = expected.iter().find(|one| one.uri.ends_with(&format!("/WSTEP/Renew/{name}")))?;
        if let Expect::Value(value) = &found.expect { value.parse().ok() } else { None }
    };
    Some((value("RenewPeriod")?, value("RetryInterval")?))
}

fn refused(desk: &mut Desk<'_>, reason: &str, detail: String) {
    let audit = AuditEvent {
        object: Some(format!("device {}", desk.enrollment.device)),
        reason: Some(reason.to_owned()),
        detail: Some(detail),
        ..desk.server.event(AuditKind::DeviceRefused, "mdm")
    };
    desk.audit.push(audit);
}

/// What the device says about itself, as far as it is shown to people.
fn dev_info(desk: &mut Desk<'_>, info: &[(String, String)]) {
    let told: BTreeMap<&str, &str> = info.iter().map(|(node, value)| (node.as_str(), value.as_str())).collect();
    let value = |node: &str| told.get(node).map(|text| printable(&text.chars().take(200).collect::<String>()));
    let before = desk.enrollment.client_info.clone();
    let client = &mut desk.enrollment.client_info;
    client.maker = value("./DevInfo/Man").or_else(|| client.maker.take());
    client.model = value("./DevInfo/Mod").or_else(|| client.model.take());
    client.locale = value("./DevInfo/Lang").or_else(|| client.locale.take());
    let hardware = value("./Vendor/MSFT/DMClient/HWDevID").or_else(|| value("./Device/Vendor/MSFT/DMClient/HWDevID"));
    client.hardware = hardware.or_else(|| client.hardware.take());
    desk.changed |= *client != before;
}

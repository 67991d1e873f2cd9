//! Managed devices: enrolments, sessions, jobs, inventories, and passwords of local users.

use async_trait::async_trait;
use futures_util::FutureExt;
use lanyard_model::{
    audit::AuditEvent,
    fleet::{Enrollment, JobRecord},
    id::{EnrollmentId, JobId, UserName},
    time::Timestamp,
};

use super::{
    connection::Flush,
    database::Database,
    tx::{Applied, Tx},
    value::{Row, Value, args},
};
use crate::{
    ports::{EnrollmentChange, EnrollmentFilter, FleetStore, Result, SessionStep},
    rows,
};

const ADD: &str = "INSERT INTO enrollments (id, client, device, user_name, state, renews_from, version, body) \
    VALUES ($1, $2, $3, $4, $5, $6, 1, $7) ON CONFLICT (id) DO NOTHING";
const CHANGE: &str = "UPDATE enrollments SET client = $2, device = $3, user_name = $4, state = $5, renews_from = $6, body = $7, \
    version = version + 1 WHERE id = $1 AND version = $8";
const PROVE: &str =
    "INSERT INTO enrollment_certificates (fingerprint, enrollment) VALUES ($1, $2) ON CONFLICT (fingerprint) DO NOTHING";
pub(crate) const LOAD: &str = "SELECT version, body FROM enrollments WHERE id = $1";
pub(crate) const BY_CERTIFICATE: &str = "SELECT version, body FROM enrollments \
    WHERE id = (SELECT enrollment FROM enrollment_certificates WHERE fingerprint = $1)";
pub(crate) const BY_CLIENT: &str = "SELECT version, body FROM enrollments WHERE client = $1 ORDER BY id DESC LIMIT 10";
const LIST: &str = "SELECT version, body FROM enrollments WHERE id > $1 ORDER BY id LIMIT $2";
pub(crate) const LIST_USER: &str =
    "SELECT version, body FROM enrollments WHERE user_name = $3 AND state <> 'ended' AND id > $1 ORDER BY id LIMIT $2";
pub(crate) const LIST_DEVICE: &str = "SELECT version, body FROM enrollments WHERE device = $3 AND id > $1 ORDER BY id LIMIT $2";
pub(crate) const LIST_DUE: &str =
    "SELECT version, body FROM enrollments WHERE state = 'active' AND renews_from < $1 ORDER BY renews_from, id LIMIT $2";
const LOAD_SESSION: &str = "SELECT version, body FROM management_sessions WHERE enrollment = $1";
const ADD_SESSION: &str =
    "INSERT INTO management_sessions (enrollment, version, body) VALUES ($1, 1, $2) ON CONFLICT (enrollment) DO NOTHING";
const CHANGE_SESSION: &str =
    "UPDATE management_sessions SET body = $2, version = version + 1 WHERE enrollment = $1 AND version = $3";
const SAVE_JOB: &str = "INSERT INTO management_jobs (id, enrollment, purpose, state, created_at, changed_at, created_by, body, result) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
    ON CONFLICT (id) DO UPDATE SET state = $4, changed_at = $6, body = $8, result = $9";
macro_rules! jobs {
    ($condition:literal) => {
        concat!(
            "SELECT id, enrollment, purpose, state, created_at, changed_at, created_by, body, result FROM management_jobs WHERE ",
            $condition
        )
    };
}
pub(crate) const LOAD_JOB: &str = jobs!("id = $1");
pub(crate) const OPEN_JOBS: &str =
    jobs!("enrollment = $1 AND state IN ('queued', 'sent', 'acknowledged') ORDER BY id LIMIT 10000");
pub(crate) const ALL_JOBS: &str = jobs!("enrollment = $1 ORDER BY id DESC LIMIT 500");
const SAVE_INVENTORY: &str = "INSERT INTO inventories (enrollment, at, body) VALUES ($1, $2, $3) \
    ON CONFLICT (enrollment) DO UPDATE SET at = $2, body = $3";
const LOAD_INVENTORY: &str = "SELECT at, body FROM inventories WHERE enrollment = $1";
const SAVE_PASSWORD: &str = "INSERT INTO passwords (user_name, hash, changed_at) VALUES ($1, $2, $3) \
    ON CONFLICT (user_name) DO UPDATE SET hash = $2, changed_at = $3";
const LOAD_PASSWORD: &str = "SELECT hash FROM passwords WHERE user_name = $1";

/// Rows listed where the filter says nothing.
const DEFAULT_LIMIT: u32 = 1000;

#[async_trait]
impl FleetStore for Database {
    async fn save_enrollments(&self, changes: Vec<EnrollmentChange>, audit: Vec<AuditEvent>) -> Result<bool> {
        self.write(move |tx| save_all(tx, changes.clone(), audit.clone()).boxed()).await
    }

    async fn load_enrollment(&self, id: EnrollmentId) -> Result<Option<(Enrollment, u64)>> {
        let row = self.optional("load an enrolment", LOAD, args![id.to_string()]).await?;
        row.as_ref().map(rows::enrollment).transpose()
    }

    async fn find_enrollment_by_certificate(&self, fingerprint: [u8; 32]) -> Result<Option<(Enrollment, u64)>> {
        let row = self.optional("find an enrolment", BY_CERTIFICATE, args![fingerprint]).await?;
        row.as_ref().map(rows::enrollment).transpose()
    }

    async fn find_enrollments_by_client(&self, client: &str) -> Result<Vec<(Enrollment, u64)>> {
        many(&self.fetch("find enrolments", BY_CLIENT, args![client]).await?)
    }

    async fn list_enrollments(&self, filter: EnrollmentFilter) -> Result<Vec<(Enrollment, u64)>> {
        let after = filter.after.map(|id| id.to_string()).unwrap_or_default();
        let limit = if filter.limit == 0 { DEFAULT_LIMIT } else { filter.limit };
        let mut values = args![after, limit];
        let sql = match (&filter.user, filter.due_before) {
            _ if filter.device.is_some() => {
                values.extend(filter.device.as_ref().map(|device| Value::Text(device.to_string())));
                LIST_DEVICE
            }
            (Some(user), _) => {
                values.push(Value::Text(user.to_string()));
                LIST_USER
            }
            (None, Some(before)) => {
                values = args![before.0, limit];
                LIST_DUE
            }
            (None, None) => LIST,
        };
        let mut found = many(&self.fetch_long("list enrolments", sql, values).await?)?;
        if let (Some(_), Some(before)) = (&filter.user, filter.due_before) {
            found.retain(|(enrollment, _)| enrollment.renews_from() < before);
        }
        Ok(found)
    }

    async fn load_session(&self, enrollment: EnrollmentId) -> Result<Option<(u64, Vec<u8>)>> {
        let row = self.optional("load a session", LOAD_SESSION, args![enrollment.to_string()]).await?;
        let read =
            |row: Row| Ok((rows::count(&row, "management_sessions.version")?, rows::octets(&row, "management_sessions.body")?));
        row.map(read).transpose()
    }

    async fn save_session_step(&self, step: SessionStep) -> Result<bool> {
        let object = step.enrollment.to_string().into_bytes();
        let flush = if step.lasting { Flush::Now } else { Flush::WithNext };
        self.write_until(object.into(), flush, move |tx| save_step(tx, step.clone()).boxed()).await
    }

    async fn save_jobs(&self, jobs: Vec<JobRecord>, audit: Vec<AuditEvent>) -> Result<()> {
        self.write(move |tx| save_jobs(tx, jobs.clone(), audit.clone()).boxed()).await
    }

    async fn load_job(&self, id: JobId) -> Result<Option<JobRecord>> {
        let row = self.optional("load a job", LOAD_JOB, args![id.to_string()]).await?;
        row.as_ref().map(rows::job).transpose()
    }

    async fn list_jobs(&self, enrollment: EnrollmentId, only_open: bool) -> Result<Vec<JobRecord>> {
        let sql = if only_open { OPEN_JOBS } else { ALL_JOBS };
        let found = self.fetch("list jobs", sql, args![enrollment.to_string()]).await?;
        let mut jobs: Vec<JobRecord> = found.iter().map(rows::job).collect::<Result<_>>()?;
        jobs.sort_by_key(|job| job.id);
        Ok(jobs)
    }

    async fn load_inventory(&self, enrollment: EnrollmentId) -> Result<Option<(Timestamp, String)>> {
        let row = self.optional("load an inventory", LOAD_INVENTORY, args![enrollment.to_string()]).await?;
        row.map(|row| Ok((rows::time(&row, "inventories.at")?, rows::text(&row, "inventories.body")?))).transpose()
    }

    async fn save_password(&self, user: &UserName, hash: String, at: Timestamp, audit: AuditEvent) -> Result<()> {
        let user = user.to_string();
        self.write(move |tx| save_password(tx, args![user.clone(), hash.clone(), at.0], audit.clone()).boxed()).await
    }

    async fn load_password(&self, user: &UserName) -> Result<Option<String>> {
        let row = self.optional("load a password", LOAD_PASSWORD, args![user.to_string()]).await?;
        row.map(|row| rows::text(&row, "passwords.hash")).transpose()
    }
}

fn many(found: &[Row]) -> Result<Vec<(Enrollment, u64)>> {
    found.iter().map(rows::enrollment).collect()
}

fn audit_all(tx: &mut Tx, audit: &[AuditEvent]) -> Result<()> {
    audit.iter().try_for_each(|event| tx.audit(event))
}

async fn save_all(tx: &mut Tx, changes: Vec<EnrollmentChange>, audit: Vec<AuditEvent>) -> Result<Applied<bool>> {
    for change in &changes {
        if !save(tx, change).await? {
            return Ok(Applied::Nothing(false));
        }
    }
    audit_all(tx, &audit)?;
    Ok(Applied::Kept(true))
}

/// Saves one enrolment; `false` if it has changed since it was seen.
async fn save(tx: &mut Tx, change: &EnrollmentChange) -> Result<bool> {
    let enrollment = &change.enrollment;
    let id = enrollment.id.to_string();
    let mut values = args![
        id.clone(),
        enrollment.client.clone(),
        enrollment.device.to_string(),
        enrollment.user.to_string(),
        enrollment.state.as_str(),
        enrollment.renews_from().0,
        rows::to_json(enrollment)?,
    ];
    let done = match change.seen {
        None => tx.execute("add an enrolment", ADD, values).await?,
        Some(seen) => {
            values.push(Value::Integer(number(seen)?));
            tx.execute("change an enrolment", CHANGE, values).await?
        }
    };
    if done == 0 {
        return Ok(false);
    }
    for identity in std::iter::once(&enrollment.identity).chain(&enrollment.renewed) {
        tx.execute("save what proves an enrolment", PROVE, args![identity.fingerprint, id.clone()]).await?;
    }
    Ok(true)
}

fn number(version: u64) -> Result<i64> {
    i64::try_from(version).map_err(|e| rows::corrupt("enrollments.version", e))
}

async fn save_step(tx: &mut Tx, step: SessionStep) -> Result<Applied<bool>> {
    let id = step.enrollment.to_string();
    let saved = match step.seen {
        None => tx.execute("begin a session", ADD_SESSION, args![id.clone(), step.session.clone()]).await?,
        Some(seen) => {
            tx.execute("go on with a session", CHANGE_SESSION, args![id.clone(), step.session.clone(), number(seen)?]).await?
        }
    };
    if saved == 0 {
        return Ok(Applied::Nothing(false));
    }
    if let Some(change) = &step.change
        && !save(tx, change).await?
    {
        return Ok(Applied::Nothing(false));
    }
    for job in &step.jobs {
        save_job(tx, job).await?;
    }
    if let Some((at, body)) = &step.inventory {
        tx.execute("save an inventory", SAVE_INVENTORY, args![id, at.0, body.clone()]).await?;
    }
    audit_all(tx, &step.audit)?;
    Ok(Applied::Kept(true))
}

async fn save_jobs(tx: &mut Tx, jobs: Vec<JobRecord>, audit: Vec<AuditEvent>) -> Result<Applied<()>> {
    for job in &jobs {
        save_job(tx, job).await?;
    }
    audit_all(tx, &audit)?;
    Ok(Applied::Kept(()))
}

async fn save_job(tx: &mut Tx, job: &JobRecord) -> Result<()> {
    let values = args![
        job.id.to_string(),
        job.enrollment.to_string(),
        job.purpose.clone(),
        job.state.as_str(),
        job.created_at.0,
        job.changed_at.0,
        job.by.clone(),
        job.body.clone(),
        job.result.clone(),
    ];
    tx.execute("save a job", SAVE_JOB, values).await.map(drop)
}

async fn save_password(tx: &mut Tx, values: Vec<Value>, audit: AuditEvent) -> Result<Applied<()>> {
    tx.execute("save a password", SAVE_PASSWORD, values).await?;
    tx.audit(&audit)?;
    Ok(Applied::Kept(()))
}

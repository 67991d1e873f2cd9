//! Managed devices: enrolments change only as they were seen, and a session's message changes everything or nothing.

use lanyard_model::{
    audit::AuditKind,
    fleet::{
        ClientInfo, DmCredentials, Enrollment, EnrollmentAuthentication, EnrollmentForm, EnrollmentState, Identity, JobRecord,
        JobState, RenewSchedule,
    },
    id::{EnrollmentId, JobId},
    time::Span,
};
use lanyard_store::ports::{EnrollmentChange, EnrollmentFilter, SessionStep, Store};

use crate::{engine::Engine, sample};

fn identity(n: u32) -> Identity {
    Identity {
        issuer: sample::issuer(),
        serial: sample::serial(n),
        fingerprint: sample::digest(n),
        key_digest: sample::digest(1000 + n),
        not_before: sample::NOW,
        not_after: sample::NOW + Span::from_days(365),
    }
}

fn enrollment(n: u32) -> Enrollment {
    Enrollment {
        id: EnrollmentId::generate(sample::after(i64::from(n))),
        client: format!("client-{n}"),
        device: format!("inv-{n}").parse().unwrap(),
        user: "jo".parse().unwrap(),
        form: EnrollmentForm::User,
        authentication: EnrollmentAuthentication::Password,
        client_info: ClientInfo { name: Some("LAPTOP \"7\"".to_owned()), edition: Some(72), ..ClientInfo::default() },
        profile: sample::profile(),
        template: "mdm-identity".parse().unwrap(),
        schedule: RenewSchedule { period_days: 42, retry_days: 4, robo: true },
        state: EnrollmentState::Active,
        identity: identity(n),
        renewed: None,
        retired: None,
        enrolled_at: sample::NOW,
        seen_at: None,
        ended_at: None,
        credentials: Some(DmCredentials { name: "x".to_owned(), inner: vec![1, 2], nonce: vec![3], basic: false }),
        keep_certificates: false,
    }
}

async fn add(store: &dyn Store, enrollment: &Enrollment) {
    let change = EnrollmentChange { enrollment: enrollment.clone(), seen: None };
    assert!(store.save_enrollments(vec![change], vec![sample::event(AuditKind::DeviceEnrolled, None)]).await.unwrap());
}

fn job(of: &Enrollment, n: i64) -> JobRecord {
    JobRecord {
        id: JobId::generate(sample::after(n)),
        enrollment: of.id,
        purpose: format!("job {n}"),
        state: JobState::Queued,
        created_at: sample::NOW,
        changed_at: sample::NOW,
        by: "admin:root".to_owned(),
        body: vec![0, 1, 255],
        result: None,
    }
}

pub async fn enrolments_change_as_seen(engine: &dyn Engine) {
    let store = engine.open().await;
    let first = enrollment(1);
    add(&*store, &first).await;
    assert_eq!(store.load_enrollment(first.id).await.unwrap(), Some((first.clone(), 1)));
    assert_eq!(store.find_enrollment_by_certificate(sample::digest(1)).await.unwrap().unwrap().0, first);
    assert_eq!(store.find_enrollment_by_certificate(sample::digest(2)).await.unwrap(), None);
    let renewed = Enrollment { renewed: Some(identity(2)), ..first.clone() };
    let change = |seen| vec![EnrollmentChange { enrollment: renewed.clone(), seen }];
    assert!(!store.save_enrollments(change(None), vec![]).await.unwrap(), "it exists");
    assert!(store.save_enrollments(change(Some(1)), vec![]).await.unwrap());
    assert!(!store.save_enrollments(change(Some(1)), vec![]).await.unwrap(), "somebody was faster");
    assert_eq!(store.find_enrollment_by_certificate(sample::digest(2)).await.unwrap(), Some((renewed, 2)));
}

pub async fn enrolments_are_listed(engine: &dyn Engine) {
    let store = engine.open().await;
    let all: Vec<Enrollment> = (1..=3).map(enrollment).collect();
    for one in &all {
        add(&*store, one).await;
    }
    let other = Enrollment { user: "al".parse().unwrap(), state: EnrollmentState::Blocked, ..enrollment(4) };
    add(&*store, &other).await;
    let ids = async |filter: EnrollmentFilter| {
        store.list_enrollments(filter).await.unwrap().iter().map(|(e, _)| e.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(EnrollmentFilter::default()).await.len(), 4);
    let page = EnrollmentFilter { after: Some(all[0].id), limit: 2, ..EnrollmentFilter::default() };
    assert_eq!(ids(page).await, [all[1].id, all[2].id]);
    let user = EnrollmentFilter { user: Some("al".parse().unwrap()), ..EnrollmentFilter::default() };
    assert_eq!(ids(user).await, [other.id]);
    let device = EnrollmentFilter { device: Some(all[1].device.clone()), ..EnrollmentFilter::default() };
    assert_eq!(ids(device).await, [all[1].id]);
    let due = |days| EnrollmentFilter { due_before: Some(sample::NOW + Span::from_days(days)), ..EnrollmentFilter::default() };
    assert_eq!(ids(due(365 - 42)).await, []);
    assert_eq!(ids(due(365 - 41)).await.len(), 3, "blocked ones are not due");
    assert_eq!(store.find_enrollments_by_client("client-2").await.unwrap(), [(all[1].clone(), 1)]);
}

pub async fn a_message_changes_all_or_nothing(engine: &dyn Engine) {
    let store = engine.open().await;
    let one = enrollment(1);
    add(&*store, &one).await;
    let queued = [job(&one, 1), job(&one, 2)];
    store.save_jobs(queued.to_vec(), vec![sample::event(AuditKind::JobQueued, None)]).await.unwrap();
    assert_eq!(store.list_jobs(one.id, true).await.unwrap(), queued);
    let done = JobRecord { state: JobState::Verified, body: vec![], result: Some("200".to_owned()), ..queued[0].clone() };
    let step = |seen, seen_enrollment| SessionStep {
        enrollment: one.id,
        seen,
        session: vec![9],
        jobs: vec![done.clone()],
        change: Some(EnrollmentChange {
            enrollment: Enrollment { seen_at: Some(sample::NOW), ..one.clone() },
            seen: Some(seen_enrollment),
        }),
        inventory: Some((sample::NOW, "{}".to_owned())),
        audit: vec![sample::event(AuditKind::JobEnded, None)],
        lasting: seen.is_none(),
    };
    assert!(!store.save_session_step(step(None, 7)).await.unwrap(), "the enrolment was changed by somebody else");
    assert_eq!(store.load_session(one.id).await.unwrap(), None);
    assert_eq!(store.load_job(done.id).await.unwrap().unwrap().state, JobState::Queued);
    assert!(store.save_session_step(step(None, 1)).await.unwrap());
    assert_eq!(store.load_session(one.id).await.unwrap(), Some((1, vec![9])));
    assert!(!store.save_session_step(step(None, 2)).await.unwrap(), "there is a session");
    assert!(!store.save_session_step(step(Some(2), 2)).await.unwrap(), "it is another one");
    assert_eq!(store.list_jobs(one.id, true).await.unwrap(), [queued[1].clone()]);
    assert_eq!(store.list_jobs(one.id, false).await.unwrap(), [done, queued[1].clone()]);
    assert_eq!(store.load_inventory(one.id).await.unwrap(), Some((sample::NOW, "{}".to_owned())));
}

pub async fn passwords(engine: &dyn Engine) {
    let store = engine.open().await;
    let user = "jo".parse().unwrap();
    assert_eq!(store.load_password(&user).await.unwrap(), None);
    for hash in ["$argon2id$1", "$argon2id$2"] {
        let event = sample::event(AuditKind::DirectoryChanged, None);
        store.save_password(&user, hash.to_owned(), sample::NOW, event).await.unwrap();
        assert_eq!(store.load_password(&user).await.unwrap().as_deref(), Some(hash));
    }
}

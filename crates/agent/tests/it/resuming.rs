//! Lost answers, held requests, and runs that were cut off.

use std::time::Duration;

use lanyard_agent::{
    error::AgentError,
    scep::{EnrollOptions, EnrollOutcome, Progress, SessionOptions, enroll, renew, renew::RenewOptions, resume},
    store::{DeviceStore, PendingState},
};
use lanyard_enroll::scep::attributes::{FailInfo, MessageType};
use lanyard_pki::pem;

use super::{
    authority::rsa,
    double::{Act, Double},
    enrolling::{issued, options, session, store},
};

#[tokio::test]
async fn a_lost_answer_is_asked_for_with_the_very_same_message() {
    let double = Double::start(&[Act::Lose, Act::Status(503), Act::Issue]).await;
    let mut resent = 0;
    issued(
        enroll(None, options(&double), &mut |progress| {
            resent += u32::from(matches!(progress, Progress::Resending { .. }));
        })
        .await,
    );
    let seen = double.seen();
    assert_eq!((seen.len(), resent), (3, 2));
    assert!(seen.iter().all(|s| *s == seen[0]));
}

#[tokio::test]
async fn a_message_whose_answer_stays_lost_is_kept_and_sent_again_by_resume() {
    let (_folder, store) = store();
    let double = Double::start(&[Act::Lose]).await;
    let outcome = enroll(Some(&store), options(&double), &mut |_| {}).await;
    assert!(matches!(outcome, Err(AgentError::Unreachable { .. })), "{outcome:?}");
    assert_eq!(double.seen().len(), 4);
    let [pending] = &store.pendings().unwrap()[..] else { panic!() };
    assert_eq!(pending.state, PendingState::Sent);

    double.then(&[Act::Issue]);
    let issued = issued(resume(&store, &pending.id, &session(), &mut |_| {}).await);
    let seen = double.seen();
    assert_eq!(seen[4], seen[0], "the same message, so that the server finds what it stored");
    assert_eq!(issued.certificate.spki_der(), rsa(2).public_key().spki);
    assert!(store.pendings().unwrap().is_empty());
}

#[tokio::test]
async fn the_questions_are_counted_and_the_request_stays_for_later() {
    let (_folder, store) = store();
    let double = Double::start(&[Act::Hold]).await;
    let asked = EnrollOptions { session: SessionOptions { retry_count: 2, ..session() }, ..options(&double) };
    match enroll(Some(&store), asked, &mut |_| {}).await {
        Ok(EnrollOutcome::StillPending { transaction, request_id, .. }) => {
            assert_eq!(transaction, double.seen()[0].transaction);
            assert_eq!(request_id.as_deref(), Some("request-1"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(double.seen().len(), 3);

    // Another process, much later.
    let store = DeviceStore::open(store.path()).unwrap();
    let [pending] = &store.pendings().unwrap()[..] else { panic!() };
    assert_eq!((pending.state, pending.request_id.as_deref()), (PendingState::Held, Some("request-1")));
    double.then(&[Act::Issue]);
    let issued = issued(resume(&store, &pending.id, &session(), &mut |_| {}).await);
    assert_eq!(double.seen()[3].message_type, MessageType::CertPoll);
    assert_eq!(double.seen()[3].transaction, issued.transaction);
    assert_eq!(store.identity(&issued.id).unwrap().certificate.spki_der(), rsa(2).public_key().spki);
}

#[tokio::test]
async fn a_run_that_was_killed_while_waiting_is_resumed() {
    let (_folder, store) = store();
    let double = Double::start(&[Act::Hold]).await;
    let waiting =
        EnrollOptions { session: SessionOptions { retry_period: Duration::from_secs(3600), ..session() }, ..options(&double) };
    let (said, mut hear) = tokio::sync::mpsc::unbounded_channel();
    let task = {
        let store = store.clone();
        tokio::spawn(async move {
            let mut watcher = |progress| said.send(progress).unwrap();
            enroll(Some(&store), waiting, &mut watcher).await
        })
    };
    while !matches!(hear.recv().await, Some(Progress::Waiting { .. })) {}
    task.abort();
    let [pending] = &store.pendings().unwrap()[..] else { panic!() };
    double.then(&[Act::Refuse(FailInfo::BadRequest)]);
    let outcome = resume(&store, &pending.id, &session(), &mut |_| {}).await;
    assert!(matches!(outcome, Ok(EnrollOutcome::Refused(_))), "{outcome:?}");
    assert!(store.pendings().unwrap().is_empty(), "a decision ends it");
}

#[tokio::test]
async fn a_renewal_that_is_held_is_gone_on_with_instead_of_begun_again() {
    let (_folder, store) = store();
    let double = Double::start(&[Act::Issue, Act::Hold]).await;
    let old = issued(enroll(Some(&store), options(&double), &mut |_| {}).await);
    let renewing = RenewOptions {
        key: Some(rsa(3).pkcs8().unwrap().clone()),
        session: SessionOptions { retry_count: 0, ..session() },
        ..RenewOptions::default()
    };
    let outcome = renew(&store, &old.id, &renewing, &mut |_| {}).await;
    assert!(matches!(outcome, Ok(EnrollOutcome::StillPending { .. })), "{outcome:?}");

    double.then(&[Act::Issue]);
    let again = RenewOptions { session: session(), ..RenewOptions::default() };
    let new = issued(renew(&store, &old.id, &again, &mut |_| {}).await);
    assert_eq!(new.certificate.spki_der(), rsa(3).public_key().spki);
    assert_eq!(double.seen()[2].message_type, MessageType::CertPoll);
    assert!(!double.seen()[2].self_signed, "the old certificate signs the questions too");
    assert_eq!(store.identities().unwrap().len(), 2);
}

#[tokio::test]
async fn roots_for_tls_are_given_once() {
    let (_folder, store) = store();
    let double = Double::start(&[Act::Issue]).await;
    let roots = pem::encode(pem::CERTIFICATE, double.authority.ca.der()).into_bytes();
    let asked = EnrollOptions { session: SessionOptions { tls_roots: Some(roots.clone()), ..session() }, ..options(&double) };
    let old = issued(enroll(Some(&store), asked, &mut |_| {}).await);
    let renewing = RenewOptions { key: Some(rsa(3).pkcs8().unwrap().clone()), session: session(), ..RenewOptions::default() };
    let new = issued(renew(&store, &old.id, &renewing, &mut |_| {}).await);
    for id in [&old.id, &new.id] {
        assert_eq!(store.identity(id).unwrap().tls_roots.as_ref(), Some(&roots));
    }
}

#[tokio::test]
async fn nobody_at_the_other_end_is_a_transport_error() {
    let double = Double::start(&[Act::Issue]).await;
    let (_folder, store) = store();
    let nobody = EnrollOptions { url: "http://127.0.0.1:9/scep/devices".into(), ..options(&double) };
    let outcome = enroll(Some(&store), nobody, &mut |_| {}).await;
    assert!(matches!(outcome, Err(AgentError::Unreachable { .. })), "{outcome:?}");
    assert!(store.pendings().unwrap().is_empty(), "nothing was sent, so nothing is kept");
}

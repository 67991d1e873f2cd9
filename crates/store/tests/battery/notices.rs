//! Outcomes that policy modules are still to be told: kept with the outcome, once, until they are ended.

use lanyard_model::{audit::AuditKind, notice::NoticeRecord, request::RequestState};
use lanyard_store::ports::{Begun, Store};

use crate::{engine::Engine, sample};

async fn due(store: &dyn Store) -> Vec<String> {
    let due = store.due_notices(sample::NOW, 100).await.unwrap();
    due.into_iter().map(|notice| notice.id).collect()
}

pub async fn kept_with_every_outcome(engine: &dyn Engine) {
    let store = engine.open().await;
    sample::issue(&*store, 1).await;
    assert_eq!(store.due_notices(sample::NOW, 100).await.unwrap(), [sample::notice(7)]);
    let event = |request: &lanyard_model::request::RequestRecord| sample::event(AuditKind::RequestDenied, Some(request.id));
    let held = sample::request(20, RequestState::Pending);
    let notices = || vec![sample::notice(8), sample::notice(8)];
    assert_eq!(store.hold_request(held.clone(), None, notices(), event(&held)).await.unwrap(), Begun::Done);
    let mut denied = held.clone();
    denied.state = RequestState::Denied;
    let done = store.save_denied(denied.clone(), None, vec![sample::notice(9)], event(&held)).await.unwrap();
    assert_eq!(done, Begun::Done);
    // What did not happen is not told, and what is kept already is not kept twice.
    let late = store.save_denied(denied, None, vec![sample::notice(10)], event(&held)).await.unwrap();
    assert_eq!(late, Begun::NotPending);
    let other = sample::request(21, RequestState::Pending);
    let unknown = Some(sample::claim(99, other.id, 2));
    let begun = store.hold_request(other.clone(), unknown, vec![sample::notice(11)], event(&other)).await.unwrap();
    assert_eq!(begun, Begun::ChallengeGone);
    store.save_notices(vec![sample::notice(9), sample::notice(12)]).await.unwrap();
    drop(store);
    let store = engine.open().await;
    assert_eq!(due(&*store).await, ["12.issued.0", "7.issued.0", "8.issued.0", "9.issued.0"]);
}

pub async fn tried_until_ended(engine: &dyn Engine) {
    let store = engine.open().await;
    let later = NoticeRecord { due_at: sample::after(-5), ..sample::notice(2) };
    store.save_notices(vec![sample::notice(1), later, sample::notice(3)]).await.unwrap();
    assert_eq!(due(&*store).await, ["2.issued.0", "1.issued.0", "3.issued.0"], "the longest due first");
    store.postpone_notice("1.issued.0", sample::after(60)).await.unwrap();
    assert_eq!(due(&*store).await, ["2.issued.0", "3.issued.0"]);
    let again = store.due_notices(sample::after(60), 100).await.unwrap();
    assert_eq!(again.last().unwrap().attempts, 3);
    assert!(store.end_notice("2.issued.0", None).await.unwrap());
    let before = store.audit_tip().await.unwrap().0;
    let event = || Some(sample::event(AuditKind::NoticeGivenUp, None));
    assert!(store.end_notice("1.issued.0", event()).await.unwrap());
    assert!(!store.end_notice("1.issued.0", event()).await.unwrap());
    assert_eq!(store.audit_tip().await.unwrap().0, before + 1);
    assert_eq!(due(&*store).await, ["3.issued.0"]);
}

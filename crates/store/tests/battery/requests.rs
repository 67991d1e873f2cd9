//! Requests and their decisions.

use lanyard_model::{
    audit::AuditKind,
    enroll::Protocol,
    id::RequestId,
    request::{RequestRecord, RequestState},
    time::Timestamp,
};
use lanyard_store::ports::{Begun, RequestFilter, Store};

use crate::{engine::Engine, sample};

/// A request that arrived so many milliseconds after the present.
fn later(key: u32, state: RequestState, ms: i64) -> RequestRecord {
    let at = Timestamp(sample::NOW.0 + ms);
    RequestRecord { id: RequestId::generate(at), received_at: at, ..sample::request(key, state) }
}

async fn deny(store: &dyn Store, request: &RequestRecord) {
    store.save_denied(request.clone(), None, vec![], sample::event(AuditKind::RequestDenied, Some(request.id))).await.unwrap();
}

async fn hold(store: &dyn Store, request: &RequestRecord) -> Begun {
    store.hold_request(request.clone(), None, vec![], sample::event(AuditKind::RequestHeld, Some(request.id))).await.unwrap()
}

pub async fn round_trip(engine: &dyn Engine) {
    let store = engine.open().await;
    let full = sample::request(1, RequestState::Denied);
    deny(&*store, &full).await;
    assert_eq!(store.load_request(full.id).await.unwrap(), Some(full));
    let empty = RequestRecord {
        transaction: String::new(),
        renewal: false,
        signer_key_digest: None,
        key_digest: None,
        claims: None,
        subject: None,
        san: Vec::new(),
        key: None,
        template: None,
        user: None,
        device: None,
        reason: None,
        detail: None,
        certificate: None,
        renews: None,
        challenge: None,
        decided_at: None,
        decided_by: None,
        ..sample::request(2, RequestState::Expired)
    };
    for protocol in [Protocol::Est, Protocol::Acme, Protocol::Wstep, Protocol::Api, Protocol::Pfx] {
        let request = RequestRecord { id: RequestId::generate(sample::NOW), protocol, ..empty.clone() };
        deny(&*store, &request).await;
        assert_eq!(store.load_request(request.id).await.unwrap(), Some(request));
    }
    assert_eq!(store.load_request(RequestId::generate(sample::NOW)).await.unwrap(), None);
}

pub async fn newest_of_a_message(engine: &dyn Engine) {
    let store = engine.open().await;
    let (first, second) = (later(1, RequestState::Pending, 0), later(1, RequestState::Pending, 5));
    for request in [&second, &first, &later(2, RequestState::Pending, 9)] {
        assert_eq!(hold(&*store, request).await, Begun::Done);
    }
    deny(&*store, &later(1, RequestState::Denied, 12)).await;
    let find = async |profile: &str, transaction: &str| {
        store.find_request_by_message(&profile.parse().unwrap(), transaction, sample::digest(1)).await.unwrap()
    };
    assert_eq!(find(sample::profile().as_str(), "transaction-1").await, Some(second), "the refused one is judged anew");
    assert_eq!(find("other", "transaction-1").await, None);
    assert_eq!(find(sample::profile().as_str(), "transaction-2").await, None);
}

pub async fn transaction_of_a_key(engine: &dyn Engine) {
    let store = engine.open().await;
    let held = later(1, RequestState::Pending, 0);
    assert_eq!(hold(&*store, &held).await, Begun::Done);
    deny(&*store, &later(1, RequestState::Denied, 5)).await;
    let find = async |transaction: &str, key: u32| {
        store.find_request_by_transaction(&sample::profile(), transaction, sample::digest(key)).await.unwrap()
    };
    assert_eq!(find("transaction-1", 1).await, Some(held), "a later refusal does not hide it");
    assert_eq!(find("transaction-1", 2).await, None);
    assert_eq!(find("transaction-2", 1).await, None);
}

pub async fn by_text(engine: &dyn Engine) {
    let store = engine.open().await;
    for ms in 0..25 {
        deny(&*store, &later(1, RequestState::Denied, ms)).await;
    }
    let found = store.find_requests_by_text("transaction-1").await.unwrap();
    assert_eq!(found.len(), 20);
    assert!(found.windows(2).all(|w| w[0].id > w[1].id), "newest first");
    assert_eq!(found[0].received_at.0, sample::NOW.0 + 24);
}

pub async fn list_pages_newest_first(engine: &dyn Engine) {
    let store = engine.open().await;
    for ms in 0..7 {
        let state = if ms % 2 == 0 { RequestState::Denied } else { RequestState::Expired };
        deny(&*store, &later(1, state, ms)).await;
    }
    let all = store.list_requests(RequestFilter::default()).await.unwrap();
    assert_eq!(all.len(), 7);
    let mut paged = Vec::new();
    let mut before = None;
    loop {
        let page = store.list_requests(RequestFilter { before, limit: 3, state: None }).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        paged.extend(page);
    }
    assert_eq!(paged, all);
    let denied = RequestFilter { state: Some(RequestState::Denied), ..RequestFilter::default() };
    assert_eq!(store.list_requests(denied).await.unwrap().len(), 4);
}

pub async fn denied_replaces_pending_only(engine: &dyn Engine) {
    let store = engine.open().await;
    let held = sample::request(1, RequestState::Pending);
    hold(&*store, &held).await;
    let denied = RequestRecord { state: RequestState::Denied, reason: Some("ra.person-denied".to_owned()), ..held.clone() };
    deny(&*store, &denied).await;
    assert_eq!(store.load_request(held.id).await.unwrap(), Some(denied.clone()));
    let events = store.audit_tip().await.unwrap().0;
    let again = RequestRecord { reason: None, ..denied.clone() };
    let refused = store.save_denied(again, None, vec![], sample::event(AuditKind::RequestDenied, None)).await;
    assert_eq!(refused.unwrap(), Begun::NotPending, "a decision is not taken back");
    assert_eq!(store.load_request(held.id).await.unwrap(), Some(denied));
    assert_eq!(store.audit_tip().await.unwrap().0, events);
}

pub async fn hold_consumes_the_challenge(engine: &dyn Engine) {
    let store = engine.open().await;
    sample::save_challenge(&*store, 1).await;
    let first = sample::request(1, RequestState::Pending);
    let claim = sample::claim(1, first.id, 1);
    let event = sample::event(AuditKind::RequestHeld, Some(first.id));
    assert_eq!(store.hold_request(first.clone(), Some(claim.clone()), vec![], event.clone()).await.unwrap(), Begun::Done);
    assert_eq!(store.load_challenge(claim.id).await.unwrap().unwrap().used, Some(claim.claim.clone()));
    let second = sample::request(2, RequestState::Pending);
    let begun = store.hold_request(second.clone(), Some(sample::claim(1, second.id, 2)), vec![], event.clone()).await.unwrap();
    assert_eq!(begun, Begun::ChallengeUsed(claim.claim));
    assert_eq!(store.load_request(second.id).await.unwrap(), None);
    let begun = store.hold_request(second.clone(), Some(sample::claim(77, second.id, 2)), vec![], event).await.unwrap();
    assert_eq!(begun, Begun::ChallengeGone);
}

pub async fn hold_refuses_another_key(engine: &dyn Engine) {
    let store = engine.open().await;
    let first = sample::request(1, RequestState::Pending);
    hold(&*store, &first).await;
    let other = RequestRecord { transaction: first.transaction.clone(), ..sample::request(2, RequestState::Pending) };
    assert_eq!(hold(&*store, &other).await, Begun::OtherKey(first.id));
    assert_eq!(store.load_request(other.id).await.unwrap(), None);
}

pub async fn a_refusal_burns_its_challenge(engine: &dyn Engine) {
    let store = engine.open().await;
    sample::save_challenge(&*store, 1).await;
    let denied = sample::request(1, RequestState::Denied);
    let claim = sample::claim(1, denied.id, 1);
    let event = sample::event(AuditKind::RequestDenied, Some(denied.id));
    store.save_denied(denied, Some(claim.clone()), vec![], event).await.unwrap();
    let challenge = store.load_challenge(sample::challenge_id(1)).await.unwrap().unwrap();
    assert_eq!(challenge.used, Some(claim.claim));
}

//! Issuing: first the intent, then the certificate.

use lanyard_model::{
    audit::AuditKind,
    certificate::{CertificateRecord, Revocation, RevocationReason},
    id::RequestId,
    request::{RequestRecord, RequestState},
    time::{Span, Timestamp},
};
use lanyard_store::ports::{Begun, Intent, Opening, Signed, Store, Withdrawal};

use crate::{engine::Engine, sample};

async fn begin(store: &dyn Store, intent: &Intent) -> Begun {
    store.begin_issuance(intent.clone()).await.unwrap()
}

async fn load(store: &dyn Store, n: u32) -> Option<CertificateRecord> {
    store.load_certificate(&sample::issuer(), &sample::serial(n)).await.unwrap()
}

pub async fn begin_and_finish(engine: &dyn Engine) {
    let store = engine.open().await;
    sample::save_challenge(&*store, 1).await;
    let mut intent = sample::intent(1);
    let request = intent.request.clone().unwrap();
    intent.challenge = Some(sample::claim(1, request.id, 1));
    assert_eq!(begin(&*store, &intent).await, Begun::Done);
    assert_eq!(load(&*store, 1).await, Some(intent.certificate.clone()));
    assert_eq!(store.load_request(request.id).await.unwrap(), Some(request.clone()));
    assert_eq!(store.list_open_intents(sample::after(1)).await.unwrap(), vec![intent.certificate.clone()]);
    assert_eq!(store.list_open_intents(sample::NOW).await.unwrap(), vec![], "created before, not at");

    let signed = sample::signed(&intent);
    store.finish_issuance(signed.clone()).await.unwrap();
    assert_eq!(load(&*store, 1).await.unwrap(), CertificateRecord { der: Some(signed.der), ..intent.certificate });
    assert_eq!(store.load_request(request.id).await.unwrap().unwrap().state, RequestState::Issued);
    assert_eq!(store.list_open_intents(sample::after(1)).await.unwrap(), vec![]);
    let told: Vec<_> = store.audit_of_request(request.id).await.unwrap().into_iter().map(|r| r.event.kind).collect();
    assert_eq!(told, [AuditKind::RequestGranted, AuditKind::CertificateIssued]);
}

pub async fn challenge_is_consumed_once(engine: &dyn Engine) {
    let store = engine.open().await;
    sample::save_challenge(&*store, 1).await;
    let mut tries = tokio::task::JoinSet::new();
    for key in 0..64 {
        let store = store.clone();
        tries.spawn(async move {
            let mut intent = sample::intent(key);
            let claim = sample::claim(1, intent.certificate.request, key);
            intent.challenge = Some(claim.clone());
            (store.begin_issuance(intent).await.unwrap(), claim.claim)
        });
    }
    let outcomes = tries.join_all().await;
    let winners: Vec<_> = outcomes.iter().filter(|(begun, _)| *begun == Begun::Done).map(|(_, claim)| claim.clone()).collect();
    assert_eq!(winners.len(), 1);
    let told = Begun::ChallengeUsed(winners[0].clone());
    assert_eq!(outcomes.iter().filter(|(begun, _)| *begun == told).count(), 63);
    assert_eq!(store.list_open_intents(sample::after(1)).await.unwrap().len(), 1);
    assert_eq!(store.load_challenge(sample::challenge_id(1)).await.unwrap().unwrap().used.as_ref(), Some(&winners[0]));
}

pub async fn challenge_expired_or_unknown(engine: &dyn Engine) {
    let store = engine.open().await;
    let mut expired = sample::challenge(1);
    expired.expires_at = sample::NOW;
    store.save_challenge(expired, sample::event(AuditKind::ChallengeCreated, None)).await.unwrap();
    for n in [1, 2] {
        let mut intent = sample::intent(n);
        intent.challenge = Some(sample::claim(n, intent.certificate.request, n));
        assert_eq!(begin(&*store, &intent).await, Begun::ChallengeGone, "from expires_at on it is refused");
    }
}

pub async fn same_serial_is_refused(engine: &dyn Engine) {
    let store = engine.open().await;
    assert_eq!(begin(&*store, &sample::intent(1)).await, Begun::Done);
    let mut second = sample::intent(2);
    second.certificate.serial = sample::serial(1);
    assert_eq!(begin(&*store, &second).await, Begun::SerialTaken);
    second.certificate.issuer = "another".parse().unwrap();
    assert_eq!(begin(&*store, &second).await, Begun::Done, "numbers are unique for an issuer");
}

/// Two nodes each get a request of the same transaction at the same moment, with different keys and challenges of their own.
pub async fn two_keys_in_one_transaction_at_once(engine: &dyn Engine) {
    let nodes = [engine.open().await, engine.open().await];
    for round in 0..30 {
        let intents = [2 * round, 2 * round + 1].map(|n| {
            let mut intent = sample::intent(n);
            if let Some(request) = &mut intent.request {
                request.transaction = format!("shared-{round}");
            }
            intent
        });
        let (first, second) = futures_util::future::join(begin(&*nodes[0], &intents[0]), begin(&*nodes[1], &intents[1])).await;
        let winners = [&first, &second].into_iter().filter(|begun| **begun == Begun::Done).count();
        assert_eq!(winners, 1, "round {round}: {first:?}, {second:?}");
    }
}

pub async fn another_key_in_the_transaction(engine: &dyn Engine) {
    let store = engine.open().await;
    let first = sample::issue(&*store, 1).await;
    let with = |n: u32, change: &dyn Fn(&mut RequestRecord)| {
        let mut intent = sample::intent(n);
        let mut request = intent.request.take().unwrap();
        request.transaction = "transaction-1".to_owned();
        change(&mut request);
        Intent { request: Some(request), ..intent }
    };
    assert_eq!(begin(&*store, &with(2, &|_| ())).await, Begun::OtherKey(first.certificate.request));
    assert_eq!(begin(&*store, &with(3, &|r| r.signer_key_digest = Some(sample::digest(1)))).await, Begun::Done, "same signer");
    assert_eq!(
        begin(&*store, &with(4, &|r| r.key_digest = Some(sample::digest(1)))).await,
        Begun::OtherKey(
            // The renewal of before signed with the first key for a new one; to this request that one is the stranger.
            store.find_request_by_message(&sample::profile(), "transaction-1", sample::digest(3)).await.unwrap().unwrap().id
        )
    );
    assert_eq!(begin(&*store, &with(5, &|r| r.profile = "other".parse().unwrap())).await, Begun::Done, "other profile");
    let mut late = with(6, &|_| ());
    late.now = sample::NOW + Span::from_days(7);
    assert_eq!(begin(&*store, &late).await, Begun::Done, "after seven days");
}

pub async fn clock_behind(engine: &dyn Engine) {
    let store = engine.open().await;
    assert_eq!(begin(&*store, &sample::intent(1)).await, Begun::Done);
    drop(store);
    let store = engine.open().await;
    let at = |n: u32, ms: i64| Intent { now: Timestamp(sample::NOW.0 + ms), ..sample::intent(n) };
    assert_eq!(begin(&*store, &at(2, -300_000)).await, Begun::Done);
    assert_eq!(begin(&*store, &at(3, -300_001)).await, Begun::ClockBehind(sample::NOW));
    assert_eq!(begin(&*store, &at(4, 60_000)).await, Begun::Done);
    assert_eq!(begin(&*store, &at(5, -300_000)).await, Begun::ClockBehind(sample::after(60)));
}

pub async fn from_pending_only_once(engine: &dyn Engine) {
    let store = engine.open().await;
    let held = sample::request(1, RequestState::Pending);
    let event = sample::event(AuditKind::RequestHeld, Some(held.id));
    assert_eq!(store.hold_request(held.clone(), None, vec![], event).await.unwrap(), Begun::Done);
    let granted = RequestRecord { state: RequestState::Granted, decided_by: Some("admin:a".to_owned()), ..held.clone() };
    let approve = |n: u32| Intent {
        certificate: sample::certificate(n, held.id),
        request: Some(granted.clone()),
        opening: Opening::Pending,
        ..sample::intent(n)
    };
    let (a, b) = tokio::join!(store.begin_issuance(approve(1)), store.begin_issuance(approve(2)));
    let mut outcomes = [a.unwrap(), b.unwrap()];
    outcomes.sort_by_key(|begun| *begun != Begun::Done);
    assert_eq!(outcomes, [Begun::Done, Begun::NotPending]);
    assert_eq!(store.load_request(held.id).await.unwrap(), Some(granted.clone()));
    let mut unknown = approve(3);
    unknown.request = Some(RequestRecord { id: RequestId::generate(sample::NOW), ..granted });
    assert_eq!(begin(&*store, &unknown).await, Begun::NotPending);
}

pub async fn refusals_leave_no_trace(engine: &dyn Engine) {
    let store = engine.open().await;
    sample::save_challenge(&*store, 1).await;
    assert_eq!(begin(&*store, &sample::intent(1)).await, Begun::Done);
    let tip = store.audit_tip().await.unwrap();
    // The serial number is checked last: request, challenge and clock have been written by then.
    let mut taken = sample::intent(2);
    let request = taken.certificate.request;
    taken.certificate.serial = sample::serial(1);
    taken.challenge = Some(sample::claim(1, request, 2));
    taken.now = sample::after(3000);
    assert_eq!(begin(&*store, &taken).await, Begun::SerialTaken);
    assert_eq!(store.load_request(request).await.unwrap(), None);
    assert_eq!(store.load_challenge(sample::challenge_id(1)).await.unwrap().unwrap().used, None);
    assert_eq!(store.audit_tip().await.unwrap(), tip);
    assert_eq!(begin(&*store, &sample::intent(3)).await, Begun::Done, "the clock was not raised");
}

pub async fn finish_twice(engine: &dyn Engine) {
    let store = engine.open().await;
    let intent = sample::issue(&*store, 1).await;
    let tip = store.audit_tip().await.unwrap();
    let signed = sample::signed(&intent);
    store.finish_issuance(signed.clone()).await.unwrap();
    assert_eq!(store.audit_tip().await.unwrap(), tip, "a repetition changes nothing");
    let mut other = signed;
    other.der.push(0);
    assert!(store.finish_issuance(other).await.is_err(), "never two certificates under one number");
}

pub async fn finish_without_intent(engine: &dyn Engine) {
    let store = engine.open().await;
    let error = store.finish_issuance(sample::signed(&sample::intent(1))).await.unwrap_err();
    assert_eq!(error.code(), "store.corrupt");
    assert_eq!(store.audit_tip().await.unwrap().0, 0);
}

pub async fn own_certificates_need_no_request(engine: &dyn Engine) {
    let store = engine.open().await;
    let mut intent = sample::intent(1);
    intent.request = None;
    intent.certificate.template = None;
    intent.certificate.profile = None;
    let intent = sample::issue_as(&*store, intent).await;
    assert!(load(&*store, 1).await.unwrap().der.is_some());
    assert_eq!(store.load_request(intent.certificate.request).await.unwrap(), None);
}

pub async fn abandoned_intent_is_taken_over_once(engine: &dyn Engine) {
    let store = engine.open().await;
    let first = sample::intent(1);
    assert_eq!(begin(&*store, &first).await, Begun::Done);
    let request = first.request.clone().unwrap();
    let again = |n: u32| Intent {
        certificate: sample::certificate(n, request.id),
        request: Some(request.clone()),
        opening: Opening::Abandoned { issuer: first.certificate.issuer.clone(), serial: first.certificate.serial.clone() },
        challenge: None,
        ..sample::intent(n)
    };
    let (a, b) = tokio::join!(store.begin_issuance(again(2)), store.begin_issuance(again(3)));
    let mut outcomes = [a.unwrap(), b.unwrap()];
    outcomes.sort_by_key(|begun| *begun != Begun::Done);
    assert_eq!(outcomes, [Begun::Done, Begun::NotPending]);
    let abandoned = store.load_certificate(&first.certificate.issuer, &first.certificate.serial).await.unwrap().unwrap();
    assert!(abandoned.revocation.is_some() && abandoned.der.is_none());
    assert!(store.finish_issuance(sample::signed(&first)).await.is_err(), "the abandoned intent can never be finished");
}

pub async fn withdrawn_is_stored_revoked(engine: &dyn Engine) {
    let store = engine.open().await;
    let intent = sample::intent(1);
    let request = intent.request.clone().unwrap();
    assert_eq!(begin(&*store, &intent).await, Begun::Done);
    let revocation = Revocation { at: sample::after(1), reason: RevocationReason::PrivilegeWithdrawn };
    let withdrawn = Withdrawal { revocation, reason: "ra.module-notify".into(), detail: "nobody was told".into() };
    let signed = Signed { withdrawn: Some(withdrawn), ..sample::signed(&intent) };
    store.finish_issuance(signed.clone()).await.unwrap();
    let stored = load(&*store, 1).await.unwrap();
    assert_eq!((stored.der, stored.revocation), (Some(signed.der), Some(revocation)));
    let told = store.load_request(request.id).await.unwrap().unwrap();
    assert_eq!((told.state, told.reason.as_deref(), told.claims), (RequestState::Denied, Some("ra.module-notify"), None));
    let crl = store.begin_crl(&sample::issuer(), sample::NOW).await.unwrap();
    assert_eq!(crl.entries.len(), 1);
}

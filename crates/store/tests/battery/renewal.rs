//! Renewal: one living successor, whoever asks and however often.

use lanyard_model::{certificate::RevocationReason, id::AuthorityName, serial::SerialNumber};
use lanyard_store::ports::{Begun, Intent, RenewalClaim, Signed};

use crate::{engine::Engine, sample};

/// The renewal of certificate 1 as certificate `n`, decided when `seen` was its successor.
fn renewal(n: u32, seen: Option<SerialNumber>) -> Intent {
    let mut intent = sample::intent(n);
    intent.certificate.predecessor = Some(sample::serial(1));
    Intent {
        renews: Some(RenewalClaim { issuer: sample::issuer(), predecessor: sample::serial(1), seen_successor: seen }),
        ..intent
    }
}

pub async fn predecessor_is_linked(engine: &dyn Engine) {
    let store = engine.open().await;
    sample::issue(&*store, 1).await;
    sample::issue_as(&*store, renewal(2, None)).await;
    let load = async |n: u32| store.load_certificate(&sample::issuer(), &sample::serial(n)).await.unwrap().unwrap();
    assert_eq!(load(1).await.successor, Some(sample::serial(2)));
    assert_eq!(load(2).await.predecessor, Some(sample::serial(1)));
}

pub async fn race_has_one_winner(engine: &dyn Engine) {
    let store = engine.open().await;
    sample::issue(&*store, 1).await;
    let mut tries = tokio::task::JoinSet::new();
    for n in 2..18 {
        let store = store.clone();
        tries.spawn(async move { store.begin_issuance(renewal(n, None)).await.unwrap() });
    }
    let outcomes = tries.join_all().await;
    assert_eq!(outcomes.iter().filter(|begun| **begun == Begun::Done).count(), 1);
    assert_eq!(outcomes.iter().filter(|begun| **begun == Begun::PredecessorChanged).count(), 15);
}

pub async fn revoked_or_unsigned_predecessor(engine: &dyn Engine) {
    let store = engine.open().await;
    let unknown = store.begin_issuance(renewal(2, None)).await.unwrap();
    assert_eq!(unknown, Begun::PredecessorChanged);
    let first = sample::intent(1);
    store.begin_issuance(first.clone()).await.unwrap();
    assert_eq!(store.begin_issuance(renewal(2, None)).await.unwrap(), Begun::PredecessorChanged, "not signed yet");
    store.finish_issuance(sample::signed(&first)).await.unwrap();
    assert!(sample::revoke(&*store, 1).await);
    assert_eq!(store.begin_issuance(renewal(2, None)).await.unwrap(), Begun::PredecessorChanged, "revoked");
}

pub async fn successor_is_superseded(engine: &dyn Engine) {
    let store = engine.open().await;
    sample::issue(&*store, 1).await;
    sample::issue_as(&*store, renewal(2, None)).await;
    // The answer was lost; the device renews again and the server saw certificate 2.
    let again = renewal(3, Some(sample::serial(2)));
    assert_eq!(store.begin_issuance(again.clone()).await.unwrap(), Begun::Done);
    let load = async |n: u32| store.load_certificate(&sample::issuer(), &sample::serial(n)).await.unwrap().unwrap();
    assert_eq!(load(2).await.revocation, None, "not before its replacement is signed");
    let superseded = sample::revocation(RevocationReason::Superseded);
    let signed = Signed { supersedes: Some((sample::issuer(), sample::serial(2), superseded)), ..sample::signed(&again) };
    store.finish_issuance(signed).await.unwrap();
    assert_eq!(load(2).await.revocation, Some(superseded));
    assert_eq!(load(1).await.successor, Some(sample::serial(3)));
    assert_eq!(load(1).await.revocation, None);
}

pub async fn across_two_authorities(engine: &dyn Engine) {
    let store = engine.open().await;
    sample::issue(&*store, 1).await;
    sample::issue_as(&*store, renewal(2, None)).await;
    // Another authority issues by now; it knows that certificate 2 is of the one before.
    let next: AuthorityName = "issuing-2".parse().unwrap();
    let mut again = renewal(3, Some(sample::serial(2)));
    again.certificate.issuer = next.clone();
    again.request.as_mut().unwrap().certificate = Some((next.clone(), sample::serial(3)));
    assert_eq!(store.begin_issuance(again.clone()).await.unwrap(), Begun::Done);
    let superseded = sample::revocation(RevocationReason::Superseded);
    let supersedes = Some((sample::issuer(), sample::serial(2), superseded));
    store.finish_issuance(Signed { supersedes, ..sample::signed(&again) }).await.unwrap();
    let load = async |n: u32| store.load_certificate(&sample::issuer(), &sample::serial(n)).await.unwrap().unwrap();
    assert_eq!((load(1).await.successor, load(2).await.revocation), (Some(sample::serial(3)), Some(superseded)));
    let newest = store.load_certificate(&next, &sample::serial(3)).await.unwrap().unwrap();
    assert_eq!((newest.predecessor, newest.revocation), (Some(sample::serial(1)), None));
}

//! Challenges before their use.

use lanyard_model::audit::AuditKind;

use crate::{engine::Engine, sample};

pub async fn round_trip(engine: &dyn Engine) {
    let store = engine.open().await;
    sample::save_challenge(&*store, 1).await;
    assert_eq!(store.load_challenge(sample::challenge_id(1)).await.unwrap(), Some(sample::challenge(1)));
    let (records, _) = store.audit_tip().await.unwrap();
    assert_eq!(records, 1);
}

pub async fn unknown_is_none(engine: &dyn Engine) {
    let store = engine.open().await;
    assert_eq!(store.load_challenge(sample::challenge_id(1)).await.unwrap(), None);
}

pub async fn same_id_twice_is_refused(engine: &dyn Engine) {
    let store = engine.open().await;
    sample::save_challenge(&*store, 1).await;
    let again = sample::challenge(1);
    let error = store.save_challenge(again, sample::event(AuditKind::ChallengeCreated, None)).await.unwrap_err();
    assert_eq!(error.code(), "store.engine");
    assert_eq!(store.audit_tip().await.unwrap().0, 1, "a refused write leaves no event");
}

pub async fn one_of_many_adopts_an_id(engine: &dyn Engine) {
    let store = engine.open().await;
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let store = store.clone();
        let audit = sample::event(AuditKind::ChallengeCreated, None);
        tries.spawn(async move { store.adopt_challenge(sample::challenge(1), audit).await.unwrap() });
    }
    assert_eq!(tries.join_all().await.into_iter().filter(|adopted| *adopted).count(), 1);
    assert_eq!(store.load_challenge(sample::challenge_id(1)).await.unwrap(), Some(sample::challenge(1)));
    assert_eq!(store.audit_tip().await.unwrap().0, 1, "what was not adopted leaves no event");
}

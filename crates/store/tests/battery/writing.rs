//! What every write can rely on.

use std::time::Duration;

use lanyard_model::audit::{AuditKind, ChainVerdict};

use crate::{engine::Engine, sample};

pub async fn a_bad_job_harms_no_neighbour(engine: &dyn Engine) {
    let store = engine.open().await;
    sample::save_challenge(&*store, 0).await;
    let mut writes = tokio::task::JoinSet::new();
    for n in 1..=200 {
        let store = store.clone();
        writes.spawn(async move {
            // Every second one saves a challenge that exists.
            let challenge = sample::challenge(if n % 2 == 0 { 0 } else { n });
            (n, store.save_challenge(challenge, sample::event(AuditKind::ChallengeCreated, None)).await.is_ok())
        });
    }
    assert!(writes.join_all().await.into_iter().all(|(n, saved)| saved == (n % 2 == 1)));
    for n in (1..200).step_by(2) {
        assert!(store.load_challenge(sample::challenge_id(n)).await.unwrap().is_some(), "{n}");
    }
    assert!(matches!(store.verify_audit().await.unwrap(), ChainVerdict::Intact { records: 101, .. }));
}

pub async fn a_caller_that_leaves_undoes_nothing(engine: &dyn Engine) {
    let store = engine.open().await;
    // One look at the future queues the write; then the caller is gone.
    let saving = store.save_setting("left", vec![1]);
    drop(tokio::time::timeout(Duration::ZERO, saving).await);
    // A write behind it: when this one is answered, a queued one has happened.
    store.save_setting("behind", vec![2]).await.unwrap();
    assert_eq!(store.load_setting("left").await.unwrap(), Some(vec![1]));
}

pub async fn nothing_is_lost_without_close(engine: &dyn Engine) {
    let store = engine.open().await;
    for n in 0..50 {
        sample::issue(&*store, n).await;
    }
    drop(store);
    let store = engine.open().await;
    for n in 0..50 {
        let found = store.load_certificate(&sample::issuer(), &sample::serial(n)).await.unwrap();
        assert!(found.is_some_and(|c| c.der.is_some()), "{n}");
    }
    assert!(matches!(store.verify_audit().await.unwrap(), ChainVerdict::Intact { records: 100, .. }));
}

pub async fn a_closed_store_refuses(engine: &dyn Engine) {
    let store = engine.open().await;
    let mut writes = tokio::task::JoinSet::new();
    for n in 0..100 {
        let store = store.clone();
        writes.spawn(async move { store.save_setting(&n.to_string(), vec![1]).await.is_ok().then_some(n) });
    }
    tokio::task::yield_now().await;
    store.close().await;
    store.close().await;
    let saved: Vec<i32> = writes.join_all().await.into_iter().flatten().collect();
    assert_eq!(store.save_setting("late", vec![]).await.unwrap_err().code(), "store.closed");
    assert_eq!(store.load_setting("late").await.unwrap_err().code(), "store.closed");
    assert!(store.check().await.is_err());
    let store = engine.open().await;
    for n in saved {
        assert!(store.load_setting(&n.to_string()).await.unwrap().is_some(), "answered, so it is there");
    }
}

pub async fn the_health_check_writes(engine: &dyn Engine) {
    let store = engine.open().await;
    store.check().await.unwrap();
    store.check().await.unwrap();
    assert_eq!(store.audit_tip().await.unwrap().0, 0);
}

//! What all nodes count together.

use lanyard_model::{audit::AuditKind, challenge::ChallengeRecord};
use lanyard_store::ports::{Raise, Store};

use crate::{engine::Engine, sample};

fn raise(name: &str, by: i64) -> Raise {
    Raise { name: name.to_owned(), by: by * 1000, most: 100_000 }
}

pub async fn sink_and_are_limited(engine: &dyn Engine) {
    let store = engine.open().await;
    let at = async |name: &str| store.load_count(name).await.unwrap();
    assert_eq!(at("a").await, None);
    store.raise_counts(sample::NOW, vec![raise("b", 5), raise("a", 30)]).await.unwrap();
    store.raise_counts(sample::after(10), vec![raise("a", 30), raise("b", 5)]).await.unwrap();
    assert_eq!((at("a").await, at("b").await), (Some(sample::after(60)), Some(sample::after(15))), "b was empty in between");
    for _ in 0..3 {
        store.raise_counts(sample::after(10), vec![raise("a", 30)]).await.unwrap();
    }
    assert_eq!(at("a").await, Some(sample::after(110)));
    store.clear_counts(sample::after(15)).await.unwrap();
    assert_eq!((at("a").await, at("b").await), (Some(sample::after(110)), None));
}

pub async fn something_is_used_once(engine: &dyn Engine) {
    let store = engine.open().await;
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let store = store.clone();
        tries.spawn(async move { store.use_once("token", sample::after(600)).await.unwrap() });
    }
    assert_eq!(tries.join_all().await.into_iter().filter(|used| *used).count(), 1);
    assert!(store.use_once("another", sample::after(600)).await.unwrap());
}

/// Two stores on one database are two nodes.
pub async fn places_of_a_page_are_never_exceeded(engine: &dyn Engine) {
    let stores = [engine.open().await, engine.open().await];
    let page = |n: u32| ChallengeRecord { expires_at: sample::after(600), ..sample::challenge(n) };
    let event = || sample::event(AuditKind::ChallengeCreated, None);
    let mut tries = tokio::task::JoinSet::new();
    for n in 0..16 {
        let store = stores[n as usize % 2].clone();
        tries
            .spawn(async move { store.save_page_challenge(page(n), &sample::profile(), 3, event()).await.unwrap().then_some(n) });
    }
    let saved: Vec<u32> = tries.join_all().await.into_iter().flatten().collect();
    assert_eq!(saved.len(), 3);
    let store: &dyn Store = &*stores[0];
    let unused = async |seconds| store.count_page_challenges(&sample::profile(), sample::after(seconds)).await.unwrap();
    assert_eq!((unused(0).await, unused(600).await), (3, 0));
    assert!(store.load_challenge(page(saved[0]).id).await.unwrap().is_some());
    let mut first = sample::intent(1);
    first.challenge = Some(sample::claim(saved[0], first.request.as_ref().unwrap().id, 1));
    store.begin_issuance(first).await.unwrap();
    assert_eq!(unused(0).await, 2);
    let other = "other".parse().unwrap();
    assert!(store.save_page_challenge(page(20), &other, 1, event()).await.unwrap());
    assert!(store.save_page_challenge(page(21), &sample::profile(), 3, event()).await.unwrap());
    assert!(!store.save_page_challenge(page(22), &sample::profile(), 3, event()).await.unwrap());
    assert!(store.load_challenge(page(22).id).await.unwrap().is_none());
}

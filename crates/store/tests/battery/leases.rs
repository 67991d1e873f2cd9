//! Leases: one holder, and a fence that stops the one before.

use lanyard_model::{audit::AuditKind, authority::CrlRecord, node::NodeRecord};

use crate::{engine::Engine, sample};

const NAME: &str = "leader";

pub async fn one_takes_and_the_others_see_it(engine: &dyn Engine) {
    let store = engine.open().await;
    assert_eq!(store.load_lease(NAME).await.unwrap(), None);
    let (a, b) = tokio::join!(store.take_lease(NAME, "a", None), store.take_lease(NAME, "b", None));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert!(a.is_some() != b.is_some(), "{a:?} {b:?}");
    let held = a.or(b).unwrap();
    assert_eq!(store.load_lease(NAME).await.unwrap().as_ref(), Some(&held));
    assert_eq!(store.take_lease(NAME, "c", None).await.unwrap(), None);
}

pub async fn a_sign_of_life_keeps_it(engine: &dyn Engine) {
    let store = engine.open().await;
    let held = store.take_lease(NAME, "a", None).await.unwrap().unwrap();
    let seen = store.load_lease(NAME).await.unwrap().unwrap();
    assert!(store.keep_lease(&held).await.unwrap());
    assert_eq!(store.take_lease(NAME, "b", Some(&seen)).await.unwrap(), None, "it lives");
    let seen = store.load_lease(NAME).await.unwrap().unwrap();
    let (b, c) = tokio::join!(store.take_lease(NAME, "b", Some(&seen)), store.take_lease(NAME, "c", Some(&seen)));
    let taken = [b.unwrap(), c.unwrap()].into_iter().flatten().collect::<Vec<_>>();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].fence, held.fence + 1);
    assert!(!store.keep_lease(&held).await.unwrap() && !store.release_lease(&held).await.unwrap());
    assert!(store.release_lease(&taken[0]).await.unwrap());
    assert_eq!(store.load_lease(NAME).await.unwrap().unwrap().holder, "");
}

pub async fn nodes_say_what_they_loaded(engine: &dyn Engine) {
    let store = engine.open().await;
    let node = |name: &str, digest: &str, seen: i64| NodeRecord {
        name: name.to_owned(),
        files: [("templates/wifi.toml".to_owned(), digest.to_owned())].into(),
        started_at: sample::NOW,
        seen_at: sample::after(seen),
    };
    for one in [node("b", "07", 0), node("a", "08", 1), node("b", "09", 60)] {
        store.save_node(one).await.unwrap();
    }
    assert_eq!(store.list_nodes().await.unwrap(), [node("a", "08", 1), node("b", "09", 60)]);
    store.forget_nodes(sample::after(60)).await.unwrap();
    assert_eq!(store.list_nodes().await.unwrap(), [node("b", "09", 60)]);
    store.remove_node("b").await.unwrap();
    assert!(store.list_nodes().await.unwrap().is_empty());
}

pub async fn the_fence_stops_whoever_lost_it(engine: &dyn Engine) {
    let store = engine.open().await;
    let old = store.take_lease(NAME, "a", None).await.unwrap().unwrap();
    let crl = |number| CrlRecord {
        issuer: sample::issuer(),
        number,
        this_update: sample::NOW,
        next_update: sample::after(60),
        der: vec![1],
    };
    let event = || sample::event(AuditKind::CrlIssued, None);
    store.save_crl(crl(1), 0, Some(old.clone()), event()).await.unwrap();
    let new = store.take_lease(NAME, "b", Some(&old)).await.unwrap().unwrap();
    let error = store.save_crl(crl(2), 0, Some(old.clone()), event()).await.unwrap_err();
    assert_eq!(error.code(), "store.lease-lost");
    let error = store.save_authority(vec![], vec![], Some(old.clone()), event()).await.unwrap_err();
    assert_eq!(error.code(), "store.lease-lost");
    let error = store.change_setting("issuing", vec![2], Some(old), event()).await.unwrap_err();
    assert_eq!(error.code(), "store.lease-lost");
    assert_eq!(store.load_setting("issuing").await.unwrap(), None);
    store.change_setting("issuing", vec![3], Some(new.clone()), event()).await.unwrap();
    assert_eq!(store.load_setting("issuing").await.unwrap(), Some(vec![3]));
    store.save_crl(crl(2), 0, Some(new), event()).await.unwrap();
    assert_eq!(store.load_crl(&sample::issuer()).await.unwrap().unwrap().number, 2);
}

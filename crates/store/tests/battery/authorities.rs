//! The authority's own certificates and keys.

use lanyard_model::{
    audit::AuditKind,
    authority::{AuthorityRecord, AuthorityRole, SealedKey},
};

use crate::{engine::Engine, sample};

fn key(n: u8) -> SealedKey {
    SealedKey { id: format!("key-{n}").parse().unwrap(), sealed: vec![n; 100], created_at: sample::NOW }
}

fn authority(n: u8, role: AuthorityRole) -> AuthorityRecord {
    AuthorityRecord {
        name: sample::issuer(),
        role,
        certificate: vec![0x30, n],
        key: key(n).id,
        not_before: sample::NOW,
        not_after: sample::after(i64::from(n)),
    }
}

pub async fn round_trip(engine: &dyn Engine) {
    let store = engine.open().await;
    let event = sample::event(AuditKind::Initialized, None);
    let first = vec![authority(1, AuthorityRole::Root), authority(2, AuthorityRole::Issuing)];
    store.save_authority(vec![key(1), key(2)], first, None, event.clone()).await.unwrap();
    let second = vec![authority(3, AuthorityRole::Registration), authority(4, AuthorityRole::Tls)];
    store.save_authority(vec![key(3), key(4)], second, None, event).await.unwrap();
    let expected = [
        authority(4, AuthorityRole::Tls),
        authority(3, AuthorityRole::Registration),
        authority(2, AuthorityRole::Issuing),
        authority(1, AuthorityRole::Root),
    ];
    assert_eq!(store.list_authorities().await.unwrap(), expected, "newest first");
    assert_eq!(store.load_key(&key(2).id).await.unwrap(), Some(key(2)));
    assert_eq!(store.load_key(&key(9).id).await.unwrap(), None);
}

pub async fn a_key_is_never_replaced(engine: &dyn Engine) {
    let store = engine.open().await;
    let event = sample::event(AuditKind::ServiceCertificateRenewed, None);
    store.save_authority(vec![key(1)], vec![], None, event.clone()).await.unwrap();
    let other = SealedKey { sealed: vec![0], ..key(1) };
    let together = vec![authority(1, AuthorityRole::Tls)];
    assert!(store.save_authority(vec![key(2), other], together, None, event).await.is_err());
    assert_eq!(store.load_key(&key(1).id).await.unwrap(), Some(key(1)));
    assert_eq!(store.load_key(&key(2).id).await.unwrap(), None, "all or nothing");
    assert_eq!(store.list_authorities().await.unwrap(), vec![]);
}

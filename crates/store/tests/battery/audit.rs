//! The audit log.

use lanyard_model::{
    audit::{AuditHead, AuditKind, ChainVerdict},
    id::RequestId,
};

use crate::{engine::Engine, sample};

pub async fn chain_is_intact(engine: &dyn Engine) {
    let store = engine.open().await;
    assert_eq!(store.audit_tip().await.unwrap(), (0, [0; 32]));
    assert_eq!(store.verify_audit().await.unwrap(), ChainVerdict::Intact { records: 0, head: [0; 32] });
    let mut writes = tokio::task::JoinSet::new();
    for n in 0..2500 {
        let store = store.clone();
        writes.spawn(async move {
            let mut event = sample::event(AuditKind::Incident, None);
            event.object = Some(n.to_string());
            // Some in the middle of a batch are undone: the chain closes over the gap.
            if n % 50 == 0 {
                sample::revoke(&*store, n).await;
            }
            store.append_audit(event).await.unwrap();
        });
    }
    writes.join_all().await;
    let (records, head) = store.audit_tip().await.unwrap();
    assert_eq!(records, 2500);
    assert_eq!(store.verify_audit().await.unwrap(), ChainVerdict::Intact { records, head });
    let page = store.list_audit(2490, 5).await.unwrap();
    assert_eq!(page.iter().map(|r| r.sequence).collect::<Vec<_>>(), [2491, 2492, 2493, 2494, 2495]);
    assert_eq!(store.list_audit(2499, 0).await.unwrap()[0].hash, head);
    assert_eq!(store.list_audit(0, 0).await.unwrap().len(), 100);
}

pub async fn records_of_a_request(engine: &dyn Engine) {
    let store = engine.open().await;
    let (one, other) = (RequestId::generate(sample::NOW), RequestId::generate(sample::NOW));
    let events = [
        sample::event(AuditKind::RequestHeld, Some(one)),
        sample::event(AuditKind::Started, None),
        sample::event(AuditKind::RequestDenied, Some(other)),
        sample::event(AuditKind::RequestApproved, Some(one)),
    ];
    for event in &events {
        store.append_audit(event.clone()).await.unwrap();
    }
    let found = store.audit_of_request(one).await.unwrap();
    assert_eq!(found.iter().map(|r| (r.sequence, &r.event)).collect::<Vec<_>>(), [(1, &events[0]), (4, &events[3])]);
}

pub async fn heads(engine: &dyn Engine) {
    let store = engine.open().await;
    let mut heads = Vec::new();
    assert_eq!(store.newest_audit_head().await.unwrap(), None);
    for n in 1..=3 {
        store.append_audit(sample::event(AuditKind::Started, None)).await.unwrap();
        let (sequence, hash) = store.audit_tip().await.unwrap();
        let head = AuditHead { sequence, hash, at: sample::after(n), signature: vec![7; 64] };
        store.save_audit_head(head.clone()).await.unwrap();
        heads.push((head, Some(hash)));
    }
    assert_eq!(store.list_audit_heads().await.unwrap(), heads);
    assert_eq!(store.newest_audit_head().await.unwrap().as_ref(), heads.last().map(|(head, _)| head));
    assert!(matches!(store.verify_audit().await.unwrap(), ChainVerdict::Intact { records: 3, .. }));
    let beyond = AuditHead { sequence: 9, ..heads[0].0.clone() };
    store.save_audit_head(beyond.clone()).await.unwrap();
    assert_eq!(store.list_audit_heads().await.unwrap()[3], (beyond, None));
    assert!(matches!(store.verify_audit().await.unwrap(), ChainVerdict::Broken { sequence: 4, .. }));
}

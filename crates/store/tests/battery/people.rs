//! Tokens, groups, imports and approvals.

use lanyard_model::{
    audit::AuditKind,
    directory::{Device, Group, User},
    request::{ApprovalRecord, RequestState},
    time::Timestamp,
    token::{Scope, TokenRecord},
};

use crate::{engine::Engine, sample};

fn token(id: &str) -> TokenRecord {
    TokenRecord {
        id: id.parse().unwrap(),
        keyed_hash: [7; 32],
        description: "for the MDM".to_owned(),
        user: None,
        scope: Scope::Mint { profiles: vec!["default".parse().unwrap()], templates: vec!["wifi".parse().unwrap()] },
        calls_per_minute: 60,
        created_by: "admin:uid-0".to_owned(),
        created_at: sample::NOW,
        expires_at: sample::after(9),
        revoked_at: None,
    }
}

pub async fn tokens(engine: &dyn Engine) {
    let store = engine.open().await;
    let event = sample::event(AuditKind::TokenCreated, None);
    for id in ["b", "a"] {
        store.save_token(token(id), event.clone()).await.unwrap();
    }
    let revoked = TokenRecord { revoked_at: Some(Timestamp(1)), ..token("a") };
    store.save_token(revoked.clone(), event).await.unwrap();
    assert_eq!(store.load_token(&revoked.id).await.unwrap(), Some(revoked.clone()));
    assert_eq!(store.load_token(&"c".parse().unwrap()).await.unwrap(), None);
    assert_eq!(store.list_tokens().await.unwrap(), [revoked, token("b")]);
}

pub async fn groups(engine: &dyn Engine) {
    let store = engine.open().await;
    let event = sample::event(AuditKind::DirectoryChanged, None);
    let group = Group {
        name: "staff".parse().unwrap(),
        description: "Everybody".to_owned(),
        users: ["jo".parse().unwrap()].into(),
        devices: ["inv-7".parse().unwrap()].into(),
    };
    store.save_group(group.clone(), event.clone()).await.unwrap();
    assert_eq!(store.load_group(&group.name).await.unwrap(), Some(group.clone()));
    assert_eq!(store.list_groups().await.unwrap(), std::slice::from_ref(&group));
    assert!(store.remove_group(&group.name, event.clone()).await.unwrap());
    assert!(!store.remove_group(&group.name, event).await.unwrap());
    assert_eq!(store.audit_tip().await.unwrap().0, 2, "what was not there leaves no event");
}

fn people() -> (Vec<User>, Vec<Device>) {
    let user: User = serde_json::from_str(r#"{"name":"jo"}"#).unwrap();
    let device: Device = serde_json::from_str(r#"{"id":"inv-7"}"#).unwrap();
    (vec![user], vec![device])
}

pub async fn an_import_is_one_write(engine: &dyn Engine) {
    let store = engine.open().await;
    let (users, devices) = people();
    let event = sample::event(AuditKind::DirectoryChanged, None);
    store.import_directory(users.clone(), devices.clone(), event.clone()).await.unwrap();
    assert_eq!((store.list_users().await.unwrap(), store.list_devices().await.unwrap()), (users, devices));
    assert_eq!(store.audit_tip().await.unwrap().0, 1);
}

pub async fn removal(engine: &dyn Engine) {
    let store = engine.open().await;
    let (users, devices) = people();
    let event = sample::event(AuditKind::DirectoryChanged, None);
    store.import_directory(users.clone(), devices.clone(), event.clone()).await.unwrap();
    assert!(store.remove_user(&users[0].name, event.clone()).await.unwrap());
    assert!(store.remove_device(&devices[0].id, event.clone()).await.unwrap());
    assert!(!store.remove_user(&users[0].name, event).await.unwrap());
    assert!(store.list_users().await.unwrap().is_empty() && store.list_devices().await.unwrap().is_empty());
}

pub async fn approvals_while_pending(engine: &dyn Engine) {
    let store = engine.open().await;
    let pending = sample::request(1, RequestState::Pending);
    let approval = |by: &str, n| ApprovalRecord { request: pending.id, by: by.to_owned(), at: sample::after(n) };
    let event = sample::event(AuditKind::RequestApprovedInPart, Some(pending.id));
    assert!(!store.approve_request(approval("a", 1), event.clone()).await.unwrap(), "there is no such request");
    store.hold_request(pending.clone(), None, vec![], sample::event(AuditKind::RequestHeld, Some(pending.id))).await.unwrap();
    assert!(store.approve_request(approval("b", 1), event.clone()).await.unwrap());
    assert!(!store.approve_request(approval("b", 2), event.clone()).await.unwrap(), "each person once");
    assert!(store.approve_request(approval("a", 2), event.clone()).await.unwrap());
    assert_eq!(store.approvals_of(pending.id).await.unwrap(), [approval("b", 1), approval("a", 2)]);
    let denied = lanyard_model::request::RequestRecord { state: RequestState::Denied, ..pending.clone() };
    store.save_denied(denied, None, vec![], sample::event(AuditKind::RequestDenied, Some(pending.id))).await.unwrap();
    assert!(!store.approve_request(approval("c", 3), event).await.unwrap(), "it no longer waits");
}

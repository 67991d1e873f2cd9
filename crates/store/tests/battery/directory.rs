//! Users, devices and settings.

use lanyard_model::{
    audit::AuditKind,
    directory::{Device, User},
};

use crate::{engine::Engine, sample};

fn user(name: &str) -> User {
    User {
        name: name.parse().unwrap(),
        display_name: Some("Jo Döe".to_owned()),
        upn: Some("jo@example.org".to_owned()),
        email: Some("jo@example.org".to_owned()),
        id: None,
        disabled: false,
        ..User::named(name.parse().unwrap())
    }
}

fn device(id: &str) -> Device {
    Device {
        id: id.parse().unwrap(),
        name: Some("laptop".to_owned()),
        dns_name: None,
        serial: Some("SN 7".to_owned()),
        user: Some("jo".parse().unwrap()),
        blocked: false,
        ..Device::named(id.parse().unwrap())
    }
}

pub async fn users(engine: &dyn Engine) {
    let store = engine.open().await;
    let event = sample::event(AuditKind::DirectoryChanged, None);
    for name in ["zoe", "jo"] {
        store.save_user(user(name), event.clone()).await.unwrap();
    }
    let disabled = User { disabled: true, ..user("jo") };
    store.save_user(disabled.clone(), event).await.unwrap();
    assert_eq!(store.load_user(&disabled.name).await.unwrap(), Some(disabled.clone()));
    assert_eq!(store.load_user(&"nobody".parse().unwrap()).await.unwrap(), None);
    assert_eq!(store.list_users().await.unwrap(), [disabled, user("zoe")]);
}

pub async fn devices(engine: &dyn Engine) {
    let store = engine.open().await;
    let event = sample::event(AuditKind::DirectoryChanged, None);
    for id in ["inv-9", "inv-7"] {
        store.save_device(device(id), event.clone()).await.unwrap();
    }
    let blocked = Device { blocked: true, ..device("inv-7") };
    store.save_device(blocked.clone(), event).await.unwrap();
    assert_eq!(store.load_device(&blocked.id).await.unwrap(), Some(blocked.clone()));
    assert_eq!(store.load_device(&"inv-1".parse().unwrap()).await.unwrap(), None);
    assert_eq!(store.list_devices().await.unwrap(), [blocked, device("inv-9")]);
}

pub async fn settings(engine: &dyn Engine) {
    let store = engine.open().await;
    assert_eq!(store.load_setting("instance").await.unwrap(), None);
    store.save_setting("instance", vec![0, 255]).await.unwrap();
    store.save_setting("instance", vec![]).await.unwrap();
    store.save_setting("other", vec![7]).await.unwrap();
    drop(store);
    let store = engine.open().await;
    assert_eq!(store.load_setting("instance").await.unwrap(), Some(vec![]));
    assert_eq!(store.load_setting("other").await.unwrap(), Some(vec![7]));
}

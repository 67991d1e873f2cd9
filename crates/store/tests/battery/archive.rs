//! Archived keys, their recovery, invitations, and what is a person's own.

use lanyard_model::{
    archive::{ArchivedKey, Recovery},
    audit::AuditKind,
    certificate::CertificateRecord,
    directory::Device,
    id::{RequestId, UserName},
    invitation::{InvitationEnd, InvitationRecord},
};
use lanyard_store::ports::{Intent, Store};

use crate::{engine::Engine, sample};

fn key(n: u32, user: &str) -> ArchivedKey {
    ArchivedKey {
        key_digest: sample::digest(n),
        user: user.parse().unwrap(),
        request: RequestId::generate(sample::NOW),
        created_at: sample::after(i64::from(n)),
        sealed: vec![u8::try_from(n).unwrap(); 40],
    }
}

pub async fn keys_are_kept_by_user(engine: &dyn Engine) {
    let store = engine.open().await;
    let (one, two, other) = (key(1, "jo"), key(2, "jo"), key(3, "j_"));
    for kept in [&two, &one, &other] {
        store.save_archived_key(kept.clone(), sample::event(AuditKind::KeyArchived, Some(kept.request))).await.unwrap();
    }
    let jo: UserName = "jo".parse().unwrap();
    assert_eq!(store.archived_keys_of(&jo).await.unwrap(), [one.clone(), two]);
    assert_eq!(store.archived_keys_of(&"nobody".parse().unwrap()).await.unwrap(), []);
    // The same key twice would lose one of them.
    assert!(store.save_archived_key(one, sample::event(AuditKind::KeyArchived, None)).await.is_err());
    assert_eq!(store.archived_keys_of(&jo).await.unwrap().len(), 2);
}

pub async fn a_recovery_changes_once(engine: &dyn Engine) {
    let store = engine.open().await;
    let asked = Recovery {
        id: RequestId::generate(sample::NOW),
        user: "jo".parse().unwrap(),
        reason: "lost".into(),
        asked_by: "user:ann".into(),
        asked_at: sample::NOW,
        until: sample::after(100),
        approved_by: None,
        given_out_at: None,
    };
    let event = || sample::event(AuditKind::RecoveryAsked, Some(asked.id));
    assert!(store.save_recovery(asked.clone(), None, event()).await.unwrap());
    let (found, revision) = store.load_recovery(asked.id).await.unwrap().unwrap();
    assert_eq!(found, asked);
    let approved = Recovery { approved_by: Some("user:bob".into()), ..asked.clone() };
    assert!(store.save_recovery(approved.clone(), Some(revision), event()).await.unwrap());
    // Somebody who saw it before that changes nothing, and it is not audited.
    let before = store.audit_tip().await.unwrap();
    assert!(!store.save_recovery(asked.clone(), Some(revision), event()).await.unwrap());
    assert_eq!(store.audit_tip().await.unwrap(), before);
    assert_eq!(store.load_recovery(asked.id).await.unwrap().unwrap(), (approved.clone(), revision + 1));
    assert_eq!(store.list_recoveries(10).await.unwrap(), [approved]);
    assert_eq!(store.load_recovery(RequestId::generate(sample::NOW)).await.unwrap(), None);
}

async fn issued(store: &dyn Store, n: u32, user: Option<&str>, device: Option<&str>) {
    let mut intent: Intent = sample::intent(n);
    let (user, device) = (user.map(|u| u.parse().unwrap()), device.map(|d| d.parse().unwrap()));
    intent.certificate = CertificateRecord { user, device, ..intent.certificate };
    sample::issue_as(store, intent).await;
}

pub async fn what_is_somebodys_own_is_found(engine: &dyn Engine) {
    let store = engine.open().await;
    issued(&*store, 1, Some("jo"), None).await;
    issued(&*store, 2, Some("jo"), Some("phone-1")).await;
    issued(&*store, 3, Some("jon"), Some("phone-1")).await;
    issued(&*store, 4, None, None).await;
    let serials = |found: Vec<CertificateRecord>| found.into_iter().map(|c| c.serial).collect::<Vec<_>>();
    let jo: UserName = "jo".parse().unwrap();
    let of_jo = store.certificates_of_user(&jo, 10).await.unwrap();
    assert_eq!(serials(of_jo), [sample::serial(2), sample::serial(1)]);
    assert_eq!(serials(store.certificates_of_user(&jo, 1).await.unwrap()), [sample::serial(2)]);
    let of_phone = store.certificates_of_device(&"phone-1".parse().unwrap(), 10).await.unwrap();
    assert_eq!(serials(of_phone), [sample::serial(3), sample::serial(2)]);
    for (id, owner) in [("a", Some("jo")), ("b", Some("jox")), ("c", None), ("d", Some("j_")), ("e", Some("jo"))] {
        let mut device = Device::named(id.parse().unwrap());
        device.user = owner.map(|name| name.parse().unwrap());
        // Text of others cannot make a device somebody's.
        device.name = Some("\",\"user\":\"jo\"".into());
        store.save_device(device, sample::event(AuditKind::DirectoryChanged, None)).await.unwrap();
    }
    let ids = async |name: &str| {
        let found = store.devices_of_user(&name.parse().unwrap()).await.unwrap();
        found.into_iter().map(|device| device.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(ids("jo").await, ["a", "e"]);
    assert_eq!(ids("j_").await, ["d"]);
}

pub async fn an_invitation_ends_once(engine: &dyn Engine) {
    let store = engine.open().await;
    let made = |n: i64| InvitationRecord {
        id: RequestId::generate(sample::after(n)),
        user: "jo".parse().unwrap(),
        what: "an identity".into(),
        sign_in: false,
        at: sample::NOW,
        until: sample::after(100),
        by: "cli:root".into(),
        ended: None,
    };
    let (first, second) = (made(0), made(1));
    for one in [&first, &second] {
        store.save_invitation(one.clone(), sample::event(AuditKind::Invited, None)).await.unwrap();
    }
    assert_eq!(store.list_invitations(10).await.unwrap(), [second.clone(), first.clone()]);
    assert_eq!(store.list_invitations(1).await.unwrap(), [second]);
    let ended = |by: Option<&str>| {
        let end = InvitationEnd { at: sample::after(5), withdrawn_by: by.map(str::to_owned) };
        InvitationRecord { ended: Some(end), ..first.clone() }
    };
    let event = || Some(sample::event(AuditKind::InvitationWithdrawn, None));
    assert!(store.end_invitation("invitation:1", ended(Some("cli:root")), event()).await.unwrap());
    let before = store.audit_tip().await.unwrap();
    assert!(!store.end_invitation("invitation:1", ended(None), event()).await.unwrap(), "whoever comes second changes nothing");
    assert_eq!(store.audit_tip().await.unwrap(), before);
    assert_eq!(store.load_invitation(first.id).await.unwrap(), Some(ended(Some("cli:root"))));
    assert_eq!(store.load_invitation(RequestId::generate(sample::NOW)).await.unwrap(), None);
    // Long after its end it is forgotten.
    store.clear_counts(sample::after(100 + 89 * 86_400)).await.unwrap();
    assert_eq!(store.list_invitations(10).await.unwrap().len(), 2);
    store.clear_counts(sample::after(101 + 90 * 86_400)).await.unwrap();
    assert_eq!(store.list_invitations(10).await.unwrap(), []);
}

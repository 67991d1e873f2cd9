//! A message of a management session: read, written again, and answered by both sides.
#![no_main]

use lanyard_mdm::{
    csp::Scope,
    profile::{inventory, trusted_certificate},
    session::{
        device::{DeviceConfig, DeviceSession, MemoryTree},
        server::{Facts, Limits, QueueItem, step},
    },
    syncml::{self, alert::LoginStatus},
};
use lanyard_model::time::Timestamp;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(message) = syncml::decode(data) else { return };
    if let Ok(text) = syncml::encode(&message) {
        let again = syncml::decode(text.as_bytes()).expect("what was written is read");
        assert_eq!(syncml::encode(&again).expect("and written again"), text);
    }
    let device = message.header.source.loc_uri.clone();
    let root = trusted_certificate::install(Scope::Device, trusted_certificate::TrustStore::Root, b"certificate");
    let queue = [QueueItem::new("root", root), QueueItem::new("all", inventory::query(Scope::Device))];
    let facts = Facts {
        bound_device: Some(&device),
        credentials: None,
        server_url: "https://mdm.example.com/management",
        queue: &queue,
        limits: Limits::default(),
        digest: [0; 32],
        fresh_nonce: [0; 16],
        now: Timestamp::from_secs(1_800_000_000),
    };
    let mut state = None;
    for msg_id in 1..4 {
        let mut message = message.clone();
        message.header.msg_id = msg_id;
        match step(state.take(), &message, &facts).encode() {
            Ok(answer) => {
                assert!(syncml::decode(answer.text.as_bytes()).is_ok() || answer.text.is_empty());
                state = Some(answer.state);
            }
            Err(_) => return,
        }
    }
    let (mut session, _) = DeviceSession::start(DeviceConfig {
        device_id: device,
        server_url: message.header.target.loc_uri.clone(),
        session_id: message.header.session_id.clone(),
        dev_info: Vec::new(),
        login: LoginStatus::User,
        server_initiated: false,
        alerts: Vec::new(),
        credentials: None,
    });
    let _ = session.receive(&message, &mut MemoryTree::new());
});

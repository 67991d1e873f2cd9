//! What a device proves itself with besides its certificate, as the configuration says, and what it shows after a renewal.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lanyard_agent::{
    error::AgentError,
    mdm::{RenewalProof, join, renew, sync},
    scep::options::Clock,
    store::DeviceStore,
};
use lanyard_mdm::{
    provisioning::{AppAuth, AuthType, ProvisioningDocument},
    session::device::{DeviceCredentials, DeviceSession},
    syncml::{Chal, Command, Status, StatusCode, SyncMl, cred},
    wstep::sign_ent_dmid,
};
use lanyard_model::{
    fleet::{Enrollment, EnrollmentState},
    time::Span,
};
use lanyard_pki::{
    certificate::Certificate,
    key::Signer,
    signature::{Digest, SignatureAlgorithm},
};
use lanyard_store::ports::EnrollmentChange;
use lanyard_testkit::{keys::rsa, mdm::context, server::TestServer};

use super::{
    agent::options,
    managed::{Managed, as_identity, identity, uri},
    support::{PASSWORD, certificate, enrol, start},
};
use crate::support::audited;

/// A server that tells devices to prove themselves so.
async fn server(credentials: &str) -> TestServer {
    let to = format!("session-credentials = \"{credentials}\"");
    start(TestServer::builder().config("session-credentials = \"md5\"", &to)).await
}

/// The first device, enrolled over HTTP; its account's credentials as it was told.
async fn enrolled(server: &TestServer) -> (Managed, AppAuth) {
    let document: ProvisioningDocument = enrol(server, 0, "user1").await.unwrap();
    let client = context(0).device_id.unwrap();
    let stored = server.server.store.find_enrollments_by_client(&client).await.unwrap().remove(0).0;
    let device = Managed {
        client,
        device: stored.device.to_string(),
        enrollment: stored.id,
        key: rsa(0),
        certificate: certificate(&document),
        tree: lanyard_mdm::session::device::MemoryTree::new(),
        login: lanyard_mdm::syncml::alert::LoginStatus::User,
        sessions: 0,
        credentials: None,
        knows_listings: true,
    };
    (device, document.application.account.unwrap().client_credential.unwrap())
}

fn header(message: &SyncMl) -> Status {
    let mut found = message.body.commands.iter().filter_map(|command| match command {
        Command::Status(status) if status.cmd_ref == 0 => Some(status.clone()),
        _ => None,
    });
    found.next_back().expect("a status of the header")
}

fn nonce(chal: Option<&Chal>) -> Vec<u8> {
    cred::read_nonce(chal.expect("a challenge").meta.next_nonce.as_deref().expect("a nonce")).unwrap()
}

/// The first message of a session, with these credentials.
fn first(device: &mut Managed, server: &TestServer, credentials: DeviceCredentials) -> SyncMl {
    device.credentials = Some(credentials);
    DeviceSession::start(device.config(server)).1
}

#[tokio::test(flavor = "multi_thread")]
async fn oma_dm_5_3_a_wrong_digest_gets_401_and_a_nonce_and_each_nonce_leads_to_the_next() {
    let server = server("md5").await;
    let (mut device, told) = enrolled(&server).await;
    assert_eq!((told.auth_type, told.nonce.len()), (AuthType::Digest, 16));
    let (user, secret) = (told.name.clone().unwrap(), told.secret.expose().to_owned());
    let md5 = |secret: &str, nonce: Option<Vec<u8>>| DeviceCredentials::Md5 { user: user.clone(), secret: secret.into(), nonce };
    // None at all: 407. A wrong one: 401. Nothing in the message is done, and each has another nonce.
    let message = first(&mut device, &server, md5(&secret, None));
    let answer = device.send(&server, &message).await;
    let asked = header(&answer);
    assert_eq!(asked.code, StatusCode::MISSING_CREDENTIALS);
    let refused = answer.body.commands.iter().filter_map(|command| match command {
        Command::Status(status) => Some(status.code),
        _ => None,
    });
    assert!(refused.into_iter().all(|code| code == StatusCode::MISSING_CREDENTIALS));
    assert_eq!(device.stored(&server).await.client_info.maker, None, "what it said of itself does not count");
    let message = first(&mut device, &server, md5("guessed", Some(told.nonce.clone())));
    let answer = device.send(&server, &message).await;
    let wrong = header(&answer);
    assert_eq!(wrong.code, StatusCode::INVALID_CREDENTIALS);
    let given = nonce(wrong.chal.as_deref());
    assert!(given != told.nonce && given != nonce(asked.chal.as_deref()));
    // The same session goes on with the nonce of the challenge: 212, and the nonce of the next session.
    let mut again = message.clone();
    again.header.msg_id = 2;
    again.header.cred = Some(cred::md5_cred(&cred::inner(&user, &secret), &given));
    let accepted = header(&device.send(&server, &again).await);
    assert_eq!(accepted.code, StatusCode::AUTHENTICATED);
    let mut next = nonce(accepted.chal.as_deref());
    for _ in 0..3 {
        let message = first(&mut device, &server, md5(&secret, Some(next.clone())));
        assert_eq!(
            message.header.cred.as_ref().map(|one| one.data.clone()),
            Some(cred::digest(&cred::inner(&user, &secret), &next))
        );
        let accepted = header(&device.send(&server, &message).await);
        assert_eq!(accepted.code, StatusCode::AUTHENTICATED, "without being asked first");
        let following = nonce(accepted.chal.as_deref());
        assert_ne!(following, next);
        next = following;
    }
    // One that was used is of no more use, and Basic is not what was agreed.
    let message = first(&mut device, &server, md5(&secret, Some(told.nonce)));
    assert_eq!(header(&device.send(&server, &message).await).code, StatusCode::INVALID_CREDENTIALS);
    let message = first(&mut device, &server, DeviceCredentials::Basic { user, secret });
    assert_eq!(header(&device.send(&server, &message).await).code, StatusCode::INVALID_CREDENTIALS);
}

#[tokio::test(flavor = "multi_thread")]
async fn oma_dm_5_2_basic_where_it_is_configured_and_nothing_where_nothing_is() {
    let site = server("basic").await;
    let (mut device, told) = enrolled(&site).await;
    assert_eq!((told.auth_type, told.nonce.is_empty()), (AuthType::Basic, true));
    let (user, secret) = (told.name.unwrap(), told.secret.expose().to_owned());
    let basic = |secret: &str| DeviceCredentials::Basic { user: user.clone(), secret: secret.into() };
    let message = first(&mut device, &site, basic("guessed"));
    let wrong = header(&device.send(&site, &message).await);
    assert_eq!(wrong.code, StatusCode::INVALID_CREDENTIALS);
    assert_eq!(wrong.chal.unwrap().meta.kind.as_deref(), Some(cred::AUTH_BASIC));
    let message = first(&mut device, &site, basic(&secret));
    assert_eq!(header(&device.send(&site, &message).await).code, StatusCode::AUTHENTICATED);
    let digest = DeviceCredentials::Md5 { user: user.clone(), secret: secret.clone(), nonce: Some(vec![1; 16]) };
    let message = first(&mut device, &site, digest);
    assert_eq!(header(&device.send(&site, &message).await).code, StatusCode::INVALID_CREDENTIALS, "MD5 was not agreed");
    let site = server("none").await;
    let (mut device, _) = enrolled(&site).await;
    let (_, message) = DeviceSession::start(device.config(&site));
    assert_eq!(header(&device.send(&site, &message).await).code, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_device_of_this_program_does_as_it_was_told() {
    for (kind, nonced) in [("md5", true), ("basic", false), ("none", true)] {
        let server = server(kind).await;
        let folder = tempfile::tempdir().unwrap();
        let store = DeviceStore::open(&folder.path().join("dev1")).unwrap();
        join(Some(&store), options(&server, PASSWORD)).await.unwrap();
        let now = server.now();
        let clock: Clock = Arc::new(move || now);
        let mut nonces = Vec::new();
        for _ in 0..3 {
            sync(&store, &clock).await.unwrap();
            nonces.push(store.joined().unwrap().credential.unwrap().nonce);
        }
        nonces.dedup();
        assert_eq!(nonces.len(), if kind == "md5" { 3 } else { 1 }, "{kind}");
        assert_eq!(nonces[0].is_some(), nonced, "{kind}");
        // A secret that is not the device's.
        let path = store.path().join("mdm/account.json");
        let text = std::fs::read_to_string(&path).unwrap();
        let secret = store.joined().unwrap().credential.unwrap().secret;
        std::fs::write(&path, text.replace(&secret, "guessed")).unwrap();
        let refused = sync(&store, &clock).await;
        match kind {
            "none" => assert!(refused.is_ok()),
            _ => assert!(matches!(refused, Err(AgentError::SessionRefused { status: 401 })), "{kind}: {refused:?}"),
        }
    }
}

/// Nodes of the provider that a device shows.
type Shown<'a> = &'a dyn Fn(&Managed) -> Vec<(&'static str, String)>;

/// A device of which a renewed identity is in use.
async fn renewed(server: &TestServer, shown: impl Fn(&Managed, &Certificate) -> Vec<(&'static str, String)>) -> Managed {
    let mut device = Managed::enrolled(server, 1).await;
    let new = identity(server, "L-1", rsa(61)).await;
    let (mut enrollment, version): (Enrollment, u64) =
        server.server.store.load_enrollment(device.enrollment).await.unwrap().unwrap();
    enrollment.renewed = Some(as_identity(&new));
    let change = vec![EnrollmentChange { enrollment, seen: Some(version) }];
    assert!(server.server.store.save_enrollments(change, vec![]).await.unwrap());
    let provider = uri("./Vendor/MSFT/DMClient/Provider/Lanyard");
    for (name, value) in shown(&device, &new) {
        device.tree.set(&provider.child(name), &value);
    }
    device.certificate = new;
    device.key = rsa(61);
    device
}

#[tokio::test(flavor = "multi_thread")]
async fn renewal_9_signed_ent_dmid_is_asked_for_and_a_wrong_one_blocks_the_device() {
    let server = super::managed::server("trust-own = false\n").await;
    const PURPOSE: &str = "what the device shows of its renewal";
    let now = server.now();
    let signed = |device: &Managed, id: &str, key: usize| sign_ent_dmid(id, &rsa(key).signer, &device.certificate, now).unwrap();
    let bare = |text: &str, key: usize| {
        let algorithm = SignatureAlgorithm::RsaPkcs1(Digest::Sha256);
        STANDARD.encode(rsa(key).signer.sign(algorithm, text.as_bytes()).unwrap())
    };
    // The device's key is the 41st, as `Managed` has it.
    let good: [Shown<'_>; 4] = [
        &|device| {
            vec![("SignedEntDMID", signed(device, &device.enrollment.to_string(), 41)), ("CertRenewTimeStamp", now.to_string())]
        },
        &|device| vec![("SignedEntDMID", bare(&device.enrollment.to_string(), 41))],
        &|_| vec![],
        &|_| vec![("SignedEntDMID", "something else".into())],
    ];
    for (n, shown) in good.iter().enumerate() {
        let mut device = renewed(&server, |device, _| shown(device)).await;
        device.sync(&server).await;
        assert_eq!(device.state(&server, PURPOSE).await, "verified", "{n}");
        let jobs = device.jobs(&server).await.len();
        device.sync(&server).await;
        assert_eq!(device.jobs(&server).await.len(), jobs, "{n}: it is asked once");
        assert_eq!(device.stored(&server).await.state, EnrollmentState::Active, "{n}");
    }
    let past = (now - Span::from_days(90)).to_string();
    let wrong: [Shown<'_>; 5] = [
        &|device| vec![("SignedEntDMID", signed(device, "another id", 41))],
        &|device| vec![("SignedEntDMID", signed(device, &device.enrollment.to_string(), 61))],
        &|device| vec![("SignedEntDMID", bare(&device.enrollment.to_string(), 61))],
        &|_| vec![("EntDMID", "another id".into())],
        &|device| {
            vec![("SignedEntDMID", signed(device, &device.enrollment.to_string(), 41)), ("CertRenewTimeStamp", past.clone())]
        },
    ];
    for (n, shown) in wrong.iter().enumerate() {
        let mut device = renewed(&server, |device, _| shown(device)).await;
        let config = device.config(&server);
        let (mut session, message) = DeviceSession::start(config);
        let answer = device.send(&server, &message).await;
        let lanyard_mdm::session::device::Next::Send(next) = session.receive(&answer, &mut device.tree) else { panic!("{n}") };
        device.send(&server, &next).await;
        assert_eq!(device.state(&server, PURPOSE).await, "failed", "{n}");
        assert_eq!(device.stored(&server).await.state, EnrollmentState::Blocked, "{n}");
        let told = audited(&server).await;
        assert_eq!(told.get(&("device-refused".to_owned(), "mdm.renewal-not-shown".to_owned())), Some(&(n + 1)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_device_of_this_program_shows_what_it_had() {
    let server = super::renewal::server().await;
    let folder = tempfile::tempdir().unwrap();
    let store = DeviceStore::open(&folder.path().join("dev1")).unwrap();
    join(Some(&store), options(&server, PASSWORD)).await.unwrap();
    server.advance(Span::from_days(2));
    let now = server.now();
    let clock: Clock = Arc::new(move || now);
    sync(&store, &clock).await.unwrap();
    renew(&store, RenewalProof::Automatic, now).await.unwrap();
    sync(&store, &clock).await.unwrap();
    let account = store.joined().unwrap();
    let enrolled = server.server.store.find_enrollments_by_client(&account.device_id).await.unwrap().remove(0).0;
    assert_eq!(enrolled.state, EnrollmentState::Active);
    let jobs = server.server.store.list_jobs(enrolled.id, false).await.unwrap();
    let shown = jobs.iter().find(|job| job.purpose.starts_with("what the device shows")).unwrap();
    assert_eq!(shown.state.as_str(), "verified");
    assert!(shown.result.as_ref().unwrap().contains("SignedEntDMID="), "{shown:?}");
}

//! A device and a server with a queue, joined by messages in text and a state in JSON.

use lanyard_model::time::Timestamp;
use lanyard_pki::crypto::digest::sha256;

use crate::{
    csp::{LocUri, Scope},
    profile::{
        job::{Job, JobId},
        tests::{scep_profile, wifi_root},
        trusted_certificate::{self, TrustStore},
    },
    session::{
        device::{DeviceConfig, DeviceCredentials, DeviceSession, ManagementTree, MemoryTree, Next},
        server::{Credentials, Event, Facts, JobState, Limits, QueueItem, SessionState, step},
    },
    syncml::{self, Command, SyncMl, alert::LoginStatus, cred},
};

pub(super) const DEVICE: &str = "A0B1C2D3E4F5061728394A5B6C7D8E9F";
pub(super) const URL: &str = "https://mdm.example.com/ManagementServer/MDM.svc";

pub(super) fn uri(text: &str) -> LocUri {
    LocUri::parse(text).unwrap()
}

pub(super) fn config(session_id: &str) -> DeviceConfig {
    let info = [
        ("./DevInfo/DevId", DEVICE),
        ("./DevInfo/Man", "Example Computers"),
        ("./DevInfo/Mod", "Model One"),
        ("./DevInfo/DmV", "1.3"),
        ("./DevInfo/Lang", "en-US"),
        ("./Vendor/MSFT/DMClient/HWDevID", "6F5FAFC7E9C2286383A2FB79750B4C0522966E55EC6578039680E3085605B851"),
    ];
    DeviceConfig {
        device_id: DEVICE.into(),
        server_url: URL.into(),
        session_id: session_id.into(),
        dev_info: info.iter().map(|&(node, value)| (node.to_owned(), value.to_owned())).collect(),
        login: LoginStatus::User,
        server_initiated: false,
        alerts: Vec::new(),
        credentials: None,
    }
}

pub(super) fn device_credentials(nonce: Option<Vec<u8>>) -> DeviceCredentials {
    DeviceCredentials::Md5 { user: DEVICE.into(), secret: "example-client-secret".into(), nonce }
}

pub(super) fn server_credentials() -> Credentials {
    let inner = cred::inner(DEVICE, "example-client-secret");
    Credentials { user: DEVICE.into(), inner, md5: true, basic: false, nonce: None }
}

/// What every device has whose enrolment is through.
pub(super) fn tree() -> MemoryTree {
    let mut tree = MemoryTree::new();
    tree.set(&uri("./DevDetail/SwV"), "10.0.22621.3155");
    tree.set(&uri("./Vendor/MSFT/DMClient/Provider/ExampleMDM/EntDMID"), "dev-000001");
    tree
}

pub(super) struct Server {
    /// The state as it is stored.
    pub(super) stored: Option<String>,
    pub(super) queue: Vec<QueueItem>,
    pub(super) credentials: Option<Credentials>,
    pub(super) events: Vec<Event>,
    pub(super) limits: Limits,
    pub(super) now: i64,
    pub(super) bound: Option<&'static str>,
    /// The next nonce; counted up when it was used.
    pub(super) nonce: [u8; 16],
}

impl Server {
    pub(super) fn new(jobs: Vec<(&str, Job)>) -> Self {
        Self {
            stored: None,
            queue: jobs.into_iter().map(|(id, job)| QueueItem::new(id, job)).collect(),
            credentials: None,
            events: Vec::new(),
            limits: Limits::default(),
            now: 1_800_000_000,
            bound: Some(DEVICE),
            nonce: [7; 16],
        }
    }

    /// Answers a message and stores what happened.
    pub(super) fn answer(&mut self, text: &str) -> String {
        let message = syncml::decode(text.as_bytes()).unwrap();
        let previous: Option<SessionState> = self.stored.as_ref().map(|json| serde_json::from_str(json).unwrap());
        let facts = Facts {
            bound_device: self.bound,
            credentials: self.credentials.as_ref(),
            server_url: URL,
            queue: &self.queue,
            limits: self.limits,
            digest: sha256(text.as_bytes()),
            fresh_nonce: self.nonce,
            now: Timestamp::from_secs(self.now),
        };
        let mut outcome = step(previous, &message, &facts);
        for wanted in outcome.wanted.clone() {
            outcome.fill(&wanted, "example-one-time-challenge");
        }
        let answer = outcome.encode().unwrap();
        assert!(syncml::decode(answer.text.as_bytes()).is_ok(), "{}", answer.text);
        for event in &answer.events {
            match event {
                Event::Job { id, state, sent } => {
                    let item = self.queue.iter_mut().find(|item| item.id == *id).unwrap();
                    let before = matches!(item.state, JobState::Acknowledged { .. } | JobState::Sent);
                    assert!(*state != JobState::Verified || before, "{id:?} is done without having been sent");
                    item.state = state.clone();
                    item.attempts += u32::from(*sent);
                }
                Event::NextNonce(nonce) => self.credentials.as_mut().unwrap().nonce = Some(nonce.clone()),
                _ => {}
            }
        }
        self.events.extend(answer.events);
        self.stored = Some(serde_json::to_string(&answer.state).unwrap());
        self.now += 1;
        answer.text
    }

    pub(super) fn read(&mut self, message: &SyncMl) -> SyncMl {
        let text = syncml::encode(message).unwrap();
        syncml::decode(self.answer(&text).as_bytes()).unwrap()
    }

    pub(super) fn state(&self, id: &str) -> &JobState {
        &self.queue.iter().find(|item| item.id == JobId::from(id)).unwrap().state
    }

    /// A session to its end; returns how it ended and how many messages the device sent.
    pub(super) fn session(&mut self, config: DeviceConfig, tree: &mut dyn ManagementTree) -> (Next, usize) {
        self.session_cut(config, tree, usize::MAX, true)
    }

    /// A session of which message `cut` is lost, the server's answer to it or already the message itself.
    pub(super) fn session_cut(
        &mut self,
        config: DeviceConfig,
        tree: &mut dyn ManagementTree,
        cut: usize,
        lose_answer: bool,
    ) -> (Next, usize) {
        let (mut device, mut message) = DeviceSession::start(config);
        for count in 1..300 {
            let text = syncml::encode(&message).unwrap();
            if count == cut && !lose_answer {
                return (Next::Stray, count);
            }
            let answer = self.answer(&text);
            if count == cut {
                return (Next::Stray, count);
            }
            match device.receive(&syncml::decode(answer.as_bytes()).unwrap(), tree) {
                Next::Send(next) => message = *next,
                end => return (end, count),
            }
        }
        panic!("the session does not end");
    }
}

pub(super) fn root_job() -> Job {
    trusted_certificate::install(Scope::Device, TrustStore::Root, &wifi_root())
}

pub(super) fn scep_job() -> Job {
    scep_profile().enroll()
}

/// What the device itself does when an enrolment has ended.
pub(super) fn finish_scep(tree: &mut MemoryTree) {
    let node = scep_profile().node();
    for (name, value) in [
        ("Status", "1"),
        ("ErrorCode", "0"),
        ("CertThumbprint", "BA77E52F4A027408B942401E9421D3E9FCF125DC"),
        ("RespondentServerUrl", "https://scep.example.com/scep"),
    ] {
        tree.set(&node.child(name), value);
    }
}

/// Commands without those that only answer.
pub(super) fn work(message: &SyncMl) -> Vec<&Command> {
    message.body.commands.iter().filter(|command| !command.is_answer()).collect()
}

/// Numbers and codes of the statuses.
pub(super) fn codes(message: &SyncMl) -> Vec<(u32, u16)> {
    let codes = message.body.commands.iter().filter_map(|command| match command {
        Command::Status(status) => Some((status.cmd_ref, status.code.get())),
        _ => None,
    });
    codes.collect()
}

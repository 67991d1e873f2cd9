//! A managed device for tests: an identity of the server's, a tree in memory, and sessions over real TLS.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lanyard_mdm::{
    csp::LocUri,
    profile::trusted_certificate::thumbprint,
    session::device::{DeviceConfig, DeviceCredentials, DeviceSession, MemoryTree, Next},
    syncml::{self, SyncMl, alert::LoginStatus},
};
use lanyard_model::{
    fleet::{ClientInfo, Enrollment, EnrollmentAuthentication, EnrollmentForm, EnrollmentState, Identity, RenewSchedule},
    id::EnrollmentId,
    san::SubjectAltName,
};
use lanyard_pki::{certificate::Certificate, pem};
use lanyard_server::api::types::Order;
use lanyard_store::ports::EnrollmentChange;
use lanyard_testkit::{
    http::{Response, encode, exchange},
    keys::{Key, rsa},
    scep::{device::Device, endpoint::Endpoint},
    server::TestServer,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

pub const PATH: &str = "/ManagementServer/MDM.svc";
pub const SYNCML: &str = "application/vnd.syncml.dm+xml; charset=utf-8";

/// The file for devices that enrolled under the profile default, with these further tables.
pub fn policy(tables: &str) -> String {
    format!("format = 1\nname = \"default\"\nrevision = 1\n{tables}")
}

/// A server whose enrolled devices get what these tables say.
pub async fn server(tables: &str) -> TestServer {
    TestServer::builder().file("fleet/default.toml", policy(tables)).start().await
}

pub struct Managed {
    /// What it calls itself.
    pub client: String,
    pub device: String,
    pub enrollment: EnrollmentId,
    pub key: &'static Key,
    pub certificate: Certificate,
    pub tree: MemoryTree,
    pub login: LoginStatus,
    pub sessions: u32,
    /// Those of its account, where it has any.
    pub credentials: Option<DeviceCredentials>,
    /// Whether it knows `?list=StructData`.
    pub knows_listings: bool,
}

pub fn uri(text: &str) -> LocUri {
    LocUri::parse(text).unwrap()
}

/// An identity for a device on record.
pub async fn identity(server: &TestServer, device: &str, key: &'static Key) -> Certificate {
    let csr = Device::new(key, &format!("CN={device}")).csr();
    let order = Order {
        template: "mdm-identity".into(),
        device: Some(device.into()),
        csr: Some(pem::encode("CERTIFICATE REQUEST", &csr)),
        ..Order::default()
    };
    let request = server.admin.issue(&order).await;
    let serial = request.certificate.unwrap_or_else(|| panic!("{:?} {:?}", request.reason, request.detail));
    let text = server.admin.certificate(&serial).await.pem.expect("a certificate");
    Certificate::decode(&pem::decode(pem::CERTIFICATE, &text).unwrap()).unwrap()
}

pub fn as_identity(certificate: &Certificate) -> Identity {
    let (not_before, not_after) = certificate.validity().unwrap();
    Identity {
        issuer: "issuing".parse().unwrap(),
        serial: certificate.serial().unwrap(),
        fingerprint: certificate.fingerprint(),
        key_digest: certificate.public_key().unwrap().digest,
        not_before,
        not_after,
    }
}

impl Managed {
    /// A device that is enrolled already.
    pub async fn enrolled(server: &TestServer, n: usize) -> Self {
        let (device, client) = (format!("L-{n}"), format!("A0B1C2D3E4F5061728394A5B6C7D8E{n:02}"));
        let user = format!("user{n}");
        server.admin.save_user(serde_json::json!({ "name": user, "email": format!("{user}@example.org") })).await;
        let record = serde_json::json!({
            "id": device, "name": format!("laptop-{n}"), "dns-name": format!("laptop-{n}.example.org"), "user": user
        });
        server.admin.save_device(record).await;
        let key = rsa(40 + n);
        let certificate = identity(server, &device, key).await;
        let enrollment = Enrollment {
            id: EnrollmentId::generate(server.now()),
            client: client.clone(),
            device: device.parse().unwrap(),
            user: user.parse().unwrap(),
            form: EnrollmentForm::Device,
            authentication: EnrollmentAuthentication::Password,
            client_info: ClientInfo::default(),
            profile: "default".parse().unwrap(),
            template: "mdm-identity".parse().unwrap(),
            schedule: RenewSchedule { period_days: 42, retry_days: 4, robo: true },
            state: EnrollmentState::Active,
            identity: as_identity(&certificate),
            renewed: None,
            retired: None,
            enrolled_at: server.now(),
            seen_at: None,
            ended_at: None,
            credentials: None,
            keep_certificates: false,
        };
        let id = enrollment.id;
        let change = EnrollmentChange { enrollment, seen: None };
        assert!(server.server.store.save_enrollments(vec![change], vec![]).await.unwrap());
        let mut tree = MemoryTree::new();
        tree.set(&uri("./DevDetail/SwV"), "10.0.22621.3155");
        tree.set(&uri("./Vendor/MSFT/DMClient/Provider/Lanyard/EntDMID"), &id.to_string());
        Self {
            client,
            device,
            enrollment: id,
            key,
            certificate,
            tree,
            login: LoginStatus::User,
            sessions: 0,
            credentials: None,
            knows_listings: true,
        }
    }

    /// The enrolment as it is stored.
    pub async fn stored(&self, server: &TestServer) -> Enrollment {
        server.server.store.load_enrollment(self.enrollment).await.unwrap().unwrap().0
    }

    pub fn config(&mut self, server: &TestServer) -> DeviceConfig {
        self.sessions += 1;
        let info = [("./DevInfo/DevId", self.client.as_str()), ("./DevInfo/Man", "Example Computers"), ("./DevInfo/Mod", "One")];
        DeviceConfig {
            device_id: self.client.clone(),
            server_url: format!("https://localhost:{}{PATH}", server.mdm.port()),
            session_id: format!("{:X}", self.sessions),
            dev_info: info.iter().map(|&(node, value)| (node.to_owned(), value.to_owned())).collect(),
            login: self.login,
            server_initiated: false,
            alerts: Vec::new(),
            credentials: self.credentials.clone(),
        }
    }

    /// Sends octets over a connection that shows its certificate.
    pub async fn post(&self, server: &TestServer, kind: &str, octets: &[u8]) -> Response {
        self.request(server, &encode("POST", &format!("{PATH}?mode=Maintenance"), &format!("Content-Type: {kind}\r\n"), octets))
            .await
    }

    pub async fn request(&self, server: &TestServer, octets: &[u8]) -> Response {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(server.site.root.der().to_vec())).unwrap();
        let chain = vec![CertificateDer::from(self.certificate.der().to_vec())];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.pkcs8.expose().to_vec()));
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .unwrap();
        let stream = TcpStream::connect(server.mdm).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("TLS");
        Response::parse(&exchange(stream, octets).await.expect("an answer"))
    }

    /// Sends a message that must be answered by one.
    pub async fn send(&self, server: &TestServer, message: &SyncMl) -> SyncMl {
        let response = self.post(server, SYNCML, syncml::encode(message).unwrap().as_bytes()).await;
        assert_eq!(response.status, 200, "{}", response.text());
        assert_eq!(response.field("content-type"), Some(syncml::CONTENT_TYPE));
        let length = response.field("content-length").expect("Content-Length").parse::<usize>().unwrap();
        assert_eq!((length, response.field("transfer-encoding")), (response.body.len(), None));
        syncml::decode(&response.body).unwrap()
    }

    /// A whole session; how it ended.
    pub async fn sync(&mut self, server: &TestServer) -> Next {
        let config = self.config(server);
        let (mut session, mut message) = DeviceSession::start(config);
        for _ in 0..50 {
            let mut answer = self.send(server, &message).await;
            if !self.knows_listings {
                answer.body.commands.iter_mut().for_each(spoil);
            }
            match session.receive(&answer, &mut self.tree) {
                Next::Send(next) => message = *next,
                end => {
                    if let (Next::Ended { next_nonce }, Some(DeviceCredentials::Md5 { nonce, .. })) =
                        (&end, &mut self.credentials)
                    {
                        nonce.clone_from(next_nonce);
                    }
                    return end;
                }
            }
        }
        panic!("the session does not end");
    }

    /// Jobs of the device: purpose and state, as stored.
    pub async fn jobs(&self, server: &TestServer) -> Vec<(String, String)> {
        let jobs = server.server.store.list_jobs(self.enrollment, false).await.unwrap();
        jobs.into_iter().map(|job| (job.purpose, job.state.as_str().to_owned())).collect()
    }

    /// The state of the newest job whose purpose begins so.
    #[track_caller]
    pub fn state_in(jobs: &[(String, String)], purpose: &str) -> String {
        let found = jobs.iter().rev().find(|(text, _)| text.starts_with(purpose));
        found.unwrap_or_else(|| panic!("no job '{purpose}' in {jobs:?}")).1.clone()
    }

    pub async fn state(&self, server: &TestServer, purpose: &str) -> String {
        Self::state_in(&self.jobs(server).await, purpose)
    }

    /// Does what Enroll asks for under this name: fetches a certificate by SCEP with the challenge it was sent, and shows the outcome.
    pub async fn fetch_by_scep(&mut self, server: &TestServer, name: &str, key: &'static Key) -> Certificate {
        let node = uri(&format!("./Device/Vendor/MSFT/ClientCertificateInstall/SCEP/{name}"));
        let install = |leaf: &str| self.tree.value(&node.child("Install").child(leaf)).unwrap_or_default();
        let challenge = String::from_utf8(STANDARD.decode(install("Challenge")).unwrap()).unwrap();
        let mut device = Device::new(key, &install("SubjectName")).challenge(&challenge);
        device.info.san = install("SubjectAlternativeNames").split(';').filter_map(alternative).collect();
        let endpoint = Endpoint::of(server).await;
        assert_eq!(install("CAThumbprint"), thumbprint(endpoint.issuing().der()));
        assert!(install("ServerURL").ends_with("/scep/default"));
        let certificate = endpoint.enrol(&device).await.certificate().clone();
        let outcome = [
            ("Status", "1".to_owned()),
            ("ErrorCode", "0".to_owned()),
            ("CertThumbprint", thumbprint(certificate.der())),
            ("RespondentServerUrl", install("ServerURL")),
        ];
        for (leaf, value) in outcome {
            self.tree.set(&node.child(leaf), &value);
        }
        certificate
    }
}

/// Makes a listing into something that no device knows.
fn spoil(command: &mut syncml::Command) {
    if let syncml::Command::Request(request) = command {
        for target in request.items.iter_mut().filter_map(|item| item.target.as_mut()) {
            target.loc_uri = target.loc_uri.replace("?list=StructData", "?list=Unheard");
        }
    }
}

fn alternative(text: &str) -> Option<SubjectAltName> {
    let (kind, value) = text.split_once('+')?;
    match kind {
        "2" => SubjectAltName::email(value),
        "3" => SubjectAltName::dns(value),
        "11" => SubjectAltName::upn(value),
        _ => None,
    }
}

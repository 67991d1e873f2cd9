//! Mail behind the gateway: a phone with its certificate reads it, another is refused, a lost one is cut off in the middle of a Ping. The tester
//! plays the phones, so it also says why.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use lanyard_agent::{
    model::{directory::User, secret::SecretText},
    scep::{EnrollOutcome, enroll},
    store::Status,
};
use lanyard_gateway::{
    clock::Clock,
    probe::{
        identity,
        plan::{ClientCertificate, Device, Mode, Plan, Target},
        report::{Report, Step},
        run::run,
    },
    run::{Running, start},
};
use lanyard_server::{
    api::{
        delivery_types::{Pfx, PfxMade},
        types::{NewToken, Order, TokenWish},
    },
    error::chain,
    flow,
};
use tokio::time::{Instant, sleep, timeout};

use super::{
    acts::{Happened, options, told, verdict},
    mailbox::Mailbox,
    stage::Stage,
};

const USER: &str = "user3";
const HOST: &str = "mail.example.org";
const PATH: &str = "/Microsoft-Server-ActiveSync";
/// Seconds of the Ping that is cut off.
const PING: u32 = 30;
/// How soon a lost phone must be out.
const SOON: Duration = Duration::from_secs(5);

/// Plays the acts.
pub async fn play(stage: &Stage) -> Vec<Happened> {
    let scene = match Scene::set(stage).await {
        Ok(scene) => scene,
        Err(problem) => return vec![verdict("gateway".into(), "published", Err(problem))],
    };
    let happened = vec![
        verdict("phone-3".into(), "mail with a certificate", scene.reads().await),
        verdict("phone-4".into(), "mail without one", scene.refused().await),
        verdict("phone-3".into(), "lost during a Ping", scene.lost(stage).await),
    ];
    scene.running.stop().await;
    happened
}

struct Scene {
    mailbox: Mailbox,
    running: Running,
    root: std::path::PathBuf,
    phone: (Vec<u8>, SecretText, String),
}

impl Scene {
    async fn set(stage: &Stage) -> Result<Self, String> {
        let io = |e: std::io::Error| e.to_string();
        let mailbox = Mailbox::open().await.map_err(io)?;
        let folder = stage.folder("gateway").map_err(io)?;
        server_certificate(stage, &folder).await?;
        let root = folder.join("root.pem");
        fs::write(&root, stage.root_pem()).map_err(io)?;
        let wish = TokenWish { description: "the mail gateway".into(), role: "gateway".into(), ..TokenWish::default() };
        let token: NewToken = stage.target().post("/tokens", &wish).await.map_err(|e| e.to_string())?;
        private(&folder.join("gateway.token"), &token.token)?;
        let config = folder.join("gateway.toml");
        fs::write(&config, configuration(&stage.https(), &mailbox)).map_err(io)?;
        let phone = phone(stage).await?;
        let running = start(&config, Clock::default()).await.map_err(|e| e.to_string())?;
        Ok(Self { mailbox, running, root, phone })
    }

    fn plan(&self, certificate: Option<ClientCertificate>, ping: Option<u32>) -> Result<Plan, String> {
        let address = self.running.https.first().ok_or("the gateway listens nowhere")?;
        Ok(Plan {
            target: Target::read(&format!("https://{HOST}:{}{PATH}", address.port()))?,
            connect: Some(address.to_string()),
            host: None,
            user: None,
            certificate,
            all: false,
            mode: Some(Mode::Certificate),
            eas: true,
            ping,
            autodiscover: None,
            device: Device::default(),
            tls_version: None,
            insecure: false,
            roots: Some(self.root.clone()),
            timeout: Duration::from_secs(10),
        })
    }

    fn certificate(&self) -> Result<ClientCertificate, String> {
        identity::read(&self.phone.0, None, Some(&self.phone.1)).map_err(|e| e.to_string())
    }

    async fn probe(&self, certificate: Option<ClientCertificate>, ping: Option<u32>) -> Result<Report, String> {
        run(&self.plan(certificate, ping)?, &|_| {}).await
    }

    async fn reads(&self) -> Result<String, String> {
        let report = self.probe(Some(self.certificate()?), None).await?;
        let listed = step(&report, "folder-sync")?;
        if listed.verdict == "eas.folders" { Ok(explained(listed)) } else { Err(explained(listed)) }
    }

    async fn refused(&self) -> Result<String, String> {
        let report = self.probe(None, None).await?;
        let got = step(&report, "get")?;
        if got.verdict == "refused.no-certificate" { Ok(explained(got)) } else { Err(explained(got)) }
    }

    /// The Ping ends within seconds of the revocation, and the next request is refused.
    async fn lost(&self, stage: &Stage) -> Result<String, String> {
        let certificate = self.certificate()?;
        let plan = self.plan(Some(certificate), Some(PING))?;
        let pinging = tokio::spawn(async move { run(&plan, &|_| {}).await });
        let held = async {
            while self.mailbox.pings() == 0 {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(20), held).await.map_err(|_| "no Ping came through")?;
        let serial = self.phone.2.parse().map_err(|e| format!("{e}"))?;
        let reason = "keyCompromise".parse().map_err(|e| format!("{e}"))?;
        let lost = Instant::now();
        flow::revoke::revoke(stage.server(), &serial, reason, "admin:demo").await.map_err(|e| chain(&e))?;
        let report = timeout(SOON, pinging).await.map_err(|_| "the Ping is still held")?;
        let after = lost.elapsed();
        let report = report.map_err(|e| e.to_string())??;
        let cut = step(&report, "ping")?;
        if cut.verdict != "ping.cut" {
            return Err(explained(cut));
        }
        let next = self.probe(Some(self.certificate()?), None).await?;
        let got = step(&next, "get")?;
        if got.verdict != "refused.revoked" {
            return Err(explained(got));
        }
        Ok(format!("cut off {} ms after it was revoked; then {}", after.as_millis(), explained(got)))
    }
}

fn step<'r>(report: &'r Report, name: &str) -> Result<&'r Step, String> {
    let worst = || report.steps.last().map_or_else(String::new, explained);
    report.steps.iter().rev().find(|step| step.step == name).ok_or_else(worst)
}

fn explained(step: &Step) -> String {
    let seen = step.seen.first().map_or("", String::as_str);
    format!("{seen}: {}", step.means)
}

/// Certificate and key of the gateway, by SCEP like those of any other server.
async fn server_certificate(stage: &Stage, folder: &Path) -> Result<(), String> {
    let (subject, san) = (format!("CN={HOST},O=Example"), format!("dns:{HOST}"));
    let mut options = options(stage, &subject, &san)?;
    options.challenge = Some(stage.challenge_for("tls-server", &subject, &san).await?);
    let store = stage.device("gateway-store")?;
    match enroll(Some(&store), options, &mut |_| {}).await.map_err(|e| told(&e))? {
        EnrollOutcome::Issued(_) => {}
        _ => return Err("the gateway gets no certificate".into()),
    }
    let identities = store.identities().map_err(|e| told(&e))?;
    let own = identities.iter().find(|one| one.about.status == Status::Current).ok_or("there is no certificate")?;
    let above = own.chain.iter().filter(|one| !one.is_self_issued());
    let encode = |one: &lanyard_agent::pki::certificate::Certificate| {
        lanyard_agent::pki::pem::encode(lanyard_agent::pki::pem::CERTIFICATE, one.der())
    };
    let chain: String = std::iter::once(&own.certificate).chain(above).map(encode).collect();
    let key = fs::read_to_string(store.key_file(&own.about.id)).map_err(|e| e.to_string())?;
    private(&folder.join("server.key"), &key)?;
    fs::write(folder.join("server.pem"), chain).map_err(|e| e.to_string())
}

/// A phone's file with its passphrase, and the serial number of its certificate.
async fn phone(stage: &Stage) -> Result<(Vec<u8>, SecretText, String), String> {
    let server = stage.server();
    let user = USER.parse().map_err(|e| format!("{e}"))?;
    let user = User { upn: Some(format!("{USER}@example.org")), email: Some(format!("{USER}@example.org")), ..User::named(user) };
    let audit = server.event(lanyard_agent::model::audit::AuditKind::DirectoryChanged, "admin:demo");
    server.store.save_user(user, audit).await.map_err(|e| e.to_string())?;
    let order = Order { template: "user-client".into(), user: Some(USER.into()), ..Order::default() };
    let made: PfxMade = stage.target().post("/pfx", &Pfx { order, old: false, mail: false }).await.map_err(|e| e.to_string())?;
    let octets = STANDARD.decode(made.file.unwrap_or_default()).map_err(|e| e.to_string())?;
    let passphrase = SecretText::new(made.passphrase.unwrap_or_default());
    let read = identity::read(&octets, None, Some(&passphrase)).map_err(|e| e.to_string())?;
    let own = read.chain.first().ok_or("the file has no certificate")?;
    let own = lanyard_agent::pki::certificate::Certificate::decode(own).map_err(|e| e.to_string())?;
    let serial = own.serial().ok_or("it has no serial number")?.to_string();
    Ok((octets, passphrase, serial))
}

fn private(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o600))).map_err(|e| e.to_string())
}

fn configuration(server: &str, mailbox: &Mailbox) -> String {
    format!(
        "listen = [\"127.0.0.1:0\"]\n\n\
         [server]\nurl = \"{server}\"\nca-file = \"root.pem\"\ntoken-file = \"gateway.token\"\n\n\
         [[certificate]]\nchain-file = \"server.pem\"\nkey-file = \"server.key\"\n\n\
         [[trust]]\nname = \"devices\"\nca-file = \"root.pem\"\n\n\
         [[accounts]]\nname = \"lanyard\"\nkind = \"lanyard\"\n\n\
         [[application]]\nname = \"mail\"\nhosts = [\"{HOST}\"]\npaths = [\"{PATH}\"]\nkind = \"activesync\"\nmode = \"certificate\"\n\
         trust = [\"devices\"]\naccounts = \"lanyard\"\nmapping = [\"record\"]\nback-ends = [\"http://{}\"]\n",
        mailbox.address
    )
}

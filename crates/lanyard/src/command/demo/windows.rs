//! A Windows device, from its user's password to a wireless network, in the eight steps of its process.

use std::sync::Arc;

use lanyard_agent::{
    mdm::{self, EnrollmentType, Enrolment, JoinCredential, JoinOptions, RenewalProof},
    model::secret::SecretText,
    store::{DeviceStore, Status},
};
use lanyard_server::{
    api::{
        fleet_types::{BlockOrder, FleetJob},
        types::{Password, Request, User},
    },
    clock::{Clock, SystemClock},
};

use super::{acts::Happened, stage::Stage};

const USER: &str = "user1";
const PASSWORD: &str = "correct horse battery";
const WHO: &str = "tablet-1";

/// What every managed device gets in the demo: a certificate that a person approves, and a network that asks for it.
pub const POLICY: &str = "format = 1
name = \"mdm\"
revision = 1
description = \"Demo: a certificate for the device, and the network that asks for it\"

[[scep]]
name = \"client\"
template = \"held-client\"
key-protection = \"software\"

[[wifi]]
ssid = \"Office\"
[wifi.eap]
scep = \"client\"
server-names = [\"radius.example.org\"]
";

/// Plays the steps one after the other; the first that does not hold ends it.
pub async fn play(stage: &Stage) -> Vec<Happened> {
    let mut happened = Vec::new();
    let mut keep = |act: &'static str, outcome: Result<String, String>| {
        let held = outcome.is_ok();
        let what = outcome.unwrap_or_else(|problem| problem);
        happened.push(Happened { who: WHO.into(), act, held, what });
        held
    };
    let device = match Device::new(stage) {
        Ok(device) => device,
        Err(problem) => {
            keep("join", Err(problem));
            return happened;
        }
    };
    let _ = keep("join with a wrong password", device.wrong_password().await)
        && keep("join", device.join().await)
        && keep("policy, root, held request", device.first_session().await)
        && keep("approval, certificate", device.approved().await)
        && keep("Wi-Fi with the certificate", device.wifi().await)
        && keep("identity renewed by itself", device.renewed().await)
        && keep("blocked", device.blocked().await);
    happened
}

struct Device<'a> {
    stage: &'a Stage,
    store: DeviceStore,
}

impl<'a> Device<'a> {
    fn new(stage: &'a Stage) -> Result<Self, String> {
        Ok(Self { stage, store: stage.device(WHO)? })
    }

    fn options(&self, password: &str) -> JoinOptions {
        JoinOptions {
            server: Some(self.stage.https()),
            user: USER.into(),
            credential: JoinCredential::Password(SecretText::new(password.into())),
            form: EnrollmentType::Full,
            device_name: WHO.into(),
            tls_roots: Some(self.stage.root_pem()),
            key: None,
            clock: Arc::new(|| SystemClock.now()),
        }
    }

    async fn wrong_password(&self) -> Result<String, String> {
        let target = self.stage.target();
        let user = User::named(USER.parse().map_err(|e| format!("{e}"))?);
        target.put::<_, User>("/users", &user).await.map_err(|e| e.to_string())?;
        let password = Password { password: PASSWORD.into() };
        target.put::<_, bool>(&format!("/users/{USER}/password"), &password).await.map_err(|e| e.to_string())?;
        match mdm::join(Some(&self.store), self.options("guessed")).await {
            Ok(_) => Err("it was accepted".into()),
            Err(lanyard_agent::error::AgentError::Fault { fault, .. }) => Ok(format!("refused with {}", fault.hresult())),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn join(&self) -> Result<String, String> {
        let joined = mdm::join(Some(&self.store), self.options(PASSWORD)).await.map_err(|e| e.to_string())?;
        Ok(format!("managed as {}, by {}", joined.account.device_id, joined.account.provider_id))
    }

    async fn sync(&self) -> Result<mdm::Synced, String> {
        let clock: lanyard_agent::scep::options::Clock = Arc::new(|| SystemClock.now());
        mdm::sync(&self.store, &clock).await.map_err(|e| e.to_string())
    }

    /// Policy made, converted, sent; root installed; enrolment accepted; key made; SCEP.
    async fn first_session(&self) -> Result<String, String> {
        let synced = self.sync().await?;
        let (roots, _) = self.store.trusted().map_err(|e| e.to_string())?;
        if !roots.iter().any(|root| root.fingerprint() == self.stage.fingerprint()) {
            return Err("it does not trust the root".into());
        }
        match synced.enrolments.as_slice() {
            [(name, Enrolment::Held)] => {
                Ok(format!("{} messages; the root is trusted, certificate {name} is held", synced.messages))
            }
            other => Err(format!("one certificate should be held, and there is {other:?}")),
        }
    }

    /// Certificate returned and installed.
    async fn approved(&self) -> Result<String, String> {
        let target = self.stage.target();
        let held: Vec<Request> = target.get("/requests?state=pending").await.map_err(|e| e.to_string())?;
        let id = held.first().map(|request| request.id.to_string()).ok_or("no request is held")?;
        target.post::<_, Request>(&format!("/requests/{id}/approve"), &()).await.map_err(|e| e.to_string())?;
        let synced = self.sync().await?;
        match synced.enrolments.as_slice() {
            [(_, Enrolment::Installed(thumbprint))] => Ok(format!("approved and installed, {thumbprint}")),
            other => Err(format!("one certificate should have come, and there is {other:?}")),
        }
    }

    /// Usable: everything that was sent was shown to be there.
    async fn wifi(&self) -> Result<String, String> {
        self.sync().await?;
        let account = self.store.joined().map_err(|e| e.to_string())?;
        let path = format!("/fleet/{}/jobs", account.device_id);
        let jobs: Vec<FleetJob> = self.stage.target().get(&path).await.map_err(|e| e.to_string())?;
        let open: Vec<&FleetJob> = jobs.iter().filter(|job| job.state != "verified").collect();
        match open.first() {
            None if jobs.iter().any(|job| job.purpose.contains("Office")) => {
                Ok(format!("{} things sent, each seen to be there", jobs.len()))
            }
            None => Err("nobody told it of the network".into()),
            Some(job) => Err(format!("{}: {}", job.purpose, job.state)),
        }
    }

    async fn renewed(&self) -> Result<String, String> {
        let renewed = mdm::renew(&self.store, RenewalProof::Automatic, SystemClock.now()).await.map_err(|e| e.to_string())?;
        self.sync().await?;
        let identities = self.store.identities().map_err(|e| e.to_string())?;
        let current =
            identities.iter().any(|one| one.about.id == renewed.identity.about.id && one.about.status == Status::Current);
        if current {
            Ok(format!("{} with a new key", renewed.identity.about.subject))
        } else {
            Err("it is not in the store".into())
        }
    }

    async fn blocked(&self) -> Result<String, String> {
        let account = self.store.joined().map_err(|e| e.to_string())?;
        let path = format!("/fleet/{}/block", account.device_id);
        self.stage.target().post::<_, usize>(&path, &BlockOrder::default()).await.map_err(|e| e.to_string())?;
        match self.sync().await {
            Ok(_) => Err("it had another session".into()),
            Err(_) => Ok("no further session".into()),
        }
    }
}

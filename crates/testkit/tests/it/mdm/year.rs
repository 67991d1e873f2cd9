//! The programs themselves over a simulated year and more: Debian's faketime tells them the day. No device is lost.

use std::{net::SocketAddr, path::Path};

use lanyard_testkit::{
    process::{Process, lanyard},
    programs::{
        Done,
        faketime::{self, WallClock},
        run,
    },
    server::{Site, TestServer, builtin_template},
};
use serde_json::Value;
use tokio::process::Command;

const PASSWORD: &str = "correct horse battery";

fn free() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A site whose addresses outlive a restart, because devices keep them for years.
pub struct Place {
    pub site: Site,
    listen: [String; 3],
    roots: std::path::PathBuf,
    password: std::path::PathBuf,
}

impl Place {
    pub async fn with_policy(policy: &str) -> Self {
        Self::with_template(policy, |text| text).await
    }

    /// With the template of identities changed.
    pub async fn with_template(policy: &str, template: impl FnOnce(String) -> String) -> Self {
        let listen = [free(), free(), free()].map(|address| address.to_string());
        let policy = policy.replace("HTTP", &listen[0]);
        let builder = TestServer::builder().file("fleet/mdm.toml", policy).template(
            "device-client",
            "held-client",
            &[("approval = \"automatic\"", "approval = \"person\"")],
        );
        let builder = builder.file("templates/mdm-identity.toml", template(builtin_template("mdm-identity")));
        let (site, _) = builder.create().await;
        let (roots, password) = (site.temp.path().join("root.pem"), site.temp.path().join("password"));
        std::fs::write(&roots, lanyard_pki::pem::encode(lanyard_pki::pem::CERTIFICATE, site.root.der())).unwrap();
        std::fs::write(&password, PASSWORD).unwrap();
        Self { site, listen, roots, password }
    }

    pub async fn serve(&self, day: u32) -> Process {
        let [http, https, mtls] = &self.listen;
        Process::serve_on_day(&self.site, day, &["--http", http, "--https", https, "--mtls", mtls]).await
    }

    /// Serves by a clock that the test turns.
    pub async fn serve_by(&self, clock: &WallClock) -> Process {
        let [http, https, mtls] = &self.listen;
        let arguments = ["--http", http, "--https", https, "--mtls", mtls];
        Process::serve_by(&self.site, clock.command(lanyard()), &arguments).await
    }

    pub async fn device(&self, day: u32, arguments: &[&str]) -> Done {
        let mut command = faketime::on_day(day, Path::new(lanyard()));
        command.arg("device").args(arguments).arg("--store").arg(self.store());
        run(&mut command).await
    }

    pub fn store(&self) -> std::path::PathBuf {
        self.site.temp.path().join("device")
    }

    pub async fn join(&self, day: u32) -> Done {
        let url = format!("https://localhost:{}", self.listen[1].rsplit_once(':').unwrap().1);
        let (roots, password) = (self.roots.display().to_string(), self.password.display().to_string());
        let arguments = ["join", &url, "--user", "user1@example.org", "--tls-roots", &roots, "--password-file", &password];
        self.device(day, &arguments).await
    }

    pub async fn say(&self, arguments: &[&str]) -> Done {
        run(Command::new(lanyard()).args(arguments).arg("--dir").arg(&self.site.dir)).await
    }

    pub async fn add_user(&self) {
        let password = self.password.display().to_string();
        self.say(&["user", "add", "user1@example.org", "--password-file", &password]).await.good();
    }

    /// The devices as the administrator sees them.
    pub async fn fleet(&self) -> Value {
        serde_json::from_str(&self.say(&["fleet", "list", "--json"]).await.good()).unwrap()
    }

    async fn overdue(&self) -> usize {
        let list = self.say(&["fleet", "list", "--overdue", "--json"]).await.good();
        serde_json::from_str::<Value>(&list).unwrap().as_array().unwrap().len()
    }

    pub async fn status(&self, day: u32) -> Value {
        serde_json::from_str(&self.device(day, &["status", "--json"]).await.good()).unwrap()
    }
}

pub const WITH_SCEP: &str = "format = 1\nname = \"mdm\"\nrevision = 1\n[[scep]]\nname = \"client\"\ntemplate = \"device-client\"\n\
    key-protection = \"software\"\nurls = [\"http://HTTP/scep/default\"]\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_syncs_now_and_then_keeps_its_identity_and_its_certificate_for_years() {
    let place = Place::with_policy(WITH_SCEP).await;
    let server = place.serve(0).await;
    place.add_user().await;
    place.join(0).await.good();
    let synced = place.device(0, &["sync", "--json"]).await.good();
    assert!(synced.contains("\"installed\""), "{synced}");
    let first = place.status(0).await;
    server.kill().await;

    let mut identity = first["identity"].clone();
    let mut renewals = 0;
    for day in [200, 318, 330, 520, 650, 670, 700] {
        let server = place.serve(day).await;
        let synced = place.device(day, &["sync", "--json"]).await;
        assert!(synced.success, "day {day}: {}", synced.output);
        let status = place.status(day).await;
        assert!(status["not_after"].as_str() > status["last_session"].as_str(), "day {day}: it has not ended: {status}");
        assert_eq!(status["last_renewal_error"], 0, "day {day}");
        if status["identity"] != identity {
            identity = status["identity"].clone();
            renewals += 1;
        }
        let list = place.device(day, &["list", "--json"]).await.good();
        let list: Value = serde_json::from_str(&list).unwrap();
        let valid = |one: &&Value| one["profile"] == "default" && one["not_after"].as_str() > status["last_session"].as_str();
        assert!(list.as_array().or(list["identities"].as_array()).unwrap().iter().any(|one| valid(&one)), "day {day}: {list}");
        server.kill().await;
    }
    assert_eq!(renewals, 2, "in both years, within the period before the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missed_window_is_found_and_only_the_user_can_help_after_the_end() {
    let place = Place::with_policy("format = 1\nname = \"mdm\"\nrevision = 1\n").await;
    let server = place.serve(0).await;
    place.add_user().await;
    place.join(0).await.good();
    place.device(0, &["sync"]).await.good();
    server.kill().await;

    let server = place.serve(340).await;
    let overdue = place.say(&["fleet", "list", "--overdue", "--json"]).await.good();
    assert_eq!(serde_json::from_str::<Value>(&overdue).unwrap().as_array().unwrap().len(), 1, "{overdue}");
    server.kill().await;

    let server = place.serve(380).await;
    let late = place.device(380, &["sync"]).await;
    assert!(!late.success, "its identity has ended: {}", late.output);
    for said in ["the identity of this device has ended", "lanyard device leave --yes", "lanyard device join", "[agent.expired]"]
    {
        assert!(late.output.contains(said), "{said}: {}", late.output);
    }
    // The user's password is not enough: the template's renewal-grace is nothing by itself.
    let password = place.password.display().to_string();
    let refused = place.device(380, &["sync", "--renew-with-password-file", &password]).await;
    assert!(!refused.success && refused.output.contains("0x80180016"), "{}", refused.output);
    // The way back: the same device, not a second one, and nothing of the old enrolment counts any more.
    let before = place.fleet().await;
    assert_eq!(before.as_array().unwrap().len(), 1, "{before}");
    assert_eq!(place.overdue().await, 1);
    let left = place.device(380, &["leave", "--yes"]).await.good();
    assert!(left.contains("left the management"), "{left}");
    place.join(380).await.good();
    place.device(380, &["sync"]).await.good();
    let after = place.fleet().await;
    assert_eq!(after.as_array().unwrap().len(), 1, "{after}");
    assert_eq!(after[0]["id"], before[0]["id"]);
    assert_eq!(after[0]["enrollment"]["client"], before[0]["enrollment"]["client"]);
    assert_ne!(after[0]["enrollment"]["id"], before[0]["enrollment"]["id"]);
    assert_eq!(after[0]["enrollment"]["state"], "active");
    assert_eq!(place.overdue().await, 0);
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_grace_the_password_renews_what_has_ended() {
    let place = Place::with_template("format = 1\nname = \"mdm\"\nrevision = 1\n", |text| {
        text.replace("renewal-grace = \"0d\"", "renewal-grace = \"30d\"")
    })
    .await;
    let server = place.serve(0).await;
    place.add_user().await;
    place.join(0).await.good();
    place.device(0, &["sync"]).await.good();
    server.kill().await;
    let server = place.serve(380).await;
    assert!(!place.device(380, &["sync"]).await.success);
    let password = place.password.display().to_string();
    let renewed = place.device(380, &["sync", "--renew-with-password-file", &password]).await;
    assert!(renewed.success && renewed.output.contains("renewed the identity"), "{}", renewed.output);
    place.device(380, &["sync"]).await.good();
    assert_eq!(place.fleet().await.as_array().unwrap().len(), 1);
    server.kill().await;
    // After the grace, it does not.
    let server = place.serve(380 + 365 + 40).await;
    let late = place.device(380 + 365 + 40, &["sync", "--renew-with-password-file", &password]).await;
    assert!(!late.success && late.output.contains("0x80180016"), "{}", late.output);
    server.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_certificate_comes_with_the_session_after_its_approval() {
    let policy = WITH_SCEP.replace("device-client", "held-client");
    let place = Place::with_policy(&policy).await;
    let server = place.serve(0).await;
    place.add_user().await;
    place.join(0).await.good();
    let first = place.device(0, &["sync", "--json"]).await.good();
    assert!(first.contains("\"held\""), "{first}");
    let held = place.say(&["request", "list", "--state", "pending", "--json"]).await.good();
    let held: Value = serde_json::from_str(&held).unwrap();
    let id = held[0]["id"].as_str().unwrap().to_owned();
    place.say(&["request", "approve", &id]).await.good();
    let second = place.device(0, &["sync", "--json"]).await.good();
    assert!(second.contains("\"installed\""), "{second}");
    let fleet: Value = serde_json::from_str(&place.say(&["fleet", "list", "--json"]).await.good()).unwrap();
    let device = fleet[0]["id"].as_str().unwrap();
    let jobs = place.say(&["fleet", "jobs", device]).await.good();
    assert!(jobs.contains("verified"), "{jobs}");
    place.device(0, &["leave", "--yes"]).await.good();
    let fleet: Value = serde_json::from_str(&place.say(&["fleet", "list", "--json"]).await.good()).unwrap();
    assert_eq!(fleet[0]["enrollment"]["state"], "ended", "{fleet}");
    server.kill().await;
}

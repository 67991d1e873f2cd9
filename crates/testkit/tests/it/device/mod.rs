//! The device on its own: identities by SCEP without any management.

mod applying;
mod renewing;
mod running;

use std::{fs, net::SocketAddr, path::PathBuf, process::Stdio, time::Duration};

use lanyard_testkit::{
    process::{Process, lanyard},
    programs::{Done, faketime::WallClock, run},
    server::{Site, TestServer, order},
    wait::until,
};
use serde_json::Value;
use tokio::process::{Child, Command};

pub const DAY: i64 = 86_400;

/// A site whose address outlives a restart, a device, and a clock for both.
pub struct Place {
    pub site: Site,
    pub clock: WallClock,
    http: SocketAddr,
}

impl Place {
    /// With the built-in template `wifi` (a year, renewable in the last third) as `hosts`, and as `held`, which a person approves.
    pub async fn new() -> Self {
        let builder = TestServer::builder().template("wifi", "hosts", &[]);
        let builder = builder.template("wifi", "held", &[("approval = \"automatic\"", "approval = \"person\"")]);
        let (site, _) = builder.create().await;
        let http = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let clock = WallClock::new(site.temp.path());
        Self { site, clock, http }
    }

    pub async fn serve(&self) -> Process {
        let http = self.http.to_string();
        Process::serve_by(&self.site, self.clock.command(lanyard()), &["--http", &http, "--https", "127.0.0.1:0"]).await
    }

    pub fn store(&self) -> PathBuf {
        self.site.temp.path().join("device")
    }

    /// `lanyard device …` with its store and clock.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.clock.command(lanyard());
        command.arg("device").args(arguments).arg("--store").arg(self.store());
        command
    }

    pub async fn device(&self, arguments: &[&str]) -> Done {
        run(&mut self.command(arguments)).await
    }

    pub async fn json(&self, arguments: &[&str]) -> Value {
        let printed = self.device(&[arguments, &["--json"]].concat()).await.good();
        serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{e}: {printed}"))
    }

    /// `lanyard …` on the server.
    pub async fn say(&self, arguments: &[&str]) -> Done {
        run(self.clock.command(lanyard()).args(arguments).arg("--dir").arg(&self.site.dir)).await
    }

    /// Enrols under a template; what the program did.
    pub async fn enroll(&self, server: &Process, template: &str, name: &str, more: &[&str]) -> Done {
        let challenge = server.admin.challenge(&order(template, name)).await;
        let file = self.site.temp.path().join(format!("challenge-{name}"));
        std::fs::write(&file, &challenge.challenge).unwrap();
        let fingerprint = lanyard_agent::scep::options::fingerprint_text(&self.site.root.fingerprint());
        let (url, file) = (format!("http://{}/scep/default", self.http), file.display().to_string());
        let given = ["enroll", "--scep", &url, "--ca-fingerprint", &fingerprint, "--challenge-file", &file];
        self.device(&[&given[..], &["--subject", &challenge.subject], more].concat()).await
    }

    /// Identities with this subject that are current.
    pub async fn current(&self, name: &str) -> Vec<Value> {
        let listed = self.json(&["list"]).await;
        let wanted = |one: &Value| {
            one["status"] == "current" && one["subject"].as_str().is_some_and(|subject| subject.contains(&format!("CN={name}")))
        };
        listed["identities"].as_array().unwrap().iter().filter(|one| wanted(one)).cloned().collect()
    }
}

/// `lanyard device run`; it ends with this value.
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts it, with what it says in a file.
    pub fn start(mut command: Command, log: PathBuf) -> Self {
        let file = fs::File::create(&log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file).kill_on_drop(true);
        Self { child: command.spawn().unwrap(), log }
    }

    /// How often it said something.
    pub fn said(&self, what: &str) -> usize {
        fs::read_to_string(&self.log).unwrap().matches(what).count()
    }

    /// Waits until it said something so often.
    pub async fn says(&mut self, what: &str, times: usize) {
        until(&format!("'{what}', {times} times, in {}", self.log.display()), || {
            let ended = self.child.try_wait().unwrap();
            let text = fs::read_to_string(&self.log).unwrap();
            assert!(ended.is_none(), "it ended: {text}");
            let said = (text.matches(what).count() >= times).then_some(());
            async move { said }
        })
        .await;
    }

    /// Waits for its end, which is a good one; all that it said.
    pub async fn ends(&mut self) -> String {
        let ended = tokio::time::timeout(Duration::from_secs(60), self.child.wait()).await.expect("an end").unwrap();
        assert_eq!(ended.code(), Some(0));
        fs::read_to_string(&self.log).unwrap()
    }

    /// Asks it to stop; all that it said.
    pub async fn stop(mut self) -> String {
        let pid = self.child.id().expect("it is at work");
        run(Command::new("sh").args(["-c", &format!("kill -TERM {pid}")])).await.good();
        self.ends().await
    }
}

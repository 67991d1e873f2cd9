//! A server in a process of its own, so that its CPU time is nobody else's.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use lanyard_agent::{
    http::HttpClient,
    key::DeviceKey,
    model::secret::SecretText,
    scep::{ScepServer, SessionOptions, TrustedServer, load::Prepared},
};
use lanyard_server::{
    KeyKind,
    api::types::{Challenge, Order},
    clock::{Clock, SystemClock},
    error::chain,
    init::{Plan, UnsealSource, init},
    serve::{Unseal, open},
    state::Server,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::admin::Target;

/// How long the server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// An installation that is measured.
pub struct Site {
    dir: PathBuf,
    unseal: PathBuf,
    fingerprint: [u8; 32],
    /// Base of HTTPS; empty where only plain HTTP is used.
    url: String,
    /// The root, PEM.
    root: Vec<u8>,
}

/// Its running server.
pub struct Running {
    /// Address of plain HTTP.
    pub http: SocketAddr,
    child: Child,
}

/// CPU time and memory of a server's process.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// CPU time so far.
    pub cpu: Duration,
    /// Resident memory now and at most, in octets.
    pub memory: (u64, u64),
}

impl Site {
    /// Creates an authority with a P-256 key in `dir`, its database there or on a server.
    pub async fn create(dir: &Path, database: Option<String>) -> Result<Self, String> {
        Self::make(dir, database, [SocketAddr::from(([127, 0, 0, 1], 0)); 2]).await
    }

    /// Creates an authority whose Windows devices may renew at once, and of which one user may have any number.
    pub async fn create_for_devices(dir: &Path) -> Result<Self, String> {
        let site = Self::make(dir, None, [free_address()?, free_address()?]).await?;
        site.edit(
            "lanyard.toml",
            &[
                ("devices-per-user = 10", "devices-per-user = 0"),
                ("renew-period = \"40d\"", "renew-period = \"1d\""),
                ("renew-spread = \"20d\"", "renew-spread = \"0s\""),
                ("retry-interval = \"4d\"", "retry-interval = \"1d\""),
            ],
        )?;
        let life = [
            ("lifetime = \"365d\"", "lifetime = \"3d\""),
            ("backdate = \"1h\"", "backdate = \"1d\""),
            ("spread = \"23h\"", "spread = \"0s\""),
            ("renewal-window = \"120d\"", "renewal-window = \"3d\""),
        ];
        site.edit("templates/mdm-identity.toml", &life)?;
        Ok(site)
    }

    async fn make(dir: &Path, database: Option<String>, [https, mdm]: [SocketAddr; 2]) -> Result<Self, String> {
        let (ca, unseal) = (dir.join("ca"), dir.join("unseal.key"));
        let plan = Plan {
            dir: ca.clone(),
            organization: "Example".into(),
            ca_key: KeyKind::EcP256,
            unseal: UnsealSource::File(unseal.clone()),
            url: Some("http://pki.example".into()),
            http: SocketAddr::from(([127, 0, 0, 1], 0)),
            https,
            mdm,
            tls_names: Vec::new(),
            database: database.map(SecretText::new),
        };
        let created = init(plan, SystemClock.now()).await.map_err(|e| chain(&e))?;
        let root = lanyard_agent::pki::pem::encode(lanyard_agent::pki::pem::CERTIFICATE, created.root.der()).into_bytes();
        let url = format!("https://localhost:{}", https.port());
        Ok(Self { dir: ca, unseal, fingerprint: created.root.fingerprint(), url, root })
    }

    fn edit(&self, file: &str, edits: &[(&str, &str)]) -> Result<(), String> {
        let path = self.dir.join(file);
        let mut text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        for (from, to) in edits {
            if !text.contains(from) {
                return Err(format!("{} has no '{from}'", path.display()));
            }
            text = text.replacen(from, to, 1);
        }
        std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))
    }

    /// Base of HTTPS.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The root, PEM.
    pub fn root(&self) -> &[u8] {
        &self.root
    }

    /// Adds so many users, `user0` and so on, whose password costs hardly anything to check; only while no server runs.
    pub async fn add_users(&self, count: usize, password: &str) -> Result<(), String> {
        let server = self.open().await?;
        for number in 0..count {
            let name = format!("user{number}");
            let added = lanyard_server::mdm::password::add_user_for_measuring(&server, &name, password).await;
            added.map_err(|e| chain(&e))?;
        }
        server.store.close().await;
        Ok(())
    }

    /// What an administrator calls.
    pub fn target(&self) -> Target {
        Target::dir(&self.dir)
    }

    /// Opens the installation in this process; only while no server runs.
    pub async fn open(&self) -> Result<Arc<Server>, String> {
        open(&self.dir, Unseal::File(self.unseal.clone()), Arc::new(SystemClock)).await.map_err(|e| chain(&e))
    }

    /// Starts the server.
    pub async fn serve(&self) -> Result<Running, String> {
        let program = std::env::current_exe().map_err(|e| e.to_string())?;
        let mut command = Command::new(program);
        command.args(["--log", "error", "serve", "--dir"]).arg(&self.dir).arg("--unseal-file").arg(&self.unseal);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| e.to_string())?;
        let mut lines = BufReader::new(child.stderr.take().ok_or("the server has no output")?).lines();
        let http = tokio::time::timeout(PATIENCE, async {
            while let Ok(Some(line)) = lines.next_line().await {
                let address = line.strip_prefix("serving http://").and_then(|rest| rest.split(' ').next()?.parse().ok());
                if address.is_some() {
                    return address;
                }
                crate::print::remark(&line);
            }
            None
        });
        let http = http.await.ok().flatten().ok_or("the server did not start")?;
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                if line != "stopping" {
                    crate::print::remark(&line);
                }
            }
        });
        Ok(Running { http, child })
    }

    /// A session as a device has it: capabilities and certificates, verified.
    pub async fn trust(&self, http: SocketAddr) -> Result<TrustedServer, String> {
        let server = ScepServer::new(&format!("http://{http}/scep/default"), &SessionOptions::default());
        server.map_err(|e| e.to_string())?.trust(&self.fingerprint, SystemClock.now()).await.map_err(|e| e.to_string())
    }

    /// Prepares `count` distinct requests, each with a challenge of its own.
    pub async fn prepare(
        &self,
        numbers: std::ops::Range<usize>,
        keys: &[Arc<DeviceKey>],
        server: &TrustedServer,
        done: impl Fn() + Send + Sync + Clone + 'static,
    ) -> Result<Vec<Prepared>, String> {
        let ca = Arc::new(server.ca.clone());
        let target = Target::dir(&self.dir);
        let mut tasks = tokio::task::JoinSet::new();
        let workers = 8;
        for worker in 0..workers {
            let (ca, target, done, keys) = (Arc::clone(&ca), target.clone(), done.clone(), keys.to_vec());
            let mine: Vec<usize> = numbers.clone().filter(|n| n % workers == worker).collect();
            tasks.spawn(async move {
                let mut made = Vec::with_capacity(mine.len());
                for number in mine {
                    let key = keys.get(number % keys.len().max(1)).ok_or("there are no keys")?;
                    let subject = format!("CN=device-{number},O=Example");
                    let challenge = challenge(&target, &subject).await?;
                    let subject = lanyard_agent::pki::name::parse(&subject).map_err(|e| e.to_string())?;
                    let prepared = Prepared::new(number, key, &subject, challenge, &ca, SystemClock.now());
                    made.push(prepared.map_err(|e| e.to_string())?);
                    done();
                }
                Ok::<_, String>(made)
            });
        }
        let mut prepared = Vec::new();
        for made in tasks.join_all().await {
            prepared.extend(made?);
        }
        Ok(prepared)
    }
}

fn free_address() -> Result<SocketAddr, String> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).map_err(|e| e.to_string())?;
    listener.local_addr().map_err(|e| e.to_string())
}

async fn challenge(target: &Target, subject: &str) -> Result<SecretText, String> {
    let order = Order {
        template: "device-client".into(),
        subject: Some(subject.to_owned()),
        key: Some("rsa:2048".into()),
        ..Order::default()
    };
    let made: Challenge = target.post("/challenges", &order).await.map_err(|e| e.to_string())?;
    Ok(SecretText::new(made.challenge))
}

impl Running {
    /// What its process has used so far, as it tells itself.
    pub async fn usage(&self) -> Result<Usage, String> {
        let uri = format!("http://{}/metrics", self.http).parse().map_err(|_| "a bad address")?;
        let client = HttpClient::for_uri(&uri, None).map_err(|e| e.to_string())?;
        let answer = client.get("metrics", &uri).await.map_err(|e| e.to_string())?;
        let text = String::from_utf8_lossy(&answer.body);
        let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap_or("0");
        let octets = |name: &str| value(name).parse().unwrap_or(0);
        Ok(Usage {
            cpu: Duration::from_secs_f64(value("process_cpu_seconds_total").parse().unwrap_or(0.0)),
            memory: (octets("process_resident_memory_bytes"), octets("process_resident_memory_max_bytes")),
        })
    }

    /// Stops it in an orderly way.
    pub async fn stop(mut self) {
        if let Some(pid) = self.child.id() {
            let _ = std::process::Command::new("kill").args(["-TERM", &pid.to_string()]).status();
        }
        let _ = self.child.wait().await;
    }
}

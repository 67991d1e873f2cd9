//! Who is measured: the gateway, nginx, HAProxy, each a process of its own in front of the same back end.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::Stdio,
    time::Duration,
};

use lanyard_agent::model::text::hex;
use tokio::process::{Child, Command};

use super::{
    super::peer::cpu,
    measure::MOST_HELD,
    papers::{HOST, Papers},
};

/// How often it is looked whether one listens, and how long in between.
const LOOKS: u32 = 200;
const PAUSE: Duration = Duration::from_millis(25);

/// A server that runs; it ends with this value.
pub struct Proxy {
    /// Its name for people.
    pub name: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
}

/// What is used of a machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// CPU time.
    pub cpu: Duration,
    /// Memory in octets.
    pub memory: u64,
}

impl Proxy {
    /// The gateway; `ruled`: with ActiveSync, rules for devices and names looked up, otherwise as little as there can be.
    pub async fn gateway(folder: &Path, papers: &Papers, back_end: SocketAddr, ruled: bool) -> Result<Self, String> {
        let address = free()?;
        let print = hex(&papers.client.certificate.fingerprint());
        let users = format!("[[user]]\nname = \"alice\"\nupn = \"alice@example.org\"\ncertificates = [\"{print}\"]\n");
        private(&folder.join("users.toml"), &users)?;
        let (kind, more) = if ruled {
            let rules: String = (0..20)
                .map(|n| format!("[[application.device]]\naction = \"block\"\ndevice-type = \"OldPhone{n}*\"\n"))
                .collect();
            ("activesync", format!("mapping = [\"sid\", \"upn\"]\nclient-cert = true\nreuse-connections = true\n{rules}"))
        } else {
            ("web", "mapping = [\"record\"]\n".to_owned())
        };
        let text = format!(
            "listen = [\"{address}\"]\n[[certificate]]\nchain-file = \"server.pem\"\nkey-file = \"server.key\"\n\
             [[trust]]\nname = \"staff\"\nca-file = \"root.pem\"\nrevocation = \"known\"\nvouches-for-names = true\n\
             [[accounts]]\nname = \"people\"\nkind = \"file\"\nfile = \"users.toml\"\n\
             [[application]]\nname = \"bench\"\nhosts = [\"{HOST}\"]\nkind = \"{kind}\"\nmode = \"certificate\"\ntrust = [\"staff\"]\n\
             accounts = \"people\"\nback-ends = [\"http://{back_end}\"]\n{more}"
        );
        let path = folder.join(if ruled { "ruled.toml" } else { "gateway.toml" });
        fs::write(&path, text).map_err(|e| e.to_string())?;
        let mut command = Command::new(std::env::current_exe().map_err(|e| e.to_string())?);
        command.args(["--log", "error", "gateway", "--config"]).arg(path);
        Self::start(if ruled { "gateway, with rules" } else { "gateway" }, folder, address, command).await
    }

    /// The gateway with the accounts and the state of a Lanyard server at this URL.
    pub async fn following(folder: &Path, server: &str, token: &str, back_end: SocketAddr) -> Result<Self, String> {
        let address = free()?;
        private(&folder.join("gateway.token"), token)?;
        let text = format!(
            "listen = [\"{address}\"]\n[server]\nurl = \"{server}\"\nca-file = \"lanyard-root.pem\"\ntoken-file = \"gateway.token\"\n\
             [[certificate]]\nchain-file = \"server.pem\"\nkey-file = \"server.key\"\n\
             [[trust]]\nname = \"devices\"\nca-file = \"lanyard-root.pem\"\n[[accounts]]\nname = \"lanyard\"\nkind = \"lanyard\"\n\
             [[application]]\nname = \"bench\"\nhosts = [\"{HOST}\"]\nkind = \"activesync\"\nmode = \"certificate\"\ntrust = [\"devices\"]\n\
             accounts = \"lanyard\"\nmapping = [\"record\"]\nback-ends = [\"http://{back_end}\"]\n"
        );
        let path = folder.join("following.toml");
        fs::write(&path, text).map_err(|e| e.to_string())?;
        let mut command = Command::new(std::env::current_exe().map_err(|e| e.to_string())?);
        command.args(["--log", "error", "gateway", "--config"]).arg(path);
        Self::start("gateway, following", folder, address, command).await
    }

    /// nginx, from Debian's package nginx-light.
    pub async fn nginx(folder: &Path, back_end: SocketAddr) -> Result<Self, String> {
        let address = free()?;
        let here = folder.display();
        let text = format!(
            "daemon off; master_process on; worker_processes 2; pid {here}/nginx.pid; error_log stderr crit;\n\
             events {{ worker_connections 15000; }}\n\
             http {{ access_log off; client_body_temp_path {here}/b; proxy_temp_path {here}/p; fastcgi_temp_path {here}/f;\n\
             uwsgi_temp_path {here}/u; scgi_temp_path {here}/s; keepalive_requests 10000000; keepalive_timeout 3600s;\n\
             upstream back {{ server {back_end}; keepalive 256; keepalive_requests 10000000; }}\n\
             server {{ listen {address} ssl backlog=4096; ssl_certificate {here}/server.pem; ssl_certificate_key {here}/server.key;\n\
             ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache off; ssl_session_tickets off; ssl_client_certificate {here}/root.pem;\n\
             ssl_verify_client on; location / {{ proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection \"\";\n\
             proxy_buffering off; proxy_read_timeout 3600s; }} }} }}\n"
        );
        let path = folder.join("nginx.conf");
        fs::write(&path, text).map_err(|e| e.to_string())?;
        let mut command = Command::new("/usr/sbin/nginx");
        command.arg("-c").arg(path).arg("-p").arg(folder).args(["-e", "stderr"]);
        Self::start("nginx", folder, address, command).await.map_err(|e| format!("{e} (apt-get install nginx-light)"))
    }

    /// HAProxy, from Debian's package.
    pub async fn haproxy(folder: &Path, back_end: SocketAddr) -> Result<Self, String> {
        let address = free()?;
        let here = folder.display();
        let text = format!(
            "global\n nbthread 2\n maxconn {MOST_HELD}\n tune.ssl.cachesize 0\n ssl-default-bind-options no-tls-tickets\n\
             defaults\n mode http\n timeout client 3600s\n timeout server 3600s\n timeout connect 5s\n\
             frontend f\n bind {address} ssl crt {here}/both.pem ca-file {here}/root.pem verify required\n default_backend b\n\
             backend b\n http-reuse always\n server s {back_end}\n"
        );
        let path = folder.join("haproxy.cfg");
        fs::write(&path, text).map_err(|e| e.to_string())?;
        let mut command = Command::new("/usr/sbin/haproxy");
        command.arg("-db").arg("-f").arg(path);
        Self::start("HAProxy", folder, address, command).await.map_err(|e| format!("{e} (apt-get install haproxy)"))
    }

    async fn start(name: &'static str, folder: &Path, address: SocketAddr, mut command: Command) -> Result<Self, String> {
        let log = folder.join(format!("{name}.log"));
        let output = fs::File::create(&log).map_err(|e| e.to_string())?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output).kill_on_drop(true);
        let mut child = command.spawn().map_err(|e| format!("{name} does not run: {e}"))?;
        for _ in 0..LOOKS {
            if TcpStream::connect(address).is_ok() {
                return Ok(Self { name, address, child });
            }
            if let Some(status) = child.try_wait().map_err(|e| e.to_string())? {
                let log = fs::read_to_string(&log).unwrap_or_default();
                return Err(format!("{name} ended with {status}: {}", log.trim()));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(format!("{name} does not listen"))
    }

    /// What it and its children used so far.
    pub fn usage(&self) -> Usage {
        let Some(pid) = self.child.id() else { return Usage::default() };
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let pids = children.split_whitespace().filter_map(|child| child.parse().ok()).chain([pid]);
        pids.fold(Usage::default(), |sum, pid| Usage { cpu: sum.cpu + cpu(pid), memory: sum.memory + memory(pid) })
    }

    /// Ends it and what it started.
    pub async fn stop(mut self) {
        if let Some(pid) = self.child.id() {
            // A master takes its workers along when it is asked, not when it is killed.
            let _ = Command::new("kill").arg(pid.to_string()).status().await;
        }
        let _ = tokio::time::timeout(Duration::from_secs(15), self.child.wait()).await;
    }
}

fn memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

fn free() -> Result<SocketAddr, String> {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).map_err(|e| e.to_string())
}

fn private(path: &Path, text: &str) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text).and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o600))).map_err(|e| e.to_string())
}

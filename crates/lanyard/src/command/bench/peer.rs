//! Debian's scepserver with the same kind of requests. Over one connection only: with more it refuses requests and repeats serial
//! numbers.

use std::{fs, net::SocketAddr, path::Path, process::Stdio, sync::Arc, time::Duration};

use lanyard_agent::{
    key::DeviceKey,
    model::secret::SecretText,
    pki::{certificate::Certificate, name},
    scep::{
        CaCertificates, ScepServer, SessionOptions,
        load::{Prepared, send},
    },
};
use lanyard_server::clock::{Clock, SystemClock};
use tokio::process::Command;

use super::report::Peer;

const PROGRAM: &str = "scepserver";
const CHALLENGE: &str = "bench-challenge";

/// Measures it.
pub async fn measure(keys: &[Arc<DeviceKey>], count: usize) -> Result<Peer, String> {
    let absent = |e: std::io::Error| format!("{PROGRAM} does not run ({e}); it is in Debian's package scep");
    let dir = tempfile::TempDir::with_prefix("lanyard-bench-peer-").map_err(|e| e.to_string())?;
    let depot = dir.path().join("depot");
    let made =
        Command::new(PROGRAM).args(["ca", "-init", "-depot"]).arg(&depot).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !made.await.map_err(absent)?.success() {
        return Err(format!("{PROGRAM} cannot make its authority"));
    }
    let address = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).map_err(|e| e.to_string())?;
    let mut child = Command::new(PROGRAM)
        .arg("-depot")
        .arg(&depot)
        .args(["-port", &address.port().to_string(), "-challenge", CHALLENGE])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(absent)?;
    let ca = ca(address).await?;
    let mut requests = Vec::with_capacity(count);
    for (number, key) in keys.iter().cycle().take(count).enumerate() {
        let subject = name::parse(&format!("CN=device-{number},O=Example")).map_err(|e| e.to_string())?;
        let challenge = SecretText::new(CHALLENGE.to_owned());
        requests.push(Prepared::new(number, key, &subject, challenge, &ca, SystemClock.now()).map_err(|e| e.to_string())?);
    }
    let pid = child.id().ok_or("the peer ended")?;
    let before = (cpu(pid), issued(&depot));
    let (_, wall) = send(address, "/scep", requests, 1).await.map_err(|e| e.to_string())?;
    let (cpu, issued) = (cpu(pid).saturating_sub(before.0), issued(&depot).saturating_sub(before.1));
    let _ = child.kill().await;
    if issued < count {
        return Err(format!("{PROGRAM} issued {issued} of {count} certificates"));
    }
    let each = issued.max(1) as f64;
    let per_second = each / wall.as_secs_f64();
    Ok(Peer { name: PROGRAM, enrolments: issued, per_second, cpu_us: cpu.as_secs_f64() * 1e6 / each, ours: None })
}

async fn ca(address: SocketAddr) -> Result<CaCertificates, String> {
    let server = ScepServer::new(&format!("http://{address}/scep"), &SessionOptions::default()).map_err(|e| e.to_string())?;
    let mut patience = 100;
    let body = loop {
        match server.ca_certificates().await {
            Ok(body) => break body,
            Err(error) if patience == 0 => return Err(error.to_string()),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
        patience -= 1;
    };
    // Its one certificate decrypts and signs; whether its usages say so does not matter here.
    let certificate = Certificate::decode(&body).map_err(|e| e.to_string())?;
    let (signing, encryption) = (certificate.clone(), certificate.clone());
    Ok(CaCertificates { anchor: certificate, intermediates: Vec::new(), signing, encryption })
}

/// CPU time of another process, in ticks of 10 ms.
pub(super) fn cpu(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn issued(depot: &Path) -> usize {
    let files = fs::read_dir(depot).into_iter().flatten().flatten();
    files.filter(|f| f.file_name().to_str().is_some_and(|name| name.starts_with("device-"))).count()
}

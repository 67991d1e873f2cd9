//! A device with a TPM: the real command line, with a TPM in software where one is installed.

use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use lanyard_agent::{scep::options::fingerprint_text, tpm::TpmProgram};
use tokio::process::{Child, Command};

use super::{
    acts::{Happened, dns, subject, verdict},
    stage::Stage,
};

const WHO: &str = "laptop-tpm";
const ACT: &str = "key in a TPM";
/// How often it is looked whether the TPM listens, and how long in between.
const LOOKS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// Enrols and renews with a key that stays in a TPM; where there is nothing to play it with, that is said.
pub async fn play(stage: &Stage) -> Happened {
    let Some(swtpm) = in_path("swtpm") else {
        return verdict(WHO.into(), ACT, Ok("NOT PLAYED: swtpm is not there (apt-get install swtpm)".into()));
    };
    if let Err(error) = TpmProgram::find() {
        return verdict(WHO.into(), ACT, Ok(format!("NOT PLAYED: {error} (cargo build --release -p lanyard-tpm)")));
    }
    verdict(WHO.into(), ACT, with(stage, &swtpm).await)
}

async fn with(stage: &Stage, swtpm: &Path) -> Result<String, String> {
    let io = |error: std::io::Error| error.to_string();
    let folder = stage.folder("tpm").map_err(io)?;
    // It ends with this value.
    let (_tpm, port) = start(swtpm, &folder).await?;
    let store = folder.join("store");
    let challenge = folder.join("challenge");
    std::fs::write(&challenge, stage.challenge(&subject(WHO), &dns(WHO)).await?.expose()).map_err(io)?;
    let device = async |arguments: &[&str]| -> Result<(), String> {
        let mut command = Command::new(std::env::current_exe().map_err(io)?);
        command.env("LANYARD_TPM", format!("swtpm:host=127.0.0.1,port={port}")).stdin(Stdio::null());
        let done = command.arg("device").args(arguments).arg("--store").arg(&store).output().await.map_err(io)?;
        if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).trim().replace('\n', "; ")) }
    };
    let (url, fingerprint, challenge) = (stage.scep(), fingerprint_text(&stage.fingerprint()), challenge.display().to_string());
    let enroll = ["enroll", "--scep", &url, "--ca-fingerprint", &fingerprint, "--challenge-file", &challenge];
    let (subject, dns) = (subject(WHO), dns(WHO));
    device(&[&enroll[..], &["--subject", &subject, "--san", &dns, "--protection", "tpm"]].concat()).await?;
    device(&["renew", "--all"]).await?;
    let identities = stage.device("tpm/store")?.identities().map_err(|error| error.to_string())?;
    let in_tpm = |id| store.join("my").join(id).join("key.tpm").exists() && !store.join("my").join(id).join("key.pem").exists();
    let held = identities.len() == 2 && identities.iter().all(|one| in_tpm(one.about.id.as_str()));
    if held { Ok("enrolled and renewed; the key is in no file".into()) } else { Err("a key is not in the TPM".into()) }
}

async fn start(swtpm: &Path, folder: &Path) -> Result<(Child, u16), String> {
    let io = |error: std::io::Error| error.to_string();
    let port = two_free_ports().ok_or("no two ports are free side by side")?;
    let mut command = Command::new(swtpm);
    command.args(["socket", "--tpm2", "--tpmstate"]).arg(format!("dir={}", folder.display()));
    command.args(["--server", &format!("type=tcp,port={port}"), "--ctrl", &format!("type=tcp,port={}", port + 1)]);
    command.args(["--flags", "not-need-init,startup-clear"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.kill_on_drop(true).spawn().map_err(io)?;
    for _ in 0..LOOKS {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok((child, port));
        }
        if child.try_wait().map_err(io)?.is_some() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err("swtpm does not start".into())
}

fn two_free_ports() -> Option<u16> {
    (0..20).find_map(|_| {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
        let port = first.local_addr().ok()?.port();
        TcpListener::bind((Ipv4Addr::LOCALHOST, port.checked_add(1)?)).ok().map(|_| port)
    })
}

fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(name)).find(|path| path.is_file())
}

//! The real program in a process of its own, so that it can be killed and watched.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::OnceLock,
};

use tokio::process::{Child, Command};

use crate::{
    admin::Admin,
    programs::{faketime, program, run},
    server::Site,
    wait::until,
};

/// The program, built from what is in the workspace now.
///
/// # Panics
/// When it cannot be built.
pub fn lanyard() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| std::env::var_os("LANYARD_BIN").map_or_else(|| build("lanyard"), PathBuf::from))
}

/// The program that speaks with a TPM, likewise; it lies beside the other one.
///
/// # Panics
/// When it cannot be built: it needs the package libtss2-dev.
pub fn lanyard_tpm() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build("lanyard-tpm"))
}

fn build(name: &str) -> PathBuf {
    // This test is <target>/<profile>/deps/<name>.
    let this = std::env::current_exe().unwrap();
    let profile = this.parent().and_then(Path::parent).expect("the folder of the profile");
    let mut command = std::process::Command::new(env!("CARGO"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--quiet", "-p", name, "--bin", name]);
    command.arg("--target-dir").arg(profile.parent().expect("the target folder"));
    if profile.ends_with("release") {
        command.arg("--release");
    }
    let built = command.output().expect("cargo");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    profile.join(name)
}

/// A running `lanyard serve`.
pub struct Process {
    /// Address of plain HTTP.
    pub http: SocketAddr,
    /// Its administrator's socket.
    pub admin: Admin,
    /// What it wrote to standard error.
    pub log: PathBuf,
    child: Child,
    /// The server itself, which is not the child when another program started it.
    pid: u32,
}

impl Process {
    /// Serves an installation.
    pub async fn serve(site: &Site) -> Self {
        Self::start(site, Command::new(lanyard()), &[]).await
    }

    /// Serves an installation with further arguments.
    pub async fn serve_with(site: &Site, arguments: &[&str]) -> Self {
        Self::start(site, Command::new(lanyard()), arguments).await
    }

    /// Serves an installation with further arguments, so many days from now.
    pub async fn serve_on_day(site: &Site, day: u32, arguments: &[&str]) -> Self {
        Self::start(site, faketime::on_day(day, Path::new(lanyard())), arguments).await
    }

    /// Serves an installation with a program that was prepared, such as with another environment.
    pub async fn serve_by(site: &Site, program: Command, arguments: &[&str]) -> Self {
        Self::start(site, program, arguments).await
    }

    /// Serves an installation under strace, which writes these system calls of all its threads to a file.
    pub async fn traced(site: &Site, calls: &str, output: &Path) -> Self {
        let mut command = Command::new(program("strace", "strace"));
        command.args(["-f", "-y", "-s", "160", "-e", &format!("trace={calls}"), "-o"]).arg(output).arg(lanyard());
        Self::start(site, command, &[]).await
    }

    async fn start(site: &Site, mut command: Command, arguments: &[&str]) -> Self {
        let name = format!("serve-{}.log", crate::scep::device::random_text());
        let log = site.temp.path().join(name);
        let file = File::create(&log).unwrap();
        command.args(["serve", "--dir"]).arg(&site.dir).arg("--unseal-file").arg(&site.unseal).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let first = child.id().expect("a process id");
        let http = until("the server to listen", || {
            let ended = child.try_wait().unwrap();
            let text = fs::read_to_string(&log).unwrap_or_default();
            assert!(ended.is_none(), "the server ended: {text}");
            let address = text.split_once("serving http://").and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok());
            async move { address }
        })
        .await;
        let traced = fs::read_to_string(format!("/proc/{first}/task/{first}/children")).unwrap_or_default();
        let pid = traced.split_whitespace().next().and_then(|p| p.parse().ok()).unwrap_or(first);
        Self { http, admin: Admin::of(&site.dir), log, child, pid }
    }

    /// Address of HTTPS.
    ///
    /// # Panics
    /// When it does not say so.
    #[must_use]
    pub fn https(&self) -> SocketAddr {
        let text = self.logged();
        let address = text.split_once("and https://").and_then(|(_, rest)| rest.split([';', ' ', '\n']).next()?.parse().ok());
        address.unwrap_or_else(|| panic!("no address of HTTPS: {text}"))
    }

    /// Process id of the server.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// What it logged so far.
    ///
    /// # Panics
    /// When the log cannot be read.
    #[must_use]
    pub fn logged(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Ends it at once, as a power cut would.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub async fn kill(mut self) {
        self.signal("KILL").await;
        self.child.wait().await.unwrap();
    }

    /// Asks it to stop.
    pub async fn terminate(&self) {
        self.signal("TERM").await;
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it cannot be waited for.
    pub async fn ended(&mut self) -> ExitStatus {
        tokio::time::timeout(crate::wait::PATIENCE, self.child.wait()).await.expect("an end").unwrap()
    }

    async fn signal(&self, name: &str) {
        // The shell's own, so that no package is needed.
        run(Command::new("sh").args(["-c", &format!("kill -{name} {}", self.pid)])).await.good();
    }
}

impl Drop for Process {
    /// Ends the server of a test that failed: a program that started it for us does not take it along.
    fn drop(&mut self) {
        if self.child.id().is_some() {
            let _ = std::process::Command::new("sh").args(["-c", &format!("kill -KILL {}", self.pid)]).output();
        }
    }
}

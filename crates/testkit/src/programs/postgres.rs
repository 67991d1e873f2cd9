//! A real PostgreSQL server of Debian's package, on loopback, gone with the process that started it.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::{MetadataExt, chown},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use crate::temporary;

const PACKAGE: &str = "postgresql";
const PATIENCE: Duration = Duration::from_secs(60);

/// Clears up in a process of its own when the other end of its standard input is closed, by whatever end of the test: ends the server, if
/// it lives, and removes its directory.
const KEEPER: &str = r#"cat; p=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
if [ -n "$p" ] && [ "$(cat "/proc/$p/comm" 2>/dev/null)" = postgres ]; then
  kill -QUIT "$p"; n=0
  while [ -d "/proc/$p" ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n + 1)); done
fi
rm -rf "$1""#;

/// A running server, which ends with this value, and its directory with it. Anybody on this machine may log in as `postgres`.
pub struct Postgres {
    directory: PathBuf,
    binaries: PathBuf,
    port: u16,
    /// Closed when this value is dropped or the process ends.
    _keeper: ChildStdin,
}

impl Postgres {
    /// The one server of this process, started by the first who asks.
    ///
    /// # Panics
    /// When the package is absent or the server does not start.
    pub fn shared() -> &'static Self {
        static SERVER: OnceLock<Postgres> = OnceLock::new();
        SERVER.get_or_init(|| {
            let server = Self::initialize();
            server.start();
            server
        })
    }

    /// A server of its own, for whoever stops and starts it.
    ///
    /// # Panics
    /// When the package is absent or the server does not start.
    #[must_use]
    pub fn own() -> Self {
        let server = Self::initialize();
        server.start();
        server
    }

    /// Makes an empty database and returns its URL.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn database(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }

    /// Runs statements in a database and returns what `psql` prints, one line a row.
    ///
    /// # Panics
    /// When a statement fails.
    pub fn sql(&self, database: &str, statements: &str) -> String {
        let url = format!("postgres://postgres@127.0.0.1:{}/{database}", self.port);
        let arguments = ["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-d", &url, "-c", statements];
        let output = Command::new(self.binaries.join("psql")).args(arguments).output().expect("psql runs");
        assert!(output.status.success(), "{statements}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("psql prints UTF-8")
    }

    /// Starts the server again after [`Self::kill`].
    ///
    /// # Panics
    /// When it does not accept connections in time.
    pub fn start(&self) {
        let (data, port, binary) = (self.directory.join("data"), self.port, self.binaries.join("postgres"));
        let log = fs::File::create(self.directory.join("log")).expect("a log file");
        // The server is told to stop when the thread that started it ends: this one never does.
        let start = move || {
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "INT"]);
            if let Some((user, group)) = account() {
                command.args(["--reuid", &user.to_string(), "--regid", &group.to_string(), "--clear-groups"]);
            }
            command.arg(binary).arg("-D").arg(data).args(["-p", &port.to_string()]);
            for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300"] {
                command.args(["-c", setting]);
            }
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
            let mut child: Child = command.spawn().expect("setpriv and postgres run");
            let _ = child.wait();
            std::thread::park();
        };
        std::thread::Builder::new().name("postgres".into()).spawn(start).expect("a thread");
        let deadline = Instant::now() + PATIENCE;
        while !self.answers() {
            let log = || fs::read_to_string(self.directory.join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "PostgreSQL does not start: {}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends the server as a power cut would: no good-bye to clients, recovery at the next start.
    ///
    /// # Panics
    /// When its process cannot be found.
    pub fn kill(&self) {
        let file = fs::read_to_string(self.directory.join("data/postmaster.pid")).expect("the server's process file");
        let process = file.lines().next().unwrap_or_default().to_owned();
        let killed = Command::new("kill").args(["-QUIT", &process]).status().expect("kill runs");
        assert!(killed.success());
        let deadline = Instant::now() + PATIENCE;
        while Path::new("/proc").join(&process).exists() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn answers(&self) -> bool {
        let port = self.port.to_string();
        let asked = Command::new(self.binaries.join("pg_isready")).args(["-q", "-h", "127.0.0.1", "-p", &port]).status();
        asked.is_ok_and(|status| status.success())
    }

    fn initialize() -> Self {
        let binaries = binaries();
        let directory = temporary::folder("postgres").keep();
        let keeper = keeper(&directory);
        let mut command = Command::new("setpriv");
        if let Some((user, group)) = account() {
            chown(&directory, Some(user), Some(group)).expect("the directory can be given away");
            command.args(["--reuid", &user.to_string(), "--regid", &group.to_string(), "--clear-groups"]);
        } else {
            command.arg("--no-new-privs");
        }
        // A language's order of letters, to prove that nothing relies on the database's own.
        let settings =
            ["--auth=trust", "--no-sync", "-E", "UTF8", "-U", "postgres", "--locale-provider=icu", "--icu-locale=en-US"];
        command.arg(binaries.join("initdb")).arg("-D").arg(directory.join("data")).args(settings);
        let made = command.current_dir(&directory).output().expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        Self { directory, binaries, port, _keeper: keeper }
    }
}

fn keeper(directory: &Path) -> ChildStdin {
    let mut command = Command::new("sh");
    command.args(["-c", KEEPER, "keeper"]).arg(directory).current_dir("/");
    // Not in the group that a terminal's Ctrl-C ends.
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("sh runs").stdin.take().expect("its standard input")
}

/// User and group to run the server as: PostgreSQL refuses to be run by root. `None` for everybody else.
fn account() -> Option<(u32, u32)> {
    let root = fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0);
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut fields = users.lines().find(|line| line.starts_with("postgres:"))?.split(':').skip(2);
    let mut number = || fields.next()?.parse().ok();
    let account = (number()?, number()?);
    root.then_some(account)
}

/// Debian keeps several versions side by side, none of them on the path.
fn binaries() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.filter_map(|v| v.file_name().to_str()?.parse::<u32>().ok()).max();
    let newest = newest.unwrap_or_else(|| panic!("PostgreSQL is absent; install the Debian package {PACKAGE}"));
    PathBuf::from(format!("/usr/lib/postgresql/{newest}/bin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_directory_goes_with_it() {
        let server = Postgres::own();
        let directory = server.directory.clone();
        assert!(directory.join("data/postmaster.pid").exists());
        drop(server);
        let deadline = Instant::now() + PATIENCE;
        while directory.exists() {
            assert!(Instant::now() < deadline, "{} is still there", directory.display());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

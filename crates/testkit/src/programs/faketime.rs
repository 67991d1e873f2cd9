//! A clock on the wall that a test turns while programs run (Debian's faketime). Waiting goes on at its own pace.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tokio::process::Command;

use super::program;

/// The clock; programs that were started with it follow it at once.
pub struct WallClock {
    file: PathBuf,
}

impl WallClock {
    /// A clock that is right at first, kept in this folder.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        let clock = Self { file: folder.join("wall-clock") };
        clock.set(0);
        clock
    }

    /// Sets it so many seconds after the real time.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn set(&self, seconds: i64) {
        let fresh = self.file.with_extension("new");
        fs::write(&fresh, format!("+{seconds}\n")).unwrap();
        fs::rename(&fresh, &self.file).unwrap();
    }

    /// A program that follows this clock.
    ///
    /// # Panics
    /// When the library is not installed, naming the package.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        remove_leftovers();
        let mut command = Command::new(program);
        command.env("LD_PRELOAD", library()).env("FAKETIME_TIMESTAMP_FILE", &self.file).env("FAKETIME_NO_CACHE", "1");
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1").env_remove("FAKETIME");
        command
    }
}

/// A program that begins so many days from now.
///
/// # Panics
/// When faketime is not installed, naming the package.
#[must_use]
pub fn on_day(day: u32, what: &Path) -> Command {
    remove_leftovers();
    let mut command = Command::new(program("faketime", "faketime"));
    command.arg(format!("+{day} days")).arg(what);
    command
}

/// Removes what killed programs left behind.
///
/// QUIRK(libfaketime 0.9.10): names its semaphore after a process number, leaves it when that process is killed, and refuses to start the next
/// process of the same number.
fn remove_leftovers() {
    for entry in fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let owner = name.strip_prefix("sem.faketime_sem_").or_else(|| name.strip_prefix("faketime_shm_"));
        if owner.is_some_and(|owner| !Path::new("/proc").join(owner).exists()) {
            // Another test may be faster.
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let found = folders.map(|folder| folder.join("faketime/libfaketime.so.1")).find(|path| path.is_file());
    found.expect("libfaketime.so.1 is needed: apt-get install faketime")
}

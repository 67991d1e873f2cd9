//! A clock on the wall that a test turns while programs run (Debian's faketime). Waiting goes on at its own pace.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tokio::process::Command;

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
        let mut command = Command::new(program);
        command.env("LD_PRELOAD", library()).env("FAKETIME_TIMESTAMP_FILE", &self.file).env("FAKETIME_NO_CACHE", "1");
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1").env_remove("FAKETIME");
        command
    }
}

fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let found = folders.map(|folder| folder.join("faketime/libfaketime.so.1")).find(|path| path.is_file());
    found.expect("libfaketime.so.1 is needed: apt-get install faketime")
}

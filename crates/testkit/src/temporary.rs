//! Folders for tests, which do not outlive them: a folder goes with its value, and what a process left that ended before it could clear up
//! goes when the next one starts, with the programs that still work in it. The name tells whose it is: `lanyard-<what>-<process>-<its start>-<random>`.

use std::{fs, path::Path, process::Command, sync::Once};

use tempfile::TempDir;

/// A folder of this process, named for what is in it.
///
/// # Panics
/// When it cannot be made.
#[must_use]
pub fn folder(what: &str) -> TempDir {
    static SWEPT: Once = Once::new();
    SWEPT.call_once(|| sweep(&std::env::temp_dir()));
    let process = std::process::id();
    let prefix = format!("lanyard-{what}-{process}-{}-", started(process).unwrap_or_default());
    tempfile::Builder::new().prefix(&prefix).tempdir().expect("a folder")
}

/// Removes the folders whose processes are gone, and ends what works in them: a test that was killed could not end its servers. What cannot be removed, such as another user's, is left.
pub fn sweep(place: &Path) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(is_abandoned) {
            end_programs_in(&entry.path());
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Ends the programs that were started in this folder, or with an argument that names it.
fn end_programs_in(folder: &Path) {
    let named = folder.display().to_string();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let names_it = String::from_utf8_lossy(&arguments).contains(&named);
        let works_in_it = fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
        if (names_it || works_in_it) && process != std::process::id() {
            let _ = Command::new("sh").args(["-c", &format!("kill -KILL {process}")]).status();
        }
    }
}

fn is_abandoned(name: &str) -> bool {
    let mut parts = name.split('-');
    let (Some("lanyard"), Some(_)) = (parts.next(), parts.next()) else { return false };
    let mut number = || parts.next()?.parse::<u64>().ok();
    let (Some(process), Some(start)) = (number(), number()) else { return false };
    parts.next().is_some() && u32::try_from(process).is_ok_and(|process| started(process) != Some(start))
}

/// When a process was started, in ticks since the machine was; `None` if there is none of this number.
fn started(process: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The program's name, in brackets, may hold anything.
    text.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_dead_process_left_is_swept() {
        let own = folder("sweep");
        let name = own.path().file_name().unwrap().to_str().unwrap().to_owned();
        assert!(!is_abandoned(&name), "{name}");
        let (me, start) = (std::process::id(), started(std::process::id()).unwrap());
        let others = [format!("lanyard-test-{me}-{}-abc", start + 1), "lanyard-test-4194304-7-abc".into()];
        let strangers = ["lanyard-test-abc", "lanyard-demo-1-2", "other-test-4194304-7-abc", "lanyard-test-x-7-abc"];
        let strangers = strangers.map(str::to_owned);
        for made in others.iter().chain(&strangers) {
            fs::create_dir_all(own.path().join(made).join("data")).unwrap();
        }
        let mut left = Command::new("sleep").arg("600").current_dir(own.path().join(&others[0])).spawn().unwrap();
        let mut living = Command::new("sleep").arg("600").current_dir(own.path().join(&strangers[0])).spawn().unwrap();
        sweep(own.path());
        assert!(!left.wait().unwrap().success());
        assert!(living.try_wait().unwrap().is_none());
        living.kill().unwrap();
        living.wait().unwrap();
        assert!(others.iter().all(|name| !own.path().join(name).exists()));
        assert!(strangers.iter().all(|name| own.path().join(name).exists()));
    }
}

//! Files that change while the gateway runs: server certificates that were renewed, revocation lists that came in, users.
//!
//! They are looked at every few seconds, and when one has changed everything is read again, as on SIGHUP. The configuration itself is read only on
//! SIGHUP: whoever edits it says when it is complete.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::time::sleep;

use crate::{
    config::{
        file::{Accounts, Config},
        read,
    },
    run::Gateway,
};

/// How often they are looked at.
const EVERY: Duration = Duration::from_secs(5);

/// A file as it was: when it was written, and how long it is. `None` when it is not there.
pub type Stamp = Option<(SystemTime, u64)>;

/// The files that a configuration names and that others write.
#[must_use]
pub fn named(config: &Config, folder: &Path) -> Vec<PathBuf> {
    let certificates = config.certificates.iter().flat_map(|c| [&c.chain_file, &c.key_file]);
    let trusts = config.trusts.iter().flat_map(|t| std::iter::once(&t.ca_file).chain(&t.crl_files));
    let users = config.accounts.iter().filter_map(|accounts| match accounts {
        Accounts::File(settings) => Some(&settings.file),
        Accounts::Directory(_) | Accounts::Lanyard(_) => None,
    });
    certificates.chain(trusts).chain(users).map(|name| read::path(folder, name)).collect()
}

/// How they are now.
#[must_use]
pub fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |path: &PathBuf| fs::metadata(path).ok().and_then(|about| Some((about.modified().ok()?, about.len())));
    files.iter().map(stamp).collect()
}

/// Looks at them for ever.
pub async fn watch(gateway: Arc<Gateway>) {
    let mut tried = None;
    loop {
        sleep(EVERY).await;
        let rules = gateway.rules();
        let now = stamps(&rules.files);
        // One that is broken is told once, not every few seconds.
        if now == rules.stamps || tried.as_ref() == Some(&now) {
            continue;
        }
        drop(rules);
        match gateway.reload() {
            Ok(()) => tracing::info!("a file has changed; everything was read again"),
            Err(error) => tracing::error!(%error, code = error.code(), "a file has changed, and everything stays as it was"),
        }
        tried = Some(now);
    }
}

//! Files of certificates and keys on the device: `lanyard device install|export|trust`.

mod export;
mod hostile;
mod import;
mod using;

use std::path::Path;

use lanyard_testkit::{
    process::lanyard,
    programs::{Done, run},
};
use tokio::process::Command;

/// `lanyard device …` with a store.
pub async fn device(store: &Path, arguments: &[&str]) -> Done {
    let mut command = Command::new(lanyard());
    command.arg("device").args(arguments).arg("--store").arg(store);
    run(&mut command).await
}

/// What it printed as JSON.
pub async fn device_json(store: &Path, arguments: &[&str]) -> serde_json::Value {
    let printed = device(store, &[arguments, &["--json"]].concat()).await.good();
    serde_json::from_str(&printed).unwrap_or_else(|e| panic!("{e}: {printed}"))
}

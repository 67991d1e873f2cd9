//! Which database an installation has: its own file, or a server that several nodes share.

use std::sync::Arc;

use lanyard_model::{audit::ChainVerdict, secret::SecretText};
use lanyard_store::{
    ports::{AuditStore, Store},
    postgres, sqlite,
};
use serde::Serialize;

use crate::{
    clock::{Clock, SystemClock},
    error::ServerError,
    installation::{Installation, create_file, read_secret},
};

/// Whether several nodes may share the database of this installation.
#[must_use]
pub fn is_shared(installation: &Installation) -> bool {
    installation.database_url().exists()
}

/// Opens the database at `DIR/database.url`, or the file `DIR/lanyard.db` where there is no such address.
///
/// # Errors
/// [`ServerError::Mode`], [`ServerError::File`], storage errors.
pub async fn open(installation: &Installation) -> Result<Arc<dyn Store>, ServerError> {
    let address = installation.database_url();
    if !address.exists() {
        return Ok(Arc::new(sqlite::open(&installation.database()).await?));
    }
    let url = read_secret(&address)?;
    Ok(Arc::new(postgres::open(url.expose().trim()).await?))
}

/// Writes the address of a shared database, which may hold a password, into a file that only its owner can read.
///
/// # Errors
/// [`ServerError::Invalid`] for anything but `postgres://`, [`ServerError::File`].
pub fn remember(installation: &Installation, url: &SecretText) -> Result<(), ServerError> {
    check(url)?;
    create_file(&installation.database_url(), &format!("{}\n", url.expose().trim()))
}

/// Refuses a database that holds an installation already, or part of one, before anything is made.
///
/// # Errors
/// [`ServerError::Conflict`], storage errors.
pub async fn check_empty(url: &SecretText) -> Result<(), ServerError> {
    check(url)?;
    let store = postgres::open(url.expose().trim()).await?;
    let (records, _) = store.audit_tip().await?;
    store.close().await;
    if records == 0 {
        return Ok(());
    }
    Err(ServerError::Conflict(
        "the database holds an installation already; to add a node, copy the data directory of one there is (docs/scale.md)"
            .into(),
    ))
}

/// Refuses what is no address of a PostgreSQL database, before anything is made.
///
/// # Errors
/// [`ServerError::Invalid`].
pub fn check(url: &SecretText) -> Result<(), ServerError> {
    let known = ["postgres://", "postgresql://"].iter().any(|scheme| url.expose().trim().starts_with(scheme));
    if known { Ok(()) } else { Err(ServerError::Invalid("--database must begin with postgres://".into())) }
}

/// What a check found.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Checked {
    /// The engine.
    pub engine: &'static str,
    /// Records of the audit log up to the first bad one.
    pub audit_records: u64,
    /// What is wrong with the audit chain.
    pub problem: Option<String>,
    /// Certificates of every state.
    pub certificates: u64,
}

/// Opens the database, reads and writes, and follows the audit chain. A server may be running.
///
/// # Errors
/// Storage errors.
pub async fn verify(installation: &Installation) -> Result<Checked, ServerError> {
    installation.check_modes()?;
    if !is_shared(installation) && !installation.database().exists() {
        return Err(ServerError::NotFound { what: "database", name: installation.database().display().to_string() });
    }
    let store = open(installation).await?;
    store.check().await?;
    let (audit_records, problem) = match store.verify_audit().await? {
        ChainVerdict::Intact { records, .. } => (records, None),
        ChainVerdict::Broken { sequence, problem } => (sequence.saturating_sub(1), Some(format!("record {sequence}: {problem}"))),
    };
    let counts = store.count_certificates(SystemClock.now()).await?;
    store.close().await;
    let engine = if is_shared(installation) { "PostgreSQL" } else { "SQLite" };
    let certificates = counts.valid + counts.expired + counts.revoked + counts.intended;
    Ok(Checked { engine, audit_records, problem, certificates })
}

//! Moving an installation from its own file to a database that several nodes share.

use std::{fs, path::Path};

use lanyard_model::secret::SecretText;
use lanyard_store::transfer::{self, Moved};
use tokio::net::UnixStream;

use crate::{database, error::ServerError, installation::Installation};

/// Copies everything to the database at `url`, compares it, and makes the installation use it. The file stays as `lanyard.db.moved`.
///
/// `progress` hears the table, how many of its rows are done, and how many there are.
///
/// # Errors
/// [`ServerError::Conflict`] while a server runs or when the installation uses a shared database already; storage errors. After an
/// error the installation is as it was, and the target is empty.
pub async fn to_shared(
    dir: &Path,
    url: &SecretText,
    progress: impl FnMut(&'static str, u64, u64),
) -> Result<Vec<Moved>, ServerError> {
    let installation = Installation::at(dir);
    installation.check_modes()?;
    database::check(url)?;
    if database::is_shared(&installation) {
        return Err(ServerError::Conflict("this installation uses a shared database already".into()));
    }
    if UnixStream::connect(installation.admin_socket()).await.is_ok() {
        return Err(ServerError::Conflict("a server runs on this data directory; stop it first".into()));
    }
    let file = installation.database();
    if !file.exists() {
        return Err(ServerError::NotFound { what: "database", name: file.display().to_string() });
    }
    let moved = transfer::to_postgres(&file, url.expose().trim(), progress).await?;
    database::remember(&installation, url)?;
    // From here on the file is only a copy; under its old name somebody might take it for the truth.
    for ending in ["", "-wal", "-shm"] {
        let from = file.with_file_name(format!("lanyard.db{ending}"));
        let to = file.with_file_name(format!("lanyard.db.moved{ending}"));
        match fs::rename(&from, to) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(ServerError::File { action: "rename", path: from, source: error });
            }
            _ => {}
        }
    }
    Ok(moved)
}

//! The administrator's socket `DIR/admin.sock`: reachable by the owner of the data directory alone.

use std::{fs, io::ErrorKind, os::unix::fs::PermissionsExt, path::Path};

use tokio::net::{UnixListener, UnixStream};

use crate::error::ServerError;

/// Opens the socket. One left over by a process that is gone is replaced; one that answers means that a server runs already.
///
/// # Errors
/// [`ServerError::Conflict`], [`ServerError::Listen`].
pub async fn open(path: &Path) -> Result<UnixListener, ServerError> {
    let fault = |source| ServerError::Listen { address: path.display().to_string(), source };
    if UnixStream::connect(path).await.is_ok() {
        return Err(ServerError::Conflict(format!("a server already runs on this data directory ({} answers)", path.display())));
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(fault(error)),
        _ => {}
    }
    // The directory has mode 0700, so nobody else can connect even before the mode of the socket is set.
    let listener = UnixListener::bind(path).map_err(fault)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(fault)?;
    Ok(listener)
}

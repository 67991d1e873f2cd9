//! Writing so that a crash leaves the old file or the new one, never half of either; and for this user alone.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use lanyard_model::secret::SecretText;

use crate::error::AgentError;

/// Largest file of the store that is read, in octets.
const MAX_FILE: u64 = 1024 * 1024;
/// Mode bits of everybody but the owner.
const OTHERS: u32 = 0o077;

/// Makes a folder with mode 0700, and those above it.
pub(crate) fn make_folder(path: &Path) -> Result<(), AgentError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(AgentError::io("making the folder", path))
}

/// Makes a folder that everybody may look into, outside the store, and those above it.
pub(crate) fn make_public_folder(path: &Path) -> Result<(), AgentError> {
    DirBuilder::new().recursive(true).mode(0o755).create(path).map_err(AgentError::io("making the folder", path))
}

/// Refuses a file or folder that others may read.
pub(crate) fn check_private(path: &Path) -> Result<(), AgentError> {
    let mode = fs::metadata(path).map_err(AgentError::io("reading", path))?.permissions().mode() & 0o777;
    if mode & OTHERS == 0 { Ok(()) } else { Err(AgentError::Permissions { path: path.to_owned(), mode }) }
}

/// Writes a new file with mode 0600 and waits until it is on the disk.
pub(crate) fn write_new(path: &Path, content: &[u8]) -> Result<(), AgentError> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    write().map_err(AgentError::io("writing", path))
}

/// Replaces a file: a temporary file beside it, then a rename.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), AgentError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".new-{}-{name}-{}", std::process::id(), super::LocalId::generate()?));
    write_new(&temporary, content)?;
    rename(&temporary, path)
}

/// Replaces a file that programs of other users read, outside the store: the same, with mode 0644.
pub(crate) fn replace_public(path: &Path, content: &[u8]) -> Result<(), AgentError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".new-{}-{name}-{}", std::process::id(), super::LocalId::generate()?));
    write_new(&temporary, content)?;
    let opened =
        fs::set_permissions(&temporary, fs::Permissions::from_mode(0o644)).map_err(AgentError::io("writing", &temporary));
    opened.and_then(|()| rename(&temporary, path))
}

/// Makes a folder with all its files appear at once: everything is written beside it, then the folder is renamed.
pub(crate) fn make_folder_with(path: &Path, files: &[(&str, &[u8])]) -> Result<(), AgentError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".new-{}-{name}", std::process::id()));
    let write = || {
        make_folder(&temporary)?;
        for (file, content) in files {
            write_new(&temporary.join(file), content)?;
        }
        sync_folder(&temporary)?;
        rename(&temporary, path)
    };
    let written = write();
    if written.is_err() {
        // Nothing half-made stays; the first error is the one that counts.
        let _ = fs::remove_dir_all(&temporary);
    }
    written
}

/// Removes a folder with all its files: it disappears at once by a rename, its parts follow.
pub(crate) fn remove_folder(path: &Path) -> Result<(), AgentError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".old-{}-{name}", std::process::id()));
    rename(path, &temporary)?;
    fs::remove_dir_all(&temporary).map_err(AgentError::io("removing", &temporary))
}

/// Reads a file of the store.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, AgentError> {
    let fault = AgentError::io("reading", path);
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() > MAX_FILE => Err(AgentError::damaged(path, "it is too large")),
        Ok(_) => fs::read(path).map_err(fault),
        Err(error) => Err(fault(error)),
    }
}

/// Reads a file of the store that need not be there.
pub(crate) fn read_optional(path: &Path) -> Result<Option<Vec<u8>>, AgentError> {
    if path.exists() { read(path).map(Some) } else { Ok(None) }
}

/// Reads a text file of the store.
pub(crate) fn read_text(path: &Path) -> Result<String, AgentError> {
    String::from_utf8(read(path)?).map_err(|_| AgentError::damaged(path, "it is not text"))
}

/// Reads a private key, only when nobody else could.
pub(crate) fn read_secret(path: &Path) -> Result<SecretText, AgentError> {
    check_private(path)?;
    read_text(path).map(SecretText::new)
}

fn rename(from: &Path, to: &Path) -> Result<(), AgentError> {
    fs::rename(from, to).map_err(AgentError::io("writing", to))?;
    to.parent().map_or(Ok(()), sync_folder)
}

fn sync_folder(path: &Path) -> Result<(), AgentError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(AgentError::io("writing", path))
}

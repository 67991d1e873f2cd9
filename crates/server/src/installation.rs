//! The data directory: where things are, and that nobody else can reach them.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use lanyard_model::secret::SecretText;

use crate::error::ServerError;

/// Paths inside a data directory.
#[derive(Debug, Clone)]
pub struct Installation {
    dir: PathBuf,
}

impl Installation {
    /// Names a data directory; nothing is read.
    #[must_use]
    pub fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The directory itself.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Configuration file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.dir.join("lanyard.toml")
    }

    /// Embedded database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.dir.join("lanyard.db")
    }

    /// Address of a shared database, where there is one.
    #[must_use]
    pub fn database_url(&self) -> PathBuf {
        self.dir.join("database.url")
    }

    /// Certificate templates, one file each.
    #[must_use]
    pub fn templates(&self) -> PathBuf {
        self.dir.join("templates")
    }

    /// Registration profiles, one file each.
    #[must_use]
    pub fn profiles(&self) -> PathBuf {
        self.dir.join("profiles")
    }

    /// What managed devices get, one file for each profile they enrol under.
    #[must_use]
    pub fn fleet(&self) -> PathBuf {
        self.dir.join("fleet")
    }

    /// Socket of the administrator's interface.
    #[must_use]
    pub fn admin_socket(&self) -> PathBuf {
        self.dir.join("admin.sock")
    }

    /// Refuses to go on when others than the owner can reach the directory or what is secret in it.
    ///
    /// # Errors
    /// [`ServerError::Mode`], [`ServerError::File`].
    pub fn check_modes(&self) -> Result<(), ServerError> {
        check_mode(&self.dir, 0o700)?;
        for path in [
            self.database(),
            self.dir.join("lanyard.db-wal"),
            self.dir.join("lanyard.db-shm"),
            self.database_url(),
            self.config(),
        ] {
            match check_mode(&path, 0o600) {
                Err(ServerError::File { source, .. }) if source.kind() == ErrorKind::NotFound => {}
                other => other?,
            }
        }
        Ok(())
    }
}

fn check_mode(path: &Path, wanted: u32) -> Result<(), ServerError> {
    let metadata = fs::metadata(path).map_err(|source| ServerError::File { action: "look at", path: path.to_owned(), source })?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(ServerError::Mode { path: path.to_owned(), mode, wanted }) }
}

/// Creates a directory only its owner can reach; its parents must exist.
///
/// # Errors
/// [`ServerError::File`].
pub fn create_dir(path: &Path) -> Result<(), ServerError> {
    let made = DirBuilder::new().mode(0o700).create(path);
    made.map_err(|source| ServerError::File { action: "create", path: path.to_owned(), source })
}

/// Creates a file only its owner can reach, and writes it durably. An existing one is never overwritten.
///
/// # Errors
/// [`ServerError::File`].
pub fn create_file(path: &Path, contents: &str) -> Result<(), ServerError> {
    let fault = |source| ServerError::File { action: "create", path: path.to_owned(), source };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(fault)?;
    file.write_all(contents.as_bytes()).and_then(|()| file.sync_all()).map_err(fault)
}

/// Reads a text file.
///
/// # Errors
/// [`ServerError::File`].
pub fn read_file(path: &Path) -> Result<String, ServerError> {
    fs::read_to_string(path).map_err(|source| ServerError::File { action: "read", path: path.to_owned(), source })
}

/// Reads a file with a secret; it must have mode 0600 or stricter.
///
/// # Errors
/// [`ServerError::Mode`], [`ServerError::File`].
pub fn read_secret(path: &Path) -> Result<SecretText, ServerError> {
    check_mode(path, 0o600)?;
    read_file(path).map(SecretText::new)
}

/// Reads every `*.toml` of a directory: file name and text, in order of name.
///
/// # Errors
/// [`ServerError::File`].
pub fn read_toml_files(dir: &Path) -> Result<Vec<(String, String)>, ServerError> {
    let fault = |source| ServerError::File { action: "list", path: dir.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        let name = path.file_name().and_then(|n| n.to_str()).map(str::to_owned);
        if let Some(name) = name.filter(|n| n.ends_with(".toml") && !n.starts_with('.')) {
            files.push((name, read_file(&path)?));
        }
    }
    files.sort();
    Ok(files)
}

//! One at a time: the account of a device must not be changed by two processes at once.

use std::fs::{File, OpenOptions, TryLockError};

use crate::{
    error::AgentError,
    store::{DeviceStore, files},
};

const FOLDER: &str = "mdm";
const RUNNING: &str = "running.lock";
const WORKING: &str = "working.lock";

/// A lock, held until it is dropped or the process ends.
// Nobody reads the file: it is there to be closed, which gives the lock back.
#[derive(Debug)]
pub struct Turn(#[allow(dead_code)] File);

impl DeviceStore {
    /// The right to be the one that keeps this device's schedule.
    ///
    /// # Errors
    /// [`AgentError::Running`] when another process has it; [`AgentError::Io`].
    pub fn turn_to_run(&self) -> Result<Turn, AgentError> {
        let (file, path) = self.open_lock(RUNNING)?;
        match file.try_lock() {
            Ok(()) => Ok(Turn(file)),
            Err(TryLockError::WouldBlock) => Err(AgentError::Running),
            Err(TryLockError::Error(error)) => Err(AgentError::io("locking", &path)(error)),
        }
    }

    /// The right to change the account; waits for whoever has it.
    ///
    /// # Errors
    /// [`AgentError::Io`].
    pub fn turn_to_work(&self) -> Result<Turn, AgentError> {
        let (file, path) = self.open_lock(WORKING)?;
        file.lock().map_err(AgentError::io("locking", &path))?;
        Ok(Turn(file))
    }

    fn open_lock(&self, name: &str) -> Result<(File, std::path::PathBuf), AgentError> {
        let folder = self.path().join(FOLDER);
        files::make_folder(&folder)?;
        let path = folder.join(name);
        let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        Ok((opened.map_err(AgentError::io("opening", &path))?, path))
    }
}

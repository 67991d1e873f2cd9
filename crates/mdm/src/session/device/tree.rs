//! What commands act on.

use crate::{csp::LocUri, syncml::StatusCode};

/// Why a node could not be read or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// There is no such node.
    #[error("there is no such node")]
    NotFound,
    /// It is there already.
    #[error("the node exists")]
    AlreadyExists,
    /// The node does not allow it, for example because of how the device was enrolled.
    #[error("the node does not allow it")]
    NotAllowed,
    /// Who asks may not.
    #[error("permission denied")]
    PermissionDenied,
    /// The value is of the wrong kind.
    #[error("the value is of the wrong kind")]
    Format,
    /// It failed, with a code of Windows such as 0x8007_0057.
    #[error("it failed with {0:#010X}")]
    Failed(u32),
}

impl TreeError {
    /// Windows' `E_INVALIDARG`.
    pub const INVALID_ARGUMENT: Self = Self::Failed(0x8007_0057);

    /// The status that says so.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::AlreadyExists => StatusCode::ALREADY_EXISTS,
            Self::NotAllowed => StatusCode::NOT_ALLOWED,
            Self::PermissionDenied => StatusCode::PERMISSION_DENIED,
            Self::Format => StatusCode::UNSUPPORTED_FORMAT,
            Self::Failed(_) => StatusCode::COMMAND_FAILED,
        }
    }

    /// For `msft:originalerror`.
    #[must_use]
    pub fn original_error(&self) -> Option<String> {
        match self {
            Self::Failed(code) => Some(format!("{code:#010X}").replacen("0X", "0x", 1)),
            _ => None,
        }
    }
}

/// What an Exec led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Execution {
    /// It is done, or has begun and its node tells the rest.
    Done,
    /// It runs on its own (202).
    Accepted,
    /// The device leaves the management: the session ends at once, without a status.
    Unenroll,
}

/// The nodes of a device. Access rules, formats and limits of the tables were checked before any of these is called; addresses carry no
/// listing.
pub trait ManagementTree {
    /// Whether the node is there.
    fn exists(&self, uri: &LocUri) -> bool;

    /// Whether a leaf that is there has only its default, so that it can be added still.
    fn is_default(&self, uri: &LocUri) -> bool {
        let _ = uri;
        false
    }

    /// The value of a leaf.
    ///
    /// # Errors
    /// [`TreeError::NotFound`] and whatever reading it can meet.
    fn get(&self, uri: &LocUri) -> Result<String, TreeError>;

    /// Names of the children of an interior node, unescaped.
    ///
    /// # Errors
    /// [`TreeError::NotFound`] and whatever reading them can meet.
    fn children(&self, uri: &LocUri) -> Result<Vec<String>, TreeError>;

    /// Creates a leaf with its value, or an interior node without; parents that are missing come with it.
    ///
    /// # Errors
    /// Why it was not created; then nothing is.
    fn add(&mut self, uri: &LocUri, value: Option<&str>) -> Result<(), TreeError>;

    /// Changes a leaf that is there.
    ///
    /// # Errors
    /// Why it was not changed.
    fn replace(&mut self, uri: &LocUri, value: &str) -> Result<(), TreeError>;

    /// Removes a node that is there and what is below it.
    ///
    /// # Errors
    /// Why it was not removed.
    fn delete(&mut self, uri: &LocUri) -> Result<(), TreeError>;

    /// Runs a node.
    ///
    /// # Errors
    /// Why it did not run.
    fn exec(&mut self, uri: &LocUri, data: &str) -> Result<Execution, TreeError>;

    /// What follows is undone by [`Self::rollback`] until [`Self::commit`]. An implementation may put off what it cannot undo, such as an
    /// enrolment, until the commit.
    fn begin(&mut self);

    /// Ends what began with [`Self::begin`].
    ///
    /// # Errors
    /// Something that was put off failed; everything has to be undone.
    fn commit(&mut self) -> Result<(), TreeError>;

    /// Undoes everything since [`Self::begin`].
    ///
    /// # Errors
    /// It could not be undone (516).
    fn rollback(&mut self) -> Result<(), TreeError>;
}

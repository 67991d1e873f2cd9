//! Status codes (OMA DM Representation Protocol 1.2, section 10).

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)+) => {
        impl StatusCode {
            $($(#[$doc])* pub const $name: Self = Self($code);)+

            /// The name of a code that Windows is known to send.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some(stringify!($name)),)+
                    _ => None,
                }
            }
        }
    };
}

/// What became of a command; three digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StatusCode(u16);

codes! {
    /// Done.
    OK = 200,
    /// Accepted; it runs on its own.
    ACCEPTED = 202,
    /// The credentials hold for the whole session.
    AUTHENTICATED = 212,
    /// A part of a large object was taken.
    CHUNK_ACCEPTED = 213,
    /// Cancelled; nothing more is done in this session.
    CANCELLED = 214,
    /// Not executed: an earlier command of the group failed, or the user cancelled.
    NOT_EXECUTED = 215,
    /// Done and undone again, as Atomic wants.
    ATOMIC_ROLLED_BACK = 216,
    /// Malformed.
    BAD_REQUEST = 400,
    /// Wrong credentials.
    INVALID_CREDENTIALS = 401,
    /// Forbidden.
    FORBIDDEN = 403,
    /// There is no such node.
    NOT_FOUND = 404,
    /// The node does not allow the command, or is in the wrong scope.
    NOT_ALLOWED = 405,
    /// Optional, and not supported.
    OPTIONAL_FEATURE_NOT_SUPPORTED = 406,
    /// Credentials are missing.
    MISSING_CREDENTIALS = 407,
    /// The object is not of the size that was announced, or the announcement is missing.
    SIZE_MISMATCH = 424,
    /// The object is too large.
    TOO_LARGE = 413,
    /// Wrong type or format.
    UNSUPPORTED_FORMAT = 415,
    /// It exists already.
    ALREADY_EXISTS = 418,
    /// Permission denied.
    PERMISSION_DENIED = 425,
    /// It failed; `msft:originalerror` says more.
    COMMAND_FAILED = 500,
    /// The Atomic failed.
    ATOMIC_FAILED = 507,
    /// The Atomic failed and could not be undone.
    ATOMIC_ROLLBACK_FAILED = 516,
}

impl StatusCode {
    /// A number of three digits; nothing for another.
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        if code >= 100 && code <= 999 { Some(Self(code)) } else { None }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Whether the command was done or accepted. 215 and 216 are 2xx, but nothing was done.
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.0 >= 200 && self.0 < 300 && !matches!(self.0, 214..=216)
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

//! Alert codes and the types of alerts that Windows sends.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AlertCode(pub u16);

impl AlertCode {
    /// The session was asked for by the server.
    pub const SERVER_INITIATED: Self = Self(1200);
    /// The session was begun by the client.
    pub const CLIENT_INITIATED: Self = Self(1201);
    /// Next message, please.
    pub const NEXT_MESSAGE: Self = Self(1222);
    /// The session is given up.
    pub const SESSION_ABORT: Self = Self(1223);
    /// Something happened at the client.
    pub const CLIENT_EVENT: Self = Self(1224);
    /// The rest of a large object did not come.
    pub const NO_END_OF_DATA: Self = Self(1225);
    /// Generic alert: its type says what.
    pub const GENERIC: Self = Self(1226);
}

impl fmt::Display for AlertCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// 1224: who is logged on, see [`LoginStatus`].
pub const LOGIN_STATUS: &str = "com.microsoft/MDM/LoginStatus";
/// 1224: the user's token, an older way than the HTTP header.
pub const AAD_USER_TOKEN: &str = "com.microsoft/MDM/AADUserToken";
/// 1224: `user`, `device` or `mixed`; commands for the other scope are answered 405.
pub const SYNC_TYPE: &str = "com.microsoft.mdm.synctype";
/// 1226: the device is unenrolled.
pub const UNENROLLMENT: &str = "com.microsoft:mdm.unenrollment.userrequest";
/// 1226: how a SCEP enrolment ended. Its layout is documented nowhere; the node's `Status` is what counts.
pub const SCEP_RESULT: &str = "com.microsoft:mdm.SCEPcertinstall.result";
/// 1226: how an MSI installation ended.
pub const MSI_RESULT: &str = "Reversed-Domain-Name:com.microsoft.mdm.win32csp_install";

/// Who is logged on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoginStatus {
    /// The enrolled user: commands for the user's tree can be done.
    User,
    /// Somebody else.
    Others,
    /// Nobody.
    None,
}

impl LoginStatus {
    /// As it is sent.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Others => "others",
            Self::None => "none",
        }
    }

    /// Reads it; nothing for another word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim() {
            "user" => Some(Self::User),
            "others" => Some(Self::Others),
            "none" => Some(Self::None),
            _ => None,
        }
    }
}

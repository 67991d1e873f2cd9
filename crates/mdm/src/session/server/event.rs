//! What the caller has to store or to look at after a message.

use crate::{
    profile::job::JobId,
    session::server::JobState,
    syncml::{Item, alert::LoginStatus},
};

/// Something that happened. Events are in the order in which they happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A session began.
    Started {
        /// `SessionID`.
        session_id: String,
        /// The device says the server asked for it.
        server_initiated: bool,
        /// An earlier session of the device was not ended: it was cut off.
        resumed: bool,
    },
    /// The sender is not the device of the certificate, or the connection has none. Nothing was done.
    NotThisDevice {
        /// What it says it is.
        claimed: String,
    },
    /// Wrong or missing credentials.
    CredentialsRefused {
        /// How many times in this session.
        failures: u8,
        /// The session was ended because of it.
        ended: bool,
    },
    /// The credentials were right.
    CredentialsAccepted,
    /// To be kept for the next session, see [`super::Credentials::nonce`].
    NextNonce(Vec<u8>),
    /// What the device says about itself: node and value.
    DevInfo(Vec<(String, String)>),
    /// Who is logged on.
    Login(LoginStatus),
    /// The outcome of a SCEP enrolment, as a hint: node and data.
    ScepResult {
        /// Node of the enrolment, where it is told.
        node: Option<String>,
        /// What came with it.
        data: String,
    },
    /// Another alert.
    Alert {
        /// Its number.
        code: u16,
        /// Its type.
        kind: String,
        /// What it comes from.
        source: Option<String>,
        /// Its data.
        data: String,
    },
    /// The device has left the management.
    Unenrolled {
        /// A job of ours asked it to.
        by_server: bool,
    },
    /// A job is in another state.
    Job {
        /// Which.
        id: JobId,
        /// How far it is now.
        state: JobState,
        /// It was sent just now: its attempts are one more.
        sent: bool,
    },
    /// What Gets of a job found, those of its proof included.
    Results {
        /// Which.
        id: JobId,
        /// Node (`Source`) and value.
        items: Vec<Item>,
    },
    /// The device refuses our messages.
    Refused {
        /// Status of the header.
        code: u16,
    },
    /// The session is over.
    Ended {
        /// The device gave it up, or too many messages went to and fro.
        aborted: bool,
    },
}

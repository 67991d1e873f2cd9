//! What is kept between two messages of a session.

use lanyard_model::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use super::flight::Flight;
use crate::{
    csp::Scope,
    syncml::{Item, SyncMl, alert::LoginStatus},
};

/// The state of one device's session. It is stored after each message and given back with the next one, to whichever node gets it.
///
/// It contains the last answer, and with it whatever secret that answer had: store it like one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionState {
    /// `Source/LocURI`.
    pub device: String,
    /// `SessionID`.
    pub session_id: String,
    /// When the last message came.
    pub last_at: Timestamp,
    /// Nothing more happens in this session.
    pub over: bool,
    /// `MsgID` of the device's last message.
    pub(super) last_msg: u32,
    /// Digest of it.
    pub(super) last_digest: Vec<u8>,
    /// Our answer to it, as it was sent.
    pub(super) last_answer: String,
    /// `MsgID` of our last message.
    pub(super) own_msg: u32,
    /// The device's `MaxMsgSize`.
    pub(super) max_msg_size: Option<u64>,
    /// The device proved itself for the whole session.
    pub(super) authenticated: bool,
    /// The nonce we asked for credentials with.
    pub(super) challenge: Option<Vec<u8>>,
    /// How often credentials were wrong.
    pub(super) failures: u8,
    /// Who is logged on.
    pub(super) login: Option<LoginStatus>,
    /// The one tree that the device lets be changed in this session.
    pub(super) only: Option<Scope>,
    /// Jobs at work in this session.
    pub(super) flights: Vec<Flight>,
    /// The part of a large object that has come.
    pub(super) partial: Option<Item>,
    /// Jobs that wait for something that only a later session brings.
    pub(super) parked: Vec<crate::profile::job::JobId>,
}

/// A first message that is the same as the one before is a repetition for so long; later it is a new session.
const REPETITION: Span = Span::from_secs(300);

/// How a message stands to what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sequence {
    /// It begins a session.
    First,
    /// It goes on.
    Next,
    /// It came before: the same answer.
    Repeated,
}

impl SessionState {
    pub(super) fn begin(message: &SyncMl, now: Timestamp) -> Self {
        Self {
            device: message.header.source.loc_uri.clone(),
            session_id: message.header.session_id.clone(),
            last_at: now,
            over: false,
            last_msg: 0,
            last_digest: Vec::new(),
            last_answer: String::new(),
            own_msg: 0,
            max_msg_size: None,
            authenticated: false,
            challenge: None,
            failures: 0,
            login: None,
            only: None,
            flights: Vec::new(),
            partial: None,
            parked: Vec::new(),
        }
    }

    /// Whether the session is neither ended nor another one's.
    pub(super) fn sequence(&self, message: &SyncMl, digest: &[u8], now: Timestamp) -> Sequence {
        let header = &message.header;
        if header.session_id != self.session_id || header.source.loc_uri != self.device {
            return Sequence::First;
        }
        if header.msg_id == 1 && (self.last_digest != digest || now.since(self.last_at) > REPETITION) {
            return Sequence::First;
        }
        if header.msg_id <= self.last_msg {
            return Sequence::Repeated;
        }
        if self.over { Sequence::First } else { Sequence::Next }
    }
}

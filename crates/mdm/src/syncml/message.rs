//! The parts of a message (OMA DM Representation Protocol 1.2).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{alert::AlertCode, status::StatusCode};
use crate::csp::Format;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncMl {
    /// Who sends what to whom.
    pub header: SyncHdr,
    /// The commands.
    pub body: SyncBody,
}

/// `SyncHdr`, section 6.5.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncHdr {
    /// `VerDTD`, `1.2`.
    pub ver_dtd: String,
    /// `VerProto`, `DM/1.2`.
    pub ver_proto: String,
    /// `SessionID`: chosen by the device, no number for anybody else.
    pub session_id: String,
    /// `MsgID`: counted from 1 by each side for itself.
    pub msg_id: u32,
    /// The receiver: URL of the server, or id of the device.
    pub target: Address,
    /// The sender; its `LocName` is the user's name when there are credentials.
    pub source: Address,
    /// `RespURI`: where the sender wants the answer.
    pub resp_uri: Option<String>,
    /// `NoResp`: no status wanted for any command.
    pub no_resp: bool,
    /// Credentials.
    pub cred: Option<Cred>,
    /// `MaxMsgSize` and `MaxObjSize` of the sender.
    pub meta: Meta,
}

impl SyncHdr {
    /// A header of version 1.2.
    #[must_use]
    pub fn new(session_id: &str, msg_id: u32, target: &str, source: &str) -> Self {
        Self {
            ver_dtd: "1.2".to_owned(),
            ver_proto: "DM/1.2".to_owned(),
            session_id: session_id.to_owned(),
            msg_id,
            target: Address::new(target),
            source: Address::new(source),
            resp_uri: None,
            no_resp: false,
            cred: None,
            meta: Meta::default(),
        }
    }
}

/// `Target` or `Source`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Address {
    /// `LocURI` as written.
    pub loc_uri: String,
    /// `LocName`.
    pub loc_name: Option<String>,
}

impl Address {
    /// Without name.
    #[must_use]
    pub fn new(loc_uri: &str) -> Self {
        Self { loc_uri: loc_uri.to_owned(), loc_name: None }
    }
}

/// `SyncBody`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SyncBody {
    /// Commands in order.
    pub commands: Vec<Command>,
    /// `Final`: the package ends with this message.
    pub is_final: bool,
}

/// One command. `CmdID` 0 stands for a command that was not numbered yet; a message with it is never written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// `Alert`.
    Alert(Alert),
    /// `Add`, `Replace`, `Delete`, `Get` or `Exec`.
    Request(Request),
    /// `Atomic`: all or nothing.
    Atomic(Group),
    /// `Sequence`: in order.
    Sequence(Group),
    /// `Status`.
    Status(Status),
    /// `Results`.
    Results(Results),
    /// A command that this program has no use for, such as `Copy`.
    Other {
        /// Its name.
        name: String,
        /// Its number.
        cmd_id: u32,
    },
}

impl Command {
    /// Its number.
    #[must_use]
    pub const fn cmd_id(&self) -> u32 {
        match self {
            Self::Alert(alert) => alert.cmd_id,
            Self::Request(request) => request.cmd_id,
            Self::Atomic(group) | Self::Sequence(group) => group.cmd_id,
            Self::Status(status) => status.cmd_id,
            Self::Results(results) => results.cmd_id,
            Self::Other { cmd_id, .. } => *cmd_id,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Alert(_) => "Alert",
            Self::Request(request) => request.verb.as_str(),
            Self::Atomic(_) => "Atomic",
            Self::Sequence(_) => "Sequence",
            Self::Status(_) => "Status",
            Self::Results(_) => "Results",
            Self::Other { name, .. } => name,
        }
    }

    /// Whether it answers another command and is itself not answered.
    #[must_use]
    pub const fn is_answer(&self) -> bool {
        matches!(self, Self::Status(_) | Self::Results(_))
    }

    /// Numbers it and the commands in it, in the order they are written; `next` is the number to begin with.
    pub fn number(&mut self, next: &mut u32) {
        let own = *next;
        *next = next.saturating_add(1);
        match self {
            Self::Alert(alert) => alert.cmd_id = own,
            Self::Request(request) => request.cmd_id = own,
            Self::Atomic(group) | Self::Sequence(group) => {
                group.cmd_id = own;
                for command in &mut group.commands {
                    command.number(next);
                }
            }
            Self::Status(status) => status.cmd_id = own,
            Self::Results(results) => results.cmd_id = own,
            Self::Other { cmd_id, .. } => *cmd_id = own,
        }
    }

    /// Itself and the commands in it, in the order they are written.
    pub fn visit<'a>(&'a self, each: &mut dyn FnMut(&'a Self)) {
        each(self);
        if let Self::Atomic(group) | Self::Sequence(group) = self {
            for command in &group.commands {
                command.visit(each);
            }
        }
    }

    /// The items of it and of the commands in it.
    pub fn items_mut(&mut self) -> Vec<&mut Item> {
        match self {
            Self::Request(request) => request.items.iter_mut().collect(),
            Self::Atomic(group) | Self::Sequence(group) => group.commands.iter_mut().flat_map(Self::items_mut).collect(),
            Self::Alert(alert) => alert.items.iter_mut().collect(),
            Self::Results(results) => results.items.iter_mut().collect(),
            Self::Status(_) | Self::Other { .. } => Vec::new(),
        }
    }
}

/// `Alert`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Its number.
    pub cmd_id: u32,
    /// `NoResp`.
    pub no_resp: bool,
    /// `Data`: which alert.
    pub code: AlertCode,
    /// What it is about.
    pub items: Vec<Item>,
}

impl Alert {
    /// An alert that says all by its code.
    #[must_use]
    pub const fn plain(code: AlertCode) -> Self {
        Self { cmd_id: 0, no_resp: false, code, items: Vec::new() }
    }
}

/// What is done to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Verb {
    /// Create it.
    Add,
    /// Change it.
    Replace,
    /// Remove it and what is below it.
    Delete,
    /// Read it.
    Get,
    /// Run it.
    Exec,
}

impl Verb {
    /// The element.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "Add",
            Self::Replace => "Replace",
            Self::Delete => "Delete",
            Self::Get => "Get",
            Self::Exec => "Exec",
        }
    }

    /// The verb of an element.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "Add" => Self::Add,
            "Replace" => Self::Replace,
            "Delete" => Self::Delete,
            "Get" => Self::Get,
            "Exec" => Self::Exec,
            _ => return None,
        })
    }
}

/// A command with items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Its number.
    pub cmd_id: u32,
    /// What is done.
    pub verb: Verb,
    /// `NoResp`.
    pub no_resp: bool,
    /// What holds for items that do not say it themselves.
    pub meta: Meta,
    /// To which nodes.
    pub items: Vec<Item>,
}

impl Request {
    /// Not numbered yet.
    #[must_use]
    pub fn new(verb: Verb, items: Vec<Item>) -> Self {
        Self { cmd_id: 0, verb, no_resp: false, meta: Meta::default(), items }
    }
}

/// The inside of `Atomic` or `Sequence`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its number.
    pub cmd_id: u32,
    /// `NoResp`.
    pub no_resp: bool,
    /// What is done.
    pub commands: Vec<Command>,
}

impl Group {
    /// Not numbered yet.
    #[must_use]
    pub const fn new(commands: Vec<Command>) -> Self {
        Self { cmd_id: 0, no_resp: false, commands }
    }
}

/// `Status`: what became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its number.
    pub cmd_id: u32,
    /// Message of the command. One that is missing means 1; 0 was seen and means none.
    pub msg_ref: u32,
    /// Number of the command; 0 is the header.
    pub cmd_ref: u32,
    /// Name of the command, `SyncHdr` for the header.
    pub cmd: String,
    /// Nodes it is about, when the items of the command fared differently.
    pub target_refs: Vec<String>,
    /// Senders it is about.
    pub source_refs: Vec<String>,
    /// Credentials.
    pub cred: Option<Box<Cred>>,
    /// What credentials are wanted, or the next nonce.
    pub chal: Option<Box<Chal>>,
    /// `Data`.
    pub code: StatusCode,
    /// `msft:originalerror`: the error behind it, such as `0x80070057`.
    pub original_error: Option<String>,
    /// What else there is to say.
    pub items: Vec<Item>,
}

impl Status {
    /// Not numbered yet.
    #[must_use]
    pub fn new(msg_ref: u32, cmd_ref: u32, cmd: &str, code: StatusCode) -> Self {
        Self {
            cmd_id: 0,
            msg_ref,
            cmd_ref,
            cmd: cmd.to_owned(),
            target_refs: Vec::new(),
            source_refs: Vec::new(),
            cred: None,
            chal: None,
            code,
            original_error: None,
            items: Vec::new(),
        }
    }
}

/// `Results`: what a Get found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Results {
    /// Its number.
    pub cmd_id: u32,
    /// Message of the Get; one that is missing means 1.
    pub msg_ref: Option<u32>,
    /// Number of the Get.
    pub cmd_ref: u32,
    /// What holds for items that do not say it themselves.
    pub meta: Meta,
    /// Node (`Source`) and value of each.
    pub items: Vec<Item>,
}

/// `Item`. Its [`fmt::Debug`] does not show the data, which may be a password.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Item {
    /// The node to act on.
    pub target: Option<Address>,
    /// The node it comes from.
    pub source: Option<Address>,
    /// What the data is.
    pub meta: Meta,
    /// The data, unescaped.
    pub data: Option<String>,
    /// `MoreData`: the data goes on in the next message.
    pub more_data: bool,
}

impl Item {
    /// A node to read or to delete.
    #[must_use]
    pub fn target(uri: impl fmt::Display) -> Self {
        Self { target: Some(Address::new(&uri.to_string())), ..Self::default() }
    }

    /// A value for a node, of type `text/plain` unless it has no data.
    #[must_use]
    pub fn value(uri: impl fmt::Display, format: Format, data: impl Into<String>) -> Self {
        Self { meta: Meta::text(format), data: Some(data.into()), ..Self::target(uri) }
    }

    /// A node without value: to create an interior one (`node`) or to run one (`null`).
    #[must_use]
    pub fn bare(uri: impl fmt::Display, format: Format) -> Self {
        Self { meta: Meta { format: Some(format.as_str().to_owned()), ..Meta::default() }, ..Self::target(uri) }
    }

    /// `LocURI` of the target.
    #[must_use]
    pub fn target_uri(&self) -> Option<&str> {
        self.target.as_ref().map(|address| address.loc_uri.as_str())
    }

    /// `LocURI` of the source.
    #[must_use]
    pub fn source_uri(&self) -> Option<&str> {
        self.source.as_ref().map(|address| address.loc_uri.as_str())
    }

    /// The data without white space around it; empty without data.
    #[must_use]
    pub fn trimmed(&self) -> &str {
        self.data.as_deref().unwrap_or_default().trim()
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item")
            .field("target", &self.target_uri())
            .field("source", &self.source_uri())
            .field("meta", &self.meta)
            .field("octets", &self.data.as_ref().map(String::len))
            .field("more_data", &self.more_data)
            .finish()
    }
}

/// `Meta` (SyncML Meta-Information 1.2). Its children are in a namespace of their own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Meta {
    /// `Format` as written, see [`Meta::format`].
    pub format: Option<String>,
    /// `Type`: a MIME type, of an alert its name.
    pub kind: Option<String>,
    /// `Size`: octets of the whole object of which the data is the first part.
    pub size: Option<u64>,
    /// `NextNonce`, base64.
    pub next_nonce: Option<String>,
    /// `MaxMsgSize`: octets of the longest message the sender takes.
    pub max_msg_size: Option<u64>,
    /// `MaxObjSize`: octets of the largest object the sender takes.
    pub max_obj_size: Option<u64>,
}

impl Meta {
    /// Of a value of type `text/plain`.
    #[must_use]
    pub fn text(format: Format) -> Self {
        Self { format: Some(format.as_str().to_owned()), kind: Some("text/plain".to_owned()), ..Self::default() }
    }

    /// The format; nothing when none or an unknown one was written.
    #[must_use]
    pub fn format(&self) -> Option<Format> {
        self.format.as_deref().and_then(Format::parse)
    }

    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// `Cred`. Its [`fmt::Debug`] does not show the data.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cred {
    /// `b64` and `syncml:auth-basic` or `syncml:auth-md5`.
    pub meta: Meta,
    /// Base64.
    pub data: String,
}

impl fmt::Debug for Cred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cred").field("meta", &self.meta).finish_non_exhaustive()
    }
}

/// `Chal`: what credentials are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chal {
    /// `b64`, the type of credentials, and the nonce to use.
    pub meta: Meta,
}

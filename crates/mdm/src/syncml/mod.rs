//! SyncML as OMA Device Management 1.2 and Windows use it: one message, typed.
//!
//! Start reading at [`message`] (what a message is made of), then [`decode`] and [`encode`]; [`cred`] has the credentials, [`status`] and
//! [`alert`] the numbers.
//!
//! Must never enter: what a message leads to (that is `session`), and what nodes there are (that is `csp`).

pub mod alert;
pub mod cred;
mod decode;
mod encode;
pub mod message;
pub mod status;

pub use decode::decode;
pub use encode::encode;
pub(crate) use encode::size_of;
pub use message::{
    Address, Alert, Chal, Command, Cred, Group, Item, Meta, Request, Results, Status, SyncBody, SyncHdr, SyncMl, Verb,
};
pub use status::StatusCode;

/// Content type of a message in XML.
pub const CONTENT_TYPE: &str = "application/vnd.syncml.dm+xml";
/// Content type of a message in WBXML, which is not spoken here (HTTP 415).
pub const CONTENT_TYPE_WBXML: &str = "application/vnd.syncml.dm+wbxml";

#[cfg(test)]
pub(crate) mod tests;

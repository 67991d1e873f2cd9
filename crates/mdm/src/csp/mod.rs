//! Configuration service providers: which nodes a Windows device has, and what may be done to them.
//!
//! Start reading at [`node`] (what a table says about one node), then any file of [`tables`]; [`find`] looks a [`LocUri`] up. Server and
//! device use the same tables, spelt as the product spells them, mistakes included.
//!
//! Must never enter: the values of nodes, messages, sessions.

mod loc_uri;
pub mod node;
mod table;
pub mod tables;

pub use loc_uri::{Listing, LocUri, LocUriError, escape_segment, join_children, split_children, unescape_segment};
pub use node::{Access, Format, Limit, NodeSpec, Occurrence, Scope, Scopes};
pub use table::{Csp, Found, all, find};

//! The nouns every room of Lanyard shares: identifiers, names, usages, templates, records, audit events.
//!
//! Start reading at [`enroll::EnrollRequest`] (what a device asks) and [`certificate::CertificateContent`]
//! (what the authority will put into a certificate); the other modules are their parts.
//!
//! Must never enter: parsing of wire formats, sockets, files, the clock.

pub mod archive;
pub mod audit;
pub mod authority;
pub mod certificate;
pub mod challenge;
pub mod client;
pub mod directory;
pub mod enroll;
pub mod fleet;
pub mod gateway;
pub mod id;
pub mod invitation;
pub mod key;
pub mod lease;
pub mod module;
pub mod name;
pub mod network;
pub mod node;
pub mod notice;
pub mod oid;
pub mod profile;
pub mod request;
pub mod san;
pub mod secret;
pub mod serial;
pub mod template;
pub mod text;
pub mod time;
pub mod token;
pub mod usage;

//! One file per command.
//!
//! Must never enter: logic beyond reading arguments and printing outcomes.

pub mod audit;
pub mod authority;
pub mod bench;
pub mod certificate;
pub mod challenge;
pub mod demo;
pub mod device;
pub mod directory;
pub mod fleet;
pub mod gateway;
pub mod group;
pub mod import;
pub mod init;
pub mod invitation;
pub mod invite;
pub mod node;
pub mod pfx;
pub mod policy;
pub mod probe;
pub mod recovery;
pub mod request;
pub mod serve;
pub mod store;
pub mod token;
pub mod trial;
pub mod unseal;

//! The ports on SQL that every engine understands: parameters `$1`, no dialect.
//!
//! Start reading at [`Database`] and `writer`: all writes of a process go through one writer that commits waiting jobs together;
//! `turns` says who runs it. Reads have connections of their own. `connection` is where the engines part. The other files hold one port each, with its
//! SQL; `bind` turns records into arguments.
//!
//! Must never enter: SQL of one engine, reading rows into records (that is `crate::rows`), decisions.

mod archive;
mod audit;
mod authorities;
mod bind;
pub(crate) mod certificates;
pub(crate) mod challenges;
pub(crate) mod connection;
pub(crate) mod counts;
pub(crate) mod crls;
pub(crate) mod database;
mod directory;
pub(crate) mod fault;
pub(crate) mod fleet;
mod invitations;
pub(crate) mod issuance;
mod leases;
mod nodes;
pub(crate) mod notices;
mod people;
pub(crate) mod requests;
mod turns;
pub(crate) mod tx;
pub(crate) mod value;
pub(crate) mod writer;

pub use database::Database;

//! SQLite: the embedded engine, one file in write-ahead-log mode.
//!
//! Start reading at [`open`]. Reads and writes run where their callers are.
//!
//! Must never enter: statements of the ports (those are in `crate::sql`), decisions.

pub(crate) mod connection;
pub(crate) mod fill;
mod open;
pub(crate) mod readers;
mod statement;

pub(crate) use open::connect;
pub use open::open;
pub(crate) use statement::value;

#[cfg(test)]
mod failures;
#[cfg(test)]
mod plans;

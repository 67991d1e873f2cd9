//! SQLite: the embedded engine, one file in write-ahead-log mode.
//!
//! Start reading at [`Sqlite::open`] and `writer`: all writes go through one task that commits waiting jobs together; reads
//! have a pool of their own. The other files hold one port each, with its SQL. `bind` writes records into statements.
//!
//! Must never enter: SQL of another engine, reading rows into records (that is `crate::rows`), decisions.

mod audit;
mod authorities;
mod bind;
mod certificates;
mod challenges;
mod crls;
mod directory;
mod handle;
mod issuance;
mod open;
mod requests;
mod row;
mod tx;
mod writer;

pub use handle::Sqlite;

#[cfg(test)]
mod failures;
#[cfg(test)]
mod plans;

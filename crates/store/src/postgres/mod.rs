//! PostgreSQL: the engine that any number of servers share.
//!
//! Start reading at [`open`]. Every process has one session that writes and a few that read, all on the primary. The head of the
//! audit chain is a row that a transaction locks only at its end, so that nodes wait for each other as briefly as possible.
//!
//! Must never enter: statements of the ports (those are in `crate::sql`), decisions.

pub(crate) mod at_once;
mod client;
pub(crate) mod fill;
mod open;
pub(crate) mod readers;
pub(crate) mod session;
mod statement;
mod tls;

pub(crate) use open::connect;
pub use open::open;
pub(crate) use statement::rows;

/// An error with what the server said.
pub(crate) fn described(error: tokio_postgres::Error) -> Box<dyn std::error::Error + Send + Sync> {
    statement::Described::from(error).into()
}

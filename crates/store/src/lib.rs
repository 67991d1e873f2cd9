//! Durable storage.
//!
//! Start reading at [`ports`]: what the rest of the program may ask. [`sql`] implements it once; [`sqlite`] and [`postgres`] are
//! the engines under it. `rows` turns stored rows into records, `chain` computes the audit chain.
//!
//! Must never enter: decisions. A method does what its caller decided, or says that the facts changed meanwhile.

pub mod callers;
mod chain;
pub mod error;
mod migrations;
pub mod ports;
pub mod postgres;
mod rows;
mod search;
pub mod sql;
pub mod sqlite;
pub mod transfer;

//! Durable storage.
//!
//! Start reading at [`ports`]: what the rest of the program may ask. [`sqlite`] implements it; `rows` turns stored rows
//! into records for every engine, `chain` computes the audit chain.
//!
//! Must never enter: decisions. A method does what its caller decided, or says that the facts changed meanwhile.

mod chain;
pub mod error;
pub mod ports;
mod rows;
mod search;
pub mod sqlite;

//! The administrator's interface: JSON over HTTP on the administrator's socket.
//!
//! Start reading at [`router`]; [`types`] has the JSON forms, which the command line uses too.
//!
//! Must never enter: rules. A handler reads its input, calls a flow and writes the outcome.

pub mod audit;
pub mod authority;
pub mod certificates;
pub mod challenges;
pub mod directory;
pub mod problem;
pub mod replay;
pub mod requests;
pub mod router;
pub mod story;
pub mod types;

//! The administrator's interface: JSON over HTTP on the administrator's socket, and over TLS for whoever
//! brings a token.
//!
//! Start reading at [`router`]; [`types`] has the JSON forms (and `delivery_types`, `fleet_types`), which the command line uses too.
//!
//! Must never enter: rules. A handler reads its input, calls a flow and writes the outcome.

pub mod access;
pub mod audit;
pub mod authority;
pub mod certificates;
pub mod challenges;
pub mod delivery;
pub mod delivery_types;
pub mod directory;
pub mod fleet;
pub mod fleet_types;
pub mod gateway;
pub mod groups;
pub mod nodes;
pub mod pfx;
pub mod problem;
pub mod recoveries;
pub mod replay;
pub mod requests;
pub mod router;
pub mod story;
pub mod throttle;
pub mod tokens;
pub mod types;

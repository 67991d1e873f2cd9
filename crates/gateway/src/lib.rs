//! `lanyard gateway`: TLS in front of published applications, a verdict on every request, and the way to the back end.
//!
//! Start reading at [`decide`], which holds the table of modes, then [`edge`] (connections), [`certificate`] (verdicts on certificates),
//! [`account`] (whose they are, and passwords), [`state`] (what Lanyard's server tells), [`proxy`] (headers and back ends) and [`config`]. [`run`] starts everything.
//!
//! [`probe`] is the tester: it asks any server what a phone would ask, and explains the answers.
//!
//! Must never enter: issuing, approving, the server's database. What the gateway knows of Lanyard it was told over the network.

pub mod account;
pub mod activesync;
pub mod certificate;
pub mod clock;
pub mod config;
pub mod decide;
pub mod edge;
pub mod error;
pub mod explain;
pub mod files;
pub mod probe;
pub mod proxy;
pub mod run;
pub mod state;
pub mod telemetry;

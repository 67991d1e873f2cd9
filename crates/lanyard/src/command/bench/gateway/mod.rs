//! `lanyard bench gateway`: the gateway beside nginx and HAProxy, with the same certificates, clients and back end.
//!
//! Start reading at [`run`]; `papers` makes certificates, `servers` starts who is measured, `load` is the clients and the back end, `change` how
//! soon a revocation counts.
//!
//! Must never enter: a server that does not ask for, and verify, client certificates.

mod change;
mod load;
mod measure;
mod papers;
mod servers;

pub use measure::{Arguments, run};

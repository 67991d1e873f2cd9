//! Periodic work: CRLs, renewal of the service certificates, signed heads of the audit chain.
//!
//! Must never enter: what the work does; that is a flow's.

pub mod runner;

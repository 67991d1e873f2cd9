//! Periodic work: CRLs, renewal of the service certificates, end of the wait of held requests, signed heads of the audit chain.
//!
//! Must never enter: what the work does; that is a flow's.

pub mod runner;

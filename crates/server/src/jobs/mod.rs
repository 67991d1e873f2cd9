//! Periodic work: CRLs, renewal of the service certificates, end of the wait of held requests, signed heads of the audit
//! chain, telling policy modules. Of several nodes, one does it ([`leadership`]).
//!
//! Must never enter: what the work does; that is a flow's.

pub mod leadership;
pub mod outbox;
pub mod runner;

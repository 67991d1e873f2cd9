//! Windows enrolment and management (MS-MDE2, MS-XCEP, MS-WSTEP, OMA-DM): bytes to typed messages and back, on both sides.
//!
//! Start reading at [`xml`], the one way in for documents from outside; everything else is made of its trees.
//!
//! Must never enter: HTTP types, sockets, files, the clock, the database, and any decision who may have a certificate.

pub mod csp;
pub mod error;
pub mod profile;
pub mod session;
pub mod syncml;
pub mod xml;

//! Enrolment protocols: bytes to typed messages and back, on both sides.
//!
//! Start reading at [`scep`].
//!
//! Must never enter: HTTP types, sockets, the database, and any decision who may have a certificate.

pub mod scep;

//! The device against a small SCEP server made of the server's side of `enroll`.
//!
//! [`double`] is the server, [`authority`] its keys and certificates; the other modules are tests, one subject each.

// A test that cannot go on stops.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod authority;
mod double;
mod enrolling;
mod hostile;
mod resuming;
mod storing;

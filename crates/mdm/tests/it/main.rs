//! Everything that needs more than one module, in one binary.

// Tests may give up.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod enrolment;
mod hostile;
mod mutated;
mod provisioning;
mod refusals;
mod renewal;
mod signature;
mod vectors;

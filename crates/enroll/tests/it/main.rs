//! SCEP messages from outside: captures of real clients, round trips between our own two sides, hostile variations.

// Tests may give up.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod golden;
mod hostile;
mod round_trip;
mod sample;
mod tolerant;

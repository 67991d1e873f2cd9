//! SCEP messages from outside: captures of real clients, round trips between our own two sides, hostile variations.

mod golden;
mod hostile;
mod round_trip;
mod sample;

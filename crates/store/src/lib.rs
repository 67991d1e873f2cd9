//! Durable storage.
//!
//! Start reading at [`ports`]: what the rest of the program may ask. `sqlite` implements it.
//!
//! Must never enter: decisions. A method does what its caller decided, or says that the facts changed meanwhile.

pub mod error;
pub mod ports;

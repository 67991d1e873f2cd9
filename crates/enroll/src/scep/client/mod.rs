//! SCEP on the device's side.
//!
//! In the order of use: [`trust`] (which CA certificates are believed), [`message`] (requests), [`answer`] (replies), [`rollover`] (the next CA).
//!
//! Must never enter: sockets, files, waiting.

pub mod answer;
pub mod message;
pub mod rollover;
pub mod trust;

//! SCEP on the device's side.
//!
//! In the order of use: [`trust`] (which CA certificates are believed), [`message`] (requests), [`answer`] (replies).
//!
//! Must never enter: sockets, files, waiting.

pub mod answer;
pub mod message;
pub mod trust;

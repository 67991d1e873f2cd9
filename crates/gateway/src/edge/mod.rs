//! Connections of clients: accepted, TLS by server name, HTTP/1.1 and HTTP/2, and an orderly end.
//!
//! Start reading at [`listen`]; [`tls`] takes certificates without judging them, [`framing`] refuses HTTP/1 that could be read in two ways,
//! [`serve`] takes one request from its head to its answer.
//!
//! Must never enter: rules.

pub mod answer;
pub mod framing;
pub mod listen;
pub mod serve;
pub mod tls;

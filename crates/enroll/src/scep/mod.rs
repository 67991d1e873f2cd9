//! SCEP (RFC 8894).
//!
//! Server side in the order of use: [`query`] (the raw URL), [`request`] (a pkiMessage, verified, then decrypted), [`reply`] (CertRep),
//! [`capabilities`]. Device side: [`client`]. Both share [`attributes`] and [`error`].
//!
//! Must never enter: HTTP types, the database, policy.

pub mod attributes;
pub mod capabilities;
pub mod client;
pub mod error;
pub mod query;
pub mod reply;
pub mod request;

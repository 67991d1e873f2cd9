//! SCEP (RFC 8894).
//!
//! Server side in the order of use: [`query`] (the raw URL), [`request`] (a pkiMessage, verified, then decrypted), [`reply`] (CertRep),
//! [`capabilities`]; [`recognise`] and [`accommodation`] tell who is at the other end and what was tolerated. Device side: [`client`].
//! Both share [`attributes`] and [`error`].
//!
//! Must never enter: HTTP types, the database, policy.

pub mod accommodation;
pub mod attributes;
pub mod capabilities;
pub mod client;
pub mod error;
pub mod query;
pub mod recognise;
pub mod reply;
pub mod request;

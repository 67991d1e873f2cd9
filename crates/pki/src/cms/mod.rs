//! Cryptographic Message Syntax (RFC 5652), as much of it as SCEP, WSTEP and S/MIME need.
//!
//! [`signed`] reads and verifies SignedData, [`sign`] makes it, [`enveloped`] does both for EnvelopedData.
//! The types are our own because the certificates of a SignedData must keep their order and its signer certificates may be odd, and because
//! signed attributes are verified over the octets as received.
//!
//! Must never enter: the meaning of signed attributes.

pub mod enveloped;
pub mod sign;
pub mod signed;

//! The authority: prepares certificates from a grant, lints the bytes, signs them; CRLs; keys at rest.
//!
//! Start reading at [`prepare`], then [`lint`] and [`sign`]: the only way to a signature goes through these three types.
//!
//! Must never enter: protocols, HTTP, and any decision who may have a certificate; that decision arrives as a [`lanyard_ra::grant::Grant`].

pub mod authority;
pub mod ceremony;
pub mod crl;
pub mod error;
pub mod keys;
pub mod lint;
pub mod prepare;
pub mod sign;

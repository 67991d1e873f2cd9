//! PKCS#12 files (RFC 7292): private keys with their certificates, behind a password.
//!
//! Start reading at [`read`]; [`write`] makes such files, [`pbe`] is how their parts are encrypted.
//!
//! Must never enter: asking for passwords, what a file is good for.

pub mod pbe;
mod read;
mod write;

pub use read::{KeyAndCertificates, MAX_BAGS, MAX_ITERATIONS, MAX_SIZE, Pkcs12, PrivateKey};
pub use write::{Entry, Protection};

//! Private keys at rest.
//!
//! [`sealed`] encrypts them under the unseal key; [`unseal`] makes that key from a key file or a passphrase.
//!
//! Must never enter: files; whoever reads them passes their contents.

pub mod sealed;
pub mod unseal;

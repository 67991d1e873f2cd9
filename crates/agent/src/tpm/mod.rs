//! Keys in a TPM: this program never links its library, it asks `lanyard-tpm`.
//!
//! Start reading at [`key`] (a key that signs and decrypts by asking), then [`program`] (finding and asking the other program); [`pin`] is how
//! a person is asked.
//!
//! Must never enter: a private key, a PIN in an argument, a file or `Debug`.

pub mod key;
pub mod pin;
pub mod program;

pub use key::TpmKey;
pub use pin::{Pin, PinSource, PinWanted};
pub use program::TpmProgram;

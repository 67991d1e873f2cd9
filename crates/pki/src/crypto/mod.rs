//! The one place that names the cryptographic library.
//!
//! Start reading at [`software`] (keys in memory), then [`verify`] and [`cipher`].
//!
//! Must never enter: encodings other than keys, policy.

pub mod cipher;
pub mod digest;
pub mod legacy;
pub mod password;
pub mod random;
pub mod sealing;
pub mod software;
pub mod transport;
pub mod verify;

//! The device's side: keys and certificates on a device, and how it gets and renews them.
//!
//! Start reading at [`scep`] (the client flow: [`scep::enroll`], [`scep::renew`], [`scep::resume`]); [`store`] keeps what was obtained,
//! [`key`] makes and reads private keys, [`http`] carries messages; [`mdm`] is the device under management, [`install`]
//! takes in files, [`using`] lets other programs use what is there, [`tpm`] is keys that stay in a TPM,
//! [`upkeep`] renews what no management does,
//! [`policy`] applies a signed policy.
//!
//! Must never enter: code of the server, printing, global state. The clock and the progress display are arguments.

pub mod error;
pub mod http;
pub mod install;
pub mod key;
pub mod mdm;
pub mod policy;
pub mod scep;
pub mod store;
pub mod tpm;
pub mod upkeep;
pub mod using;

mod blocking;

// The nouns of this room's interface come along, so that a program above needs no arrow to the rooms below.
pub use lanyard_model as model;
pub use lanyard_pki as pki;

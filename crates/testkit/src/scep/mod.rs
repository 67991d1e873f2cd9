//! SCEP from the device's side, down to the last octet: whatever a well-meaning client would never send can be sent from here.
//!
//! In the order of use: [`endpoint`] (a server's address), [`device`] (a key and what it asks for), [`envelope`] and [`draft`] (the two
//! CMS layers before they are encoded), [`reply`] (the answer, taken apart). [`habits`] writes messages as clients do that cannot run in a
//! test.

pub mod ber;
pub mod device;
pub mod draft;
pub mod endpoint;
pub mod envelope;
pub mod habits;
pub mod odd_signer;
pub mod reply;

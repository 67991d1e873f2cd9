//! Whole gateways in this process, an authority that issues what tests want, and clients that show it.
//!
//! Start reading at [`site::TestGateway`].

pub mod client;
pub mod pki;
pub mod site;

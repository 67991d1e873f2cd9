//! Policy modules that ask somebody else, and the one way out of the server.
//!
//! Start reading at [`contract`]: what every module may be asked (ndes-policy, section 2). [`webhook`] asks a service of the
//! organisation's own, [`intune`] Microsoft's; both go through [`outbound`], which decides where a connection may lead.
//!
//! Must never enter: what a decision means (`ra`), storage, the answer to the device.

pub mod contract;
pub mod error;
pub mod intune;
pub mod outbound;
pub mod webhook;

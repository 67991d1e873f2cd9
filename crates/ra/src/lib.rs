//! Registration: who may have which certificate.
//!
//! Start reading at [`decide::decide`] (a request and what is known about it become a decision), then [`challenge`]
//! (one-time permissions that bind every field of a request), [`template`] and [`profile`] (the rules as administrators write
//! them) and [`grant::Grant`], the only thing the authority signs for.
//!
//! Must never enter: private keys, wire formats, sockets, files, the clock. `now` and random octets are arguments.

pub mod challenge;
pub mod decide;
pub mod error;
pub mod grant;
pub mod modules;
mod names;
pub mod order;
pub mod pattern;
pub mod policy;
pub mod profile;
pub mod reason;
pub mod service;
pub mod template;

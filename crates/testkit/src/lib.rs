//! For tests only: whole servers on port 0, a device that speaks SCEP down to the last octet, drivers of third-party programs.
//!
//! Start reading at [`server::TestServer`], then [`scep::device::Device`]. The tests themselves are in `tests/it`, one binary for all.
//!
//! Must never enter: product code, and anything that listens beyond loopback or outlives its test.

// A helper that cannot go on ends its test: that is what panics are for here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod admin;
pub mod gateway;
pub mod http;
pub mod intune;
pub mod keys;
pub mod mdm;
pub mod oidc;
pub mod process;
pub mod programs;
pub mod scep;
pub mod server;
pub mod service;
pub mod temporary;
pub mod wait;

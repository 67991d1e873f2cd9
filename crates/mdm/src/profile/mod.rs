//! Policy becomes SyncML: each file makes the jobs for one kind of setting.
//!
//! Start reading at [`job`] (what a job is), then [`scep`], the longest. [`inventory`] reads back what a device really has.
//!
//! Must never enter: sessions, and any decision what a device shall have.

pub mod company_app;
pub mod eap_tls;
pub mod inventory;
pub mod job;
pub mod mail;
pub mod management;
pub mod pfx;
pub mod scep;
pub mod trusted_certificate;
pub mod vpn;
pub mod wifi;

#[cfg(test)]
pub(crate) mod tests;

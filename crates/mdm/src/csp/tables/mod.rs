//! The node tables, one file per provider.
//!
//! Letters of access: A Add, G Get, R Replace, D Delete, X Exec. `since` is the build of Windows that introduced a node.
//!
//! Must never enter: logic.

mod active_sync;
mod certificate_store;
mod client_certificate_install;
mod device;
mod dm_acc;
mod dm_client;
mod enterprise_app_management;
mod root_ca_trusted_certificates;
mod vpn_v2;
pub mod w7_application;
mod wifi;

pub use active_sync::ACTIVE_SYNC;
pub use certificate_store::CERTIFICATE_STORE;
pub use client_certificate_install::CLIENT_CERTIFICATE_INSTALL;
pub use device::{DEV_DETAIL, DEV_INFO};
pub use dm_acc::DM_ACC;
pub use dm_client::DM_CLIENT;
pub use enterprise_app_management::ENTERPRISE_APP_MANAGEMENT;
pub use root_ca_trusted_certificates::ROOT_CA_TRUSTED_CERTIFICATES;
pub use vpn_v2::VPN_V2;
pub use wifi::WIFI;

//! The way to an LDAP directory (OpenLDAP, Active Directory): a few connections used again, searches, and sign-ins that are only tried.
//!
//! Start reading at [`Directory`]. What entries mean is for whoever asks: the server and the gateway read different things out of them.
//!
//! Must never enter: writing to the directory, who may have what, configuration files.

mod client;
mod entry;
mod error;
mod pool;
mod settings;

pub use client::{Answer, Directory};
pub use entry::Entry;
pub use error::DirectoryError;
pub use ldap3::ldap_escape as escape;
pub use settings::{Settings, check_url, tls};

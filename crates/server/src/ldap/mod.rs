//! Users and devices of a directory (LDAP, Active Directory), read at the moment of use.
//!
//! Start reading at [`Ldap`]; connections are `lanyard_directory`'s. [`settings`] has the section `[ldap]` of the configuration. A directory that does not answer is a
//! refusal: whether somebody is disabled there cannot be known.
//!
//! Must never enter: writing to the directory, rules who may have what.

mod lookup;
pub mod settings;

pub use lookup::{Found, Ldap};

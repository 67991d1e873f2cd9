//! Users, devices and groups: kept here, imported, or read from a directory.

mod groups;
mod import;
mod ldap;

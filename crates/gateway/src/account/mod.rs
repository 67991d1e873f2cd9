//! Accounts: whose a certificate is, and whether a password is right.
//!
//! Start reading at [`source`]; [`file`], [`directory`] and [`lanyard`] keep accounts, [`attempts`] remembers passwords and slows down wrong ones, [`basic`]
//! reads the field `Authorization`.
//!
//! Must never enter: certificates that were not verified, back ends.

pub mod attempts;
pub mod basic;
pub mod directory;
pub mod file;
pub mod lanyard;
pub mod source;

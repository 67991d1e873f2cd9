//! Sending mail: certificates as attachments, and links to the portal.
//!
//! Start reading at [`Mailer`]; [`letter`] is what is written.
//!
//! Must never enter: passphrases, who may have what.

pub mod letter;
mod mailer;
pub mod settings;

pub use mailer::{MailError, Mailer};

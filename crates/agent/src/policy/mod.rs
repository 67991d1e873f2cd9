//! A signed policy (`lanyard profile export --platform linux`), for a device that no management server manages.
//!
//! Start reading at [`signed`] (what is believed, and why), then [`document`] (what a policy says) and [`apply`] (what becomes of it).
//!
//! ```text
//! policies/<name>.json    what came of a policy: which identities and uses are its own
//! ```
//!
//! Must never enter: asking the person, printing, anything of a file before its signature was verified.

pub mod apply;
pub mod document;
pub mod signed;

pub use apply::{Applied, Fate, Plan};
pub use document::Document;
pub use signed::{Signed, open};

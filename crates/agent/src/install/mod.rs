//! Taking in what a person was given: a file or a link with certificates, perhaps with keys.
//!
//! Start reading at [`review`] (what is in it, where it would go, what it would be trusted for); [`apply`] puts it into the store once the
//! person agreed; [`source`] reads a file or link; [`export`] gives an identity out again, where that is allowed.
//!
//! Must never enter: asking the person, printing.

pub mod apply;
pub mod export;
pub mod review;
pub mod source;

pub use apply::{Consent, Installed};
pub use export::ExportForm;
pub use review::{Chain, PlannedCertificate, PlannedIdentity, Review};

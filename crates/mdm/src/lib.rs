//! Windows enrolment and management (MS-MDE2, MS-XCEP, MS-WSTEP, OMA-DM): bytes to typed messages and back, on both sides.
//!
//! Start reading at [`soap`], then follow a device: [`discovery`], [`policy`], [`wstep`], and what it receives, [`provisioning`]. Its
//! management begins at [`session`]: messages are [`syncml`], what they act on is [`csp`], what they want is [`profile`]. All documents
//! from outside come in through [`xml`].
//!
//! Must never enter: HTTP types, sockets, files, the clock, the database, and any decision who may have a certificate.

pub mod csp;
pub mod discovery;
pub mod error;
pub mod hresult;
pub mod policy;
pub mod profile;
pub mod provisioning;
pub mod session;
pub mod soap;
pub mod syncml;
pub mod version;
pub mod wstep;
pub mod xml;

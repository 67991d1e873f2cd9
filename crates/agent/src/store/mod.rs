//! The device store: a folder with the identities of a device and the requests that are under way.
//!
//! Start reading at [`layout`] (the folder), then [`identity`] (what was obtained) and [`pending`] (what was asked for); [`files`] is the
//! only place that writes.
//!
//! ```text
//! my/<id>/       key.pem or key.tpm, certificate.pem chain.pem about.json
//! pending/<id>/  key.pem or key.tpm, signer.pem message.der about.json
//!                (in both: tls-roots.pem, where it was given)
//! ca/ root/      issuers and pinned CA certificates, named by fingerprint
//! people/        certificates of others, likewise
//! ```
//!
//! Must never enter: sockets, names of people or devices in file names, a challenge.

pub mod files;
pub mod id;
pub mod identity;
pub mod layout;
pub mod pending;

pub use id::LocalId;
pub use identity::{Identity, IdentityAbout, Owner, Status};
pub use layout::{DeviceStore, Room};
pub use pending::{Pending, PendingAbout, PendingState};

//! Keeping what a device has from ending, without a management server that would: identities by SCEP are renewed by a schedule, requests under
//! way are gone on with, and what only a person can do is told.
//!
//! Start reading at [`standing`] (what there is, and how it stands), then [`work`] (what is done about it); [`tried`] is what is remembered of
//! attempts. What the management brought is renewed by [`crate::mdm`].
//!
//! ```text
//! upkeep.json    attempts, by identity or request
//! ```
//!
//! Must never enter: printing, waiting.

pub mod standing;
pub mod tried;
pub mod work;

pub use standing::{Attention, Kept, Way, attention, kept};
pub use tried::Tried;
pub use work::{Done, WorkResult, is_due, work};

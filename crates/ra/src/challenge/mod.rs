//! Challenges: one-time permissions that bind every field of one request (ndes-policy, section 4).
//!
//! Start reading at [`mint`]; [`text`] has the form in which a challenge travels, `verify` what makes one genuine.
//!
//! Must never enter: storage (only the keyed hash of a challenge is stored), the decision about a request.

mod keys;
mod mint;
pub mod text;
pub(crate) mod verify;

pub use keys::ChallengeKeys;
pub use mint::{Minted, mint};
pub use text::locate;

pub use crate::order::ChallengeOrder;

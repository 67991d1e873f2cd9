//! The one way out of the server (security.md, "Outbound").
//!
//! Start reading at [`Outbound::call`]: the name is looked up once, every address it has is judged by [`address`], one of exactly
//! those is connected to, and whatever is no plain answer of bounded size in time is an error. No redirect is followed.
//!
//! Must never enter: what is said, and what the answer means.

pub mod address;
mod client;
mod target;

pub use client::{Answer, Call, MAX_ANSWER, Outbound};
pub use target::Target;

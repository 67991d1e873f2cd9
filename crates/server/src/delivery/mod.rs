//! What is given to devices that no management server manages: signed configuration profiles for Apple's devices, and
//! signed JSON for agents elsewhere.
//!
//! Start reading at [`outfit`], which is the same for all; [`apple`] and [`json`] write it, [`signature`] signs.
//!
//! Must never enter: HTTP types, who may have what.

pub mod apple;
pub mod json;
pub mod outfit;
pub mod plist;
pub mod signature;

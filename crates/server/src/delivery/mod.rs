//! What is given to devices that no management server manages: signed configuration profiles for Apple's devices.
//!
//! Start reading at [`apple`]; [`plist`] writes the format, [`signature`] signs.
//!
//! Must never enter: HTTP types, who may have what.

pub mod apple;
pub mod plist;
pub mod signature;

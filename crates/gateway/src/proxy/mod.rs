//! The way to the back end and back.
//!
//! Start reading at [`forward`]; [`headers`] says which fields go on, [`identity`] which ones the gateway adds, [`upstream`] keeps
//! connections to back ends, [`body`] streams.
//!
//! Must never enter: who may enter.

pub mod application;
pub mod body;
pub mod forward;
pub mod headers;
pub mod identity;
pub mod upstream;

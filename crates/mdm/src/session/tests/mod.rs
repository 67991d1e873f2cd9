//! Sessions: the written ones on both sides, and the two sides against each other.
//!
//! Start reading at [`pair`], the device and the server that talk to each other here.

mod access;
mod device;
mod failures;
mod pair;
mod server;

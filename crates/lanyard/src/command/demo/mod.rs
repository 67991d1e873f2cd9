//! `lanyard demo`: the main job with simulated devices against a real server in a temporary directory.
//!
//! Start reading at [`run`]; `stage` is the server and its devices, `acts` what is played.
//!
//! Must never enter: short cuts. The devices speak SCEP over HTTP like any other.

mod acts;
mod stage;

mod play;

pub use play::{Arguments, run};

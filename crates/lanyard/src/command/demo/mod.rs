//! `lanyard demo`: the main job with simulated devices against a real server in a temporary directory.
//!
//! Start reading at [`run`]; `stage` is the server and its devices, `acts` what is played, `windows` what a managed device goes through, `tpm` a
//! device whose key stays in a TPM, `delivery` how people get theirs with `post_office` for their mail, `gateway` mail for known phones alone, from `mailbox`.
//!
//! Must never enter: short cuts. The devices speak SCEP, enrolment and management over HTTP like any other.

mod acts;
mod delivery;
mod gateway;
mod mailbox;
mod play;
mod post_office;
mod stage;
mod tpm;
mod windows;

pub use play::{Arguments, run};

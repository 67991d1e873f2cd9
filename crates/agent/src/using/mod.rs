//! Letting other programs use an identity: configuration that names the right certificate when there are several, and follows renewals.
//!
//! Start reading at [`choose`] (which identity), then [`place`] (what is written down, and taken away again); [`program`] is what each program wants.
//!
//! ```text
//! use/<name>/    use.json, client.pem, roots.pem and the file of the program
//! ```
//!
//! Must never enter: starting the programs that use it; their system-wide configuration, but for the one file in a folder of policies that
//! somebody named.

pub mod choose;
mod nss;
pub mod place;
mod policy;
pub mod program;
mod swanctl;

pub use choose::{Purpose, Select};
pub use place::{Use, Used};
pub use program::Program;

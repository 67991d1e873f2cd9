//! Certificate templates: one commented TOML file each, checked completely when loaded.
//!
//! Start reading at [`Templates::load`]; [`builtin`] has the files a new installation begins with.
//!
//! Must never enter: reading files, decisions about requests.

mod builtin;
mod check;
mod load;

pub use builtin::builtin;
pub(crate) use load::Compiled;
pub use load::Templates;

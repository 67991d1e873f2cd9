//! The configuration file.
//!
//! Start reading at [`file`], which documents every key; [`check`] turns it into what the other rooms use, or says what is wrong.
//!
//! Must never enter: reading the files that it names, beyond [`read`].

pub mod check;
pub mod file;
pub mod read;

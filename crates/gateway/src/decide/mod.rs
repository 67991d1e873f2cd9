//! Who may do what: the rule of a request, and whether the client meets it.
//!
//! Start reading at [`admit`], which is the table of modes; [`publish`] finds the application of a request, [`denial`] has every refusal
//! with its answer.
//!
//! Must never enter: sockets, headers of back ends.

pub mod admit;
pub mod denial;
pub mod publish;

//! The page where people help themselves (`/portal`, HTTPS only): sign in, see what they have, install the roots, ask for an identity,
//! report a device lost.
//!
//! Start reading at [`router`]; [`session`] is who is signed in, [`guard`] what every answer and every form must have. The pages are in
//! `templates/portal`, all text in them is escaped, and none of them needs a script.
//!
//! Must never enter: rules about who gets what, what a certificate contains.

mod form;
mod guard;
mod home;
mod identity;
mod invitation;
mod lost;
mod roots;
pub mod router;
mod runtime;
mod session;
pub mod settings;
mod sign_in;
mod views;

pub use runtime::Portal;

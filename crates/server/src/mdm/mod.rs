//! What the edges and flows of Windows management share: how it is configured, where devices find it, who a user is by password or
//! sign-in token, and how often somebody may be wrong.
//!
//! Start reading at [`Mdm`].
//!
//! Must never enter: wire formats (`mdm`), HTTP (`edge`), the steps of an enrolment (`flow`).

pub mod addresses;
pub mod attempts;
pub mod password;
mod runtime;
pub mod settings;
pub mod sign_in;

pub use runtime::Mdm;

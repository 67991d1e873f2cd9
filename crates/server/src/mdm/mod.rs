//! What the edges and flows of Windows management share: how it is configured, and who a local user is by password.
//!
//! Start reading at [`settings`].
//!
//! Must never enter: wire formats (`mdm`), HTTP (`edge`), the steps of an enrolment (`flow`).

pub mod settings;

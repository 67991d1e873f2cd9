//! Discovery (MS-MDE2, section 3.1): a device asks where and how it may enrol.
//!
//! Start reading at [`Discover`]; the server answers with a [`DiscoverResult`].
//!
//! Must never enter: the choice among the authentication policies.

mod auth_policy;
mod request;
mod response;

pub use auth_policy::AuthPolicy;
pub use request::Discover;
pub use response::DiscoverResult;

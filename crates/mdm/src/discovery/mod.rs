//! Discovery (MS-MDE2, section 3.1): a device asks where and how it may enrol.
//!
//! Start reading at [`Discover`]; the server answers with a [`DiscoverResult`]. [`sign_in`] is the page of
//! federated enrolment.
//!
//! Must never enter: the choice among the authentication policies.

mod address;
mod auth_policy;
mod request;
mod response;
pub mod sign_in;

pub use address::{DISCOVERY_PATH, discovery_url};
pub use auth_policy::AuthPolicy;
pub use request::Discover;
pub use response::DiscoverResult;

//! SOAP 1.2 as Windows enrolment uses it (MS-MDE2, section 2): the envelope, its addressing and security headers, and faults.
//!
//! Start reading at [`Request`] (device to server) and [`ResponseHeader`] (server to device); what can go wrong is a [`Fault`].
//!
//! Must never enter: the bodies, which belong to `discovery`, `policy` and `wstep`; HTTP; a decision who may enrol.

mod action;
pub mod base64;
pub mod c14n;
mod fault;
pub mod namespace;
mod request;
mod response;
mod security;
pub mod signature;
pub mod time;

pub use action::{Action, CONTENT_TYPE};
pub use fault::{DeviceEnrollmentServiceError, ErrorType, Fault, HTTP_STATUS_OF_FAULTS, Subcode};
pub use request::{Rejected, Request, RequestHeader};
pub use response::{Activity, Answer, Response, ResponseHeader};
pub use security::{BinarySecurityToken, Credential, Lifetime, Security, USERNAME_TOKEN_ID, UsernameToken, ValueType};

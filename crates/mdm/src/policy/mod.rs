//! The enrolment policy (MS-XCEP): which key the device shall make and how it shall sign its request.
//!
//! Start reading at [`GetPoliciesResponse`]. Automatic renewals ask too and have no password, so the answer has no secrets.
//!
//! Must never enter: where the policy comes from.

mod request;
mod response;

pub use request::GetPolicies;
pub use response::{
    CertificateEnrollmentPolicy, GetPoliciesResponse, OID_GROUP_HASH, OID_GROUP_KEY, OID_GROUP_TEMPLATE, PolicyOid,
};

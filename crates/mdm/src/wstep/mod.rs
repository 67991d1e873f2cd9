//! Certificate requests (MS-WSTEP, section 3.1.4): first enrolment and renewal.
//!
//! Start reading at [`RequestSecurityToken`]. The PKCS#7 of a renewal is opened by [`UnverifiedRenewal`], in two steps, because the signer's
//! certificate may have to be looked up between them; the answer is [`RequestSecurityTokenResponse`]. What the device shows afterwards is
//! judged by [`verify_ent_dmid`].
//!
//! Must never enter: whether the request is granted; what is in the provisioning document.

mod context;
mod re_association;
mod renewal;
mod request;
mod response;

pub use context::{AdditionalContext, EnrollmentType};
pub use re_association::{ReAssociation, sign_ent_dmid, verify_ent_dmid};
pub use renewal::{RenewalRequest, UnverifiedRenewal, encode_renewal};
pub use request::{CertificateRequest, RequestSecurityToken};
pub use response::RequestSecurityTokenResponse;

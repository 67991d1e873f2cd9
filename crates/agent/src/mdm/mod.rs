//! Under management: joining, renewing the identity (MS-MDE2), and sessions (OMA-DM).
//!
//! Start reading at [`join`]: discovery, policy, enrolment, and the provisioning document applied. [`account`] is what a joined device
//! keeps; [`renew`] replaces its identity before it ends; [`exchange`] is one question to one of the services.
//!
//! Must never enter: printing, a password or secret in a log line, certificates trusted because a server says so.

pub mod account;
pub mod exchange;
pub mod join;
pub mod renew;

pub use account::Account;
pub use join::{JoinCredential, JoinOptions, Joined, join};
pub use lanyard_mdm::{soap::Fault, wstep::EnrollmentType};
pub use renew::{Renewed, renew};

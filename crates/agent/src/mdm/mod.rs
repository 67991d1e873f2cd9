//! Under management: joining, renewing the identity (MS-MDE2), and sessions (OMA-DM).
//!
//! Start reading at [`join`]: discovery, policy, enrolment, and the provisioning document applied. [`account`] is what a joined device
//! keeps; [`renew`] replaces its identity before it ends; [`exchange`] is one question to one of the services. [`sync`] holds management
//! sessions over a tree that is the device store, and [`certificates`] enrols for what was asked in them;
//! `pfx` imports what comes with its key. [`turn`] keeps two processes from doing any of it at once.
//!
//! Must never enter: printing, a password or secret in a log line, certificates trusted because a server says so.

pub mod account;
pub mod certificates;
pub mod exchange;
pub mod join;
mod pfx;
pub mod renew;
pub mod simulate;
pub mod sync;
mod tree;
pub mod turn;

pub use account::Account;
pub use certificates::Enrolment;
pub use join::{JoinCredential, JoinOptions, Joined, join};
pub use lanyard_mdm::{soap::Fault, wstep::EnrollmentType};
pub use renew::{RenewalProof, Renewed, renew};
pub use sync::{Synced, leave, sync};

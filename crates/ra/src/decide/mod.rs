//! The decision about a request: granted, held for a person, a repetition, or refused.
//!
//! Start reading at [`decide`]. Whatever is not expressly allowed is refused (ndes-policy T3, T4); an error on the way to a
//! decision is a refusal. The certificate is made from the binding or the record, never from the request (ndes-policy T1, T10).
//!
//! Must never enter: storage, keys, protocols.

mod administrator;
mod adopted;
mod approval;
mod challenged;
mod compare;
mod decision;
mod enrolled;
mod entitled;
mod entry;
mod issue;
mod made_here;
mod renewal;

pub use administrator::decide_administrator;
pub use adopted::{Adopted, decide_adopted};
pub use approval::may_approve;
pub use decision::{Approved, Decision, Denied, Facts, Held};
pub use enrolled::{decide_enrolled, decide_enrolled_renewal};
pub use entitled::{Subjects, subjects_of};
pub use entry::decide;
pub use made_here::{decide_made_here, may_order, permitted};

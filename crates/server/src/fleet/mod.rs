//! What managed devices are to have, and what is kept about each of them between two messages.
//!
//! Start reading at [`policy`] (the file an administrator edits), then [`desired`] (what it means for one device) and [`reconcile`] (what
//! there is still to do); [`ledger`] is what was done already, [`job`] a job as it is stored.
//!
//! Must never enter: HTTP, storage calls, the steps of a session.

mod check;
pub mod desired;
pub mod inventory;
pub mod job;
pub mod ledger;
pub mod network;
pub mod pfx;
pub mod policy;
pub mod reconcile;
pub mod sealed;

#[cfg(test)]
mod tests;

//! What a policy says, and what follows from it over time.

mod policy;
mod reconcile;

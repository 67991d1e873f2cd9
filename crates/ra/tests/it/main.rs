//! The rules of registration, each through the public API.

// The helpers stand outside #[test] functions, where clippy.toml does not reach.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod administrator;
mod approval;
mod challenges;
mod circumstances;
mod deviations;
mod enrolled;
mod first_enrolment;
mod patterns;
mod profiles;
mod reasons;
mod renewals;
mod service;
mod support;
mod templates;

//! The rules of registration, each through the public API.

mod administrator;
mod approval;
mod challenges;
mod deviations;
mod first_enrolment;
mod patterns;
mod profiles;
mod reasons;
mod renewals;
mod service;
mod support;
mod templates;
